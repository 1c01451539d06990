"""The page on pictures shows a job that can be trained."""

from pathlib import Path

from tests.docs.test_documents import json_blocks
from workers.children.inspect import InspectionLimits, inspect_job

LIMITS = InspectionLimits(100, 10**8, 1 << 34)
PAGE = (Path(__file__).parents[2] / "docs" / "images.md").read_text()


def test_the_job_that_is_shown_is_accepted() -> None:
    job, tuned, pets = json_blocks(PAGE)
    found = inspect_job(job, None, LIMITS)
    assert found.problems == ()
    assert found.report["inputs"]["image"]["shape"] == ["N", 1, 28, 28]
    found = inspect_job(tuned, None, LIMITS)
    assert found.problems == ()
    assert [each.code for each in found.warnings] == ["begun_anew"]
    network = {"layers": [{"kind": "resnet18", "num_classes": 37}]}
    found = inspect_job({**job, "data": pets, "model": network}, None, LIMITS)
    assert found.problems == ()
    assert found.report["inputs"]["image"]["shape"] == ["N", 3, 224, 224]
