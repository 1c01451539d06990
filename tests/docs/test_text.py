"""The page on texts shows what works."""

from pathlib import Path

import pytest
from tokenizers import Tokenizer

from app.spec.data.features import FEATURE_CLASSES
from tests.docs.test_documents import json_blocks
from tests.workers.data.schemas import stored_schema
from tests.workers.training.datasets import LIMITS, dataset_job, text_dataset
from workers.children.inspect import inspect_job
from workers.data.tokenizers import TOKENIZER_TRAINERS

PAGE = (Path(__file__).parents[2] / "docs" / "text.md").read_text()


def test_examples_are_jobs_on_texts() -> None:
    shown = json_blocks(PAGE)
    (network,) = [each for each in shown if "nodes" in each and "review" in each["inputs"]]
    declared = [each["features"] for each in shown if "features" in each and "review" in each["features"]]
    assert len(declared) == 2
    for features in declared:
        made = {name: {**part, "column": "text"} for name, part in features.items()}
        spec = dataset_job(network, features=made, target="label")
        assert inspect_job(spec, text_dataset().schema, LIMITS).problems == ()


def test_the_bag_of_ngrams_is_a_job() -> None:
    blocks = [each for each in json_blocks(PAGE) if isinstance(each, dict)]
    (network,) = [each for each in blocks if "text_weight" in each.get("inputs", ())]
    spec = dataset_job(network, features={"text": {"kind": "ngrams", "column": "text"}}, target="label")
    assert inspect_job(spec, text_dataset().schema, LIMITS).problems == ()


def test_examples_of_generation_are_jobs() -> None:
    stored = stored_schema(rows=60, text={"type": "text", "longest": 30}, iso={"type": "text", "longest": 10})
    jobs = [each for each in json_blocks(PAGE) if "model" in each]
    assert len(jobs) == 2
    for job in jobs:
        assert inspect_job(job, stored, LIMITS).problems == ()


@pytest.mark.parametrize("kind", [*TOKENIZER_TRAINERS, "text", "tags", "series", "tree"])
def test_every_kind_is_explained(kind: str) -> None:
    assert kind in {*TOKENIZER_TRAINERS, *FEATURE_CLASSES}
    assert f"\n| `{kind}` |" in PAGE


def test_the_call_in_plain_python_exists() -> None:
    assert "Tokenizer.from_file" in PAGE
    assert callable(Tokenizer.from_file)
