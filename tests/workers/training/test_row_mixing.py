"""MixUp on rows of a table: inputs and targets are blended alike, to the bit; words, which have no blend, are not."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import one_hot

from app.storage.local import LocalStore
from tests.workers.data.schemas import stored_schema
from tests.workers.training.datasets import LIMITS, DatasetHarness, InMemoryDataset, dataset_job
from tests.workers.training.harness import resume_candidates, rows_of
from workers.children.inspect import inspect_job
from workers.data.rng import batch_generator

ROWS, ALPHA = 64, 0.4
MIXUP = [{"kind": "MixUp", "alpha": ALPHA}]


@pytest.fixture
def harness(tmp_path: Path) -> DatasetHarness:
    torch.manual_seed(0)
    label = {"type": "category", "labels": ("a", "b", "c")}
    words = [("a", "b", "c")[row % 3] for row in range(ROWS)]
    columns: Any = {name: torch.randn(ROWS).double() for name in ("u", "v")} | {"label": words}
    schema = stored_schema("label", rows=ROWS, u="number", v="number", label=label)
    return DatasetHarness(tmp_path, LocalStore(tmp_path / "store"), corpus=InMemoryDataset(schema, columns))


def job(target: str) -> dict[str, Any]:
    layers = [{"kind": "Linear", "out_features": 3 if target == "label" else 1}]
    spec = dataset_job({"layers": layers}, metrics=(), transforms=MIXUP, target=target)
    spec["objective"]["loss"] = {"kind": "CrossEntropyLoss" if target == "label" else "MSELoss"}
    return spec


@pytest.mark.parametrize("target", ["label", "v"])
def test_rows_and_targets_are_blended_alike(harness: DatasetHarness, target: str) -> None:
    prepared = harness.prepare(job(target))
    step = 3
    ((rows, _),) = rows_of(prepared).sampler.batches(step)
    ((inputs, targets, _),) = prepared.state.source.batches(step)
    stream = batch_generator(prepared.plan.seed, step, 0)
    stream.integers(1)
    share = float(stream.beta(ALPHA, ALPHA))

    def blend(values: torch.Tensor) -> torch.Tensor:
        return values.roll(1, 0) * (1.0 - share) + values * share

    (name, plain), (key, truth) = (
        next(iter(rows_of(prepared).train.inputs.items())),
        next(iter(rows_of(prepared).train.targets.items())),
    )
    assert isinstance(plain, torch.Tensor)
    assert isinstance(truth, torch.Tensor)
    expected = one_hot(truth[rows], 3).float() if target == "label" else truth[rows]
    assert inputs[name].equal(blend(plain[rows]))
    assert targets[key].equal(blend(expected))


@pytest.mark.parametrize("target", ["label", "v"])
def test_an_interrupted_training_is_the_same_to_the_bit(harness: DatasetHarness, target: str) -> None:
    whole = harness.run(job(target))
    first = harness.run(job(target), {5: "pause"})
    second = harness.run(job(target), resume_from=resume_candidates(first.context.saved[-1]))
    assert second.weights() == whole.weights()
    assert second.points("val/loss")[-1] == whole.points("val/loss")[-1]


def test_words_and_cuts_are_refused(harness: DatasetHarness) -> None:
    assert harness.corpus is not None
    nodes = [
        {"id": "vector", "kind": "Embedding", "inputs": ["label"], "embedding_dim": 2},
        {"id": "value", "kind": "Linear", "inputs": ["vector"], "out_features": 1},
    ]
    spec = job("v") | {"model": {"inputs": ["label"], "nodes": nodes, "outputs": {"value": "value"}}}
    spec["data"]["features"] = {"label": "category"}
    (problem,) = inspect_job(spec, harness.corpus.schema, LIMITS).problems
    assert (problem.pointer, problem.code) == ("/data/transforms", "contradiction")
    assert '"label" is whole numbers' in problem.detail
    spec = job("v")
    spec["data"]["transforms"] = [{"kind": "CutMix"}]
    assert "no_pictures" in {each.code for each in inspect_job(spec, harness.corpus.schema, LIMITS).problems}


def test_a_text_is_no_column_of_a_table() -> None:
    schema = stored_schema("v", rows=ROWS, v="number", text={"type": "text", "longest": 9})
    nodes = [
        {"id": "vectors", "kind": "Embedding", "inputs": ["text"], "embedding_dim": 2},
        {"id": "mean", "kind": "pool_sequence", "inputs": ["vectors", "text_length"]},
        {"id": "value", "kind": "Linear", "inputs": ["mean"], "out_features": 1},
    ]
    spec = job("v") | {"model": {"inputs": ["text", "text_length"], "nodes": nodes, "outputs": {"value": "value"}}}
    problems = inspect_job(spec, schema, LIMITS).problems
    assert {problem.pointer for problem in problems} == {"/data/transforms"}
    assert all("inputs of model" in problem.hint for problem in problems)
