"""Steps of a second driver than the loop, on a state whose parts are replaced between two of them."""

import copy

import torch

from tests.workers.training.harness import TrainingHarness, digits_job, rows_of
from workers.data.loading.batches import InMemoryBatches
from workers.data.loading.examples import ExampleSet
from workers.training.assembly import PreparedTraining
from workers.training.loop import train
from workers.training.optim.update_state import UpdateState


def advance(prepared: PreparedTraining, steps: int) -> None:
    state = prepared.state
    for _ in range(steps):
        prepared.training_step.run(state, state.source.batches(state.counters.step))
        state.counters.step += 1


def test_another_driver_takes_the_steps_of_the_loop(laboratory: TrainingHarness) -> None:
    spec = digits_job(training={"steps": 5, "accumulate": 2})
    prepared, whole = laboratory.prepare(spec), laboratory.prepare(spec)
    train(whole)
    advance(prepared, 5)
    theirs = whole.network.state_dict()
    assert all(value.equal(theirs[name]) for name, value in prepared.network.state_dict().items())


def test_network_and_optimizer_may_be_replaced_between_steps(laboratory: TrainingHarness) -> None:
    spec = digits_job(training={"steps": 5, "optimizer": {"kind": "SGD", "lr": 0.1}, "clip_norm": 0.5})
    prepared, whole = laboratory.prepare(spec), laboratory.prepare(spec)
    advance(prepared, 2)
    state, old = prepared.state, prepared.network
    state.network = copy.deepcopy(old)
    parameters = list(state.network.parameters())
    state.updates = [UpdateState(torch.optim.SGD(parameters, lr=0.1, fused=True), parameters)]
    before = copy.deepcopy(old.state_dict())
    advance(prepared, 3)
    advance(whole, 5)
    theirs = whole.network.state_dict()
    assert all(value.equal(theirs[name]) for name, value in state.network.state_dict().items())
    assert all(value.equal(before[name]) for name, value in old.state_dict().items())


def test_a_new_source_is_averaged_over_its_own_targets(laboratory: TrainingHarness) -> None:
    """A step of a source in which no target counts has no loss; one of the source before it had."""
    prepared = laboratory.prepare(digits_job(training={"steps": 5}))
    advance(prepared, 1)
    rows = rows_of(prepared).train
    ignored = ExampleSet(rows.inputs, {"label": torch.full_like(next(iter(rows.targets.values())), -100)})
    prepared.state.source = InMemoryBatches(ignored, rows_of(prepared).sampler, prepared.device)
    [result] = prepared.training_step.run(prepared.state, prepared.state.source.batches(1))
    assert result.loss == 0
