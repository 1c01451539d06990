"""Jobs whose rows are drawn by weight: interrupted to the bit, evaluated on all rows, and refused with a place."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch

from app.storage.local import LocalStore
from tests.workers.data.schemas import stored_schema
from tests.workers.training.datasets import LIMITS, DatasetHarness, InMemoryDataset, dataset_job, text_dataset
from tests.workers.training.harness import resume_candidates, rows_of
from workers.children.inspect import inspect_job
from workers.protocol.messages import Ending

ROWS = 80
LABELS = ["a"] * 70 + ["b"] * 9 + ["c"]
LINEAR = {"layers": [{"kind": "Linear", "out_features": 3}]}
BALANCED = {"kind": "balanced"}


def unbalanced() -> InMemoryDataset:
    """Return rows of three classes, one of which has a single row."""
    torch.manual_seed(0)
    label = {"type": "category", "labels": ("a", "b", "c")}
    columns = {"x": torch.randn(ROWS).double(), "w": torch.rand(ROWS).double(), "label": LABELS}
    return InMemoryDataset(stored_schema("label", rows=ROWS, x="number", w="number", label=label), columns)


@pytest.fixture
def harness(tmp_path: Path) -> DatasetHarness:
    return DatasetHarness(tmp_path, LocalStore(tmp_path / "store"), corpus=unbalanced())


SAMPLERS: dict[str, dict[str, Any]] = {
    "balanced": BALANCED,
    "weighted": {"kind": "weighted", "column": "w"},
    "without replacement": {"kind": "weighted", "column": "w", "replacement": False, "samples": 30},
    "more rows than there are": {"kind": "balanced", "samples": 200},
}


@pytest.mark.parametrize("name", SAMPLERS)
def test_an_interrupted_training_is_the_same_to_the_bit(harness: DatasetHarness, name: str) -> None:
    sampler = SAMPLERS[name]
    spec = dataset_job(LINEAR, sampler=sampler, training={"steps": None, "epochs": 3})
    spec["training"].pop("steps")
    whole = harness.run(spec)
    rows = sampler.get("samples", 60)
    assert whole.prepared.total_steps == 3 * -(-rows // 8)
    first = harness.run(spec, {7: "pause"})
    assert first.outcome.ending == Ending.PAUSED
    second = harness.run(spec, resume_from=resume_candidates(first.context.saved[-1]))
    assert second.weights() == whole.weights()
    validation = rows_of(whole.prepared).validation
    assert validation is not None
    assert len(validation) == 20


def test_each_class_is_trained_on_alike_and_evaluated_as_it_is(harness: DatasetHarness) -> None:
    prepared = harness.prepare(dataset_job(LINEAR, sampler=BALANCED | {"samples": 6000}))
    target = rows_of(prepared).train.targets["label"]
    assert isinstance(target, torch.Tensor)
    drawn = Counter(
        int(each) for step in range(750) for rows, _ in rows_of(prepared).sampler.batches(step) for each in target[rows]
    )
    assert set(drawn) == set(target.tolist())
    assert all(abs(count / (6000 / len(drawn)) - 1) < 0.1 for count in drawn.values())
    assert rows_of(prepared).validation is not None
    assert len(rows_of(prepared).validation) + len(rows_of(prepared).train) == ROWS


def test_rows_of_like_length_are_drawn_too(tmp_path: Path) -> None:
    harness = DatasetHarness(tmp_path, LocalStore(tmp_path / "store"), corpus=text_dataset())
    nodes = [
        {"id": "words", "kind": "Embedding", "inputs": ["text"], "embedding_dim": 4},
        {"id": "bag", "kind": "pool_sequence", "inputs": ["words", "text_length"]},
        {"id": "scores", "kind": "Linear", "inputs": ["bag"], "out_features": 2},
    ]
    model = {"inputs": ["text", "text_length"], "nodes": nodes, "outputs": {"scores": "scores"}}
    spec = dataset_job(model, sampler=BALANCED, bucket="text")
    whole = harness.run(spec)
    first = harness.run(spec, {5: "pause"})
    assert harness.run(spec, resume_from=resume_candidates(first.context.saved[-1])).weights() == whole.weights()


MISTAKES: dict[str, tuple[dict[str, Any], str, str]] = {
    "no column": ({"kind": "weighted"}, "/column", "missing"),
    "unknown": ({"kind": "weighted", "column": "weight"}, "/column", "unknown_column"),
    "words": ({"kind": "weighted", "column": "label"}, "/column", "wrong_column_type"),
    "all rows once": ({"kind": "balanced", "replacement": False}, "/samples", "contradiction"),
    "more than there are": ({"kind": "balanced", "replacement": False, "samples": 60}, "/samples", "contradiction"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_have_a_place(name: str) -> None:
    sampler, place, code = MISTAKES[name]
    problems = inspect_job(dataset_job(LINEAR, sampler=sampler), unbalanced().schema, LIMITS).problems
    assert [(each.pointer, each.code) for each in problems] == [(f"/data/sampler{place}", code)]
    assert all(each.hint for each in problems)


def test_numbers_have_no_classes_to_balance() -> None:
    spec = dataset_job({"layers": [{"kind": "Linear", "out_features": 1}]}, metrics=(), sampler=BALANCED, target="x")
    spec["objective"]["loss"] = {"kind": "MSELoss"}
    problems = inspect_job(spec, unbalanced().schema, LIMITS).problems
    assert [(each.pointer, each.code) for each in problems] == [("/data/sampler/column", "missing")]
