"""The examples that change themselves, on a few rows: every rule comes to an edit, and ends as it is meant to."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.spec.data.sources import TORCHVISION_SCHEMAS
from examples.live_edits import EXAMPLES, to_claims, variants
from tests.examples.example_runner import EXAMPLES_FOLDER
from tests.examples.test_real import LIMITS, ROWS, Bench
from workers.children.inspect import inspect_job
from workers.protocol.messages import EditApplied
from workers.training.context import MemoryContext
from workers.training.loop import train

NAMES = sorted(path.stem for path in (EXAMPLES_FOLDER / "surgery").glob("*.json"))


@pytest.fixture
def bench(tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Bench:
    few = TORCHVISION_SCHEMAS["FashionMNIST"].model_copy(update={"rows": {"train": ROWS, "test": ROWS}})
    monkeypatch.setitem(TORCHVISION_SCHEMAS, "FashionMNIST", few)
    bench = Bench(tmp_path, request.param)
    bench.spec["training"]["steps"] = 18
    for rule in bench.spec["training"]["edits"]:
        if "every" in rule:
            rule["every"] = {"steps": 2}
    return bench


@pytest.mark.parametrize("bench", NAMES, indirect=True)
def test_it_is_accepted_and_every_rule_is_applied(bench: Bench) -> None:
    assert inspect_job(bench.spec, bench.schema, LIMITS, bench.known).problems == ()
    context = MemoryContext()
    train(bench.prepare(context))
    applied = [edit for edit in context.edits if isinstance(edit, EditApplied)]
    assert len(applied) == len(context.edits)
    assert {edit.rule for edit in applied} == set(range(len(bench.spec["training"]["edits"])))
    counts = [applied[0].details["parameters_before"], *(edit.details["parameters"] for edit in applied)]
    pruned = "every" in bench.spec["training"]["edits"][0]
    assert counts == sorted(counts, reverse=pruned)
    assert not pruned or counts[-1] <= counts[0] / 2 < counts[-2]


def test_each_example_has_a_gate_and_a_variant_without_edits() -> None:
    assert [example.name for example in EXAMPLES] == sorted(NAMES, key=[each.name for each in EXAMPLES].index)
    for name in NAMES:
        spec = json.loads((EXAMPLES_FOLDER / "surgery" / f"{name}.json").read_text())
        both = variants(spec)
        assert both["edited"] == spec
        assert "edits" not in both["plain"]["training"]
        assert both["plain"]["training"] | {"edits": spec["training"]["edits"]} == spec["training"]


def test_claims_compare_the_variants() -> None:
    [pruned] = [example for example in EXAMPLES if example.is_pruned]
    figures: dict[str, Any] = {
        "variants": {"edited": {"accuracy": 0.9, "parameters": 40}, "plain": {"accuracy": 0.904, "parameters": 100}},
        "onnx_us": {"plain": 30.0, "edited": 15.0},
    }
    assert [claim["measured"] for claim in to_claims(pruned, figures)] == [-0.004, 0.4, 2.0]
