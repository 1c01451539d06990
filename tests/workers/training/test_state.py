"""What a state saves, and that it is only loaded into parts of its own shapes."""

import math
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import nn

from app.errors import BuildError
from app.spec.training.optimizers import OPTIMIZER_CLASSES
from tests.workers.training.harness import TrainingHarness, digits_job, rows_of
from workers.data.loading.batch_source import NO_STATE, WeightedBatch
from workers.data.loading.batches import InMemoryBatches
from workers.training.loop import train
from workers.training.optim.optimizers import OPTIMIZERS, build_optimizer, check_state_shapes
from workers.training.state import BestValue


@pytest.mark.parametrize("kind", ["Adam", "AdamW", "Adagrad", "RMSprop"])
def test_moments_of_other_shapes_are_refused(laboratory: TrainingHarness, kind: str) -> None:
    """Fused kernels on a CPU compare no shapes: the next step would write beyond the end of the moments."""
    spec = digits_job(training={"optimizer": {"kind": kind}, "steps": 2})
    stored, prepared = laboratory.run(spec).prepared.state, laboratory.prepare(spec)
    tensors = stored.state_tensors()
    name = next(key for key, value in tensors.items() if key.startswith("optimizer/0/") and value.ndim)
    tensors[name] = tensors[name][:1, :1].clone()
    with pytest.raises(BuildError, match=r"has shape \[1, 1\], and linear1.weight has \[16, 64\]") as caught:
        prepared.state.load(tensors, stored.state_json())
    assert caught.value.pointer == "/start_from"


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_states_of_their_own_shapes_are_taken(kind: str) -> None:
    network = nn.Linear(4, 3, bias=False)
    spec = OPTIMIZER_CLASSES[kind].model_validate({"kind": kind})
    optimizer = build_optimizer(spec, list(network.parameters()), torch.device("cpu"))

    def closure() -> float:
        optimizer.zero_grad()
        loss = network(torch.ones(2, 4)).square().sum()
        loss.backward()
        return loss.item()

    optimizer.step(closure)
    check_state_shapes(optimizer, optimizer.state_dict()["state"], network)


class CountingSource(InMemoryBatches):
    """A source with a state: how often it was read."""

    reads = 0

    def batches(self, step: int) -> list[WeightedBatch]:
        self.reads += 1
        return super().batches(step)

    def state_dict(self) -> Mapping[str, torch.Tensor]:
        return {"reads": torch.tensor(self.reads)}

    def state_json(self) -> Mapping[str, Any]:
        return {"read": self.reads}

    def load_state_dict(self, state: Mapping[str, torch.Tensor], numbers: Mapping[str, Any] = NO_STATE) -> None:
        assert numbers["read"] == state["reads"]
        self.reads = int(state["reads"])


def test_the_state_of_a_source_is_saved_if_it_has_one(laboratory: TrainingHarness) -> None:
    prepared = laboratory.prepare(digits_job(training={"steps": 4}))
    state, rows = prepared.state, rows_of(prepared).train
    assert not any(name.startswith("source/") for name in state.state_tensors())
    assert "source" not in state.state_json()
    state.source = CountingSource(rows, rows_of(prepared).sampler, prepared.device)
    train(prepared)
    tensors, numbers = state.state_tensors(), state.state_json()
    again = laboratory.prepare(digits_job(training={"steps": 4})).state
    again.source = source = CountingSource(rows, rows_of(prepared).sampler, prepared.device)
    again.load(tensors, numbers)
    assert source.reads == 4


def test_nan_is_no_evaluation_and_infinity_is_no_improvement() -> None:
    tracker = BestValue("val/auroc", "max")
    assert [tracker.update({"val/auroc": value}, step) for step, value in enumerate([math.nan, 0.5, math.nan])] == [
        False,
        True,
        False,
    ]
    assert (tracker.best, tracker.step, tracker.stale) == (0.5, 1, 0)
    assert not tracker.update({"val/auroc": math.inf}, 3)
    assert not tracker.update({}, 4)
    assert tracker.stale == 1
