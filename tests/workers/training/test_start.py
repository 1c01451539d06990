"""Starting from another job's checkpoint: its weights, or everything."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from app.errors import BuildError, CheckpointDamaged, DataError
from tests.workers.training.laboratory import Laboratory, job, resumed
from workers.protocol.assignment import Resume
from workers.protocol.messages import Ending
from workers.training.checkpoints.files import Restored, restore
from workers.training.loop import train
from workers.training.prepare import Prepared

PLAN = {"steps": 12, "checkpoint": {"every_seconds": None, "keep_best": 0}}


def starting(what: str, **training: Any) -> dict[str, Any]:
    return job(training=PLAN | training) | {"start_from": {"checkpoint": "ckpt_" + "0" * 32, "what": what}}


@pytest.fixture
def begun(laboratory: Laboratory) -> Resume:
    attempt = laboratory.run(job(training=PLAN), stops={6: "pause"})
    return resumed(*attempt.context.saved)[0]


def test_everything_goes_on_as_if_nothing_had_happened(laboratory: Laboratory, begun: Resume) -> None:
    whole = laboratory.run(job(training=PLAN))
    continued = laboratory.run(starting("everything"), start=begun)
    assert continued.weights() == whole.weights()
    assert [step for step, _ in continued.points("train/loss")] == list(range(7, 13))


def test_weights_alone_begin_a_training_of_their_own(laboratory: Laboratory, begun: Resume) -> None:
    prepared = laboratory.prepare(starting("weights"), start=begun)
    source = laboratory.run(job(training=PLAN | {"steps": 6}))
    for name, value in source.prepared.network.state_dict().items():
        assert torch.equal(prepared.network.state_dict()[name], value)
    assert prepared.state.counters.step == 0
    attempt = laboratory.run(starting("weights"), start=begun)
    assert [step for step, _ in attempt.points("train/loss")] == list(range(1, 13))


def test_a_resumed_attempt_does_not_start_again(laboratory: Laboratory, begun: Resume) -> None:
    first = laboratory.run(starting("weights"), start=begun, stops={4: "pause"})
    second = laboratory.run(starting("weights"), start=begun, resume=resumed(*first.context.saved))
    assert second.weights() == laboratory.run(starting("weights"), start=begun).weights()


def test_weights_of_another_network_are_refused(laboratory: Laboratory, begun: Resume) -> None:
    spec = starting("weights") | {"model": {"layers": [{"kind": "Flatten"}, {"kind": "Linear", "out_features": 10}]}}
    with pytest.raises(BuildError, match="do not fit") as caught:
        laboratory.prepare(spec, start=begun)
    assert caught.value.pointer == "/start_from"


def test_a_job_whose_checkpoints_are_all_damaged_does_not_begin_anew(laboratory: Laboratory, begun: Resume) -> None:
    damaged = Resume(begun.checkpoint, begun.step, tuple({**file, "sha256": "0" * 64} for file in begun.files))
    with pytest.raises(CheckpointDamaged):
        laboratory.prepare(starting("weights"), resume=(damaged,), start=begun)
    prepared = laboratory.prepare(starting("weights"), resume=(damaged, begun), start=begun)
    assert prepared.restored is not None


def test_a_damaged_checkpoint_is_refused(laboratory: Laboratory, begun: Resume) -> None:
    damaged = Resume(begun.checkpoint, begun.step, tuple({**file, "sha256": "0" * 64} for file in begun.files))
    with pytest.raises(DataError, match="damaged"):
        laboratory.prepare(starting("weights"), start=damaged)


STOPPING = {"steps": 60, "early_stop": {"patience": 1, "min_delta": 1000.0}}


@pytest.fixture
def stopped(laboratory: Laboratory) -> Restored:
    attempt = laboratory.run(job(training=PLAN | STOPPING))
    assert attempt.prepared.state.counters.stopped
    assert attempt.prepared.state.counters.step == 12
    saved = resumed(attempt.context.saved[-1])
    found = restore(saved, laboratory.store, laboratory.folder)
    assert found is not None
    return found


def continued(laboratory: Laboratory, restored: Restored, **training: Any) -> Prepared:
    prepared = laboratory.prepare(job(training=PLAN | training))
    prepared.restored = restored
    assert train(prepared).ending is Ending.SUCCEEDED
    return prepared


def test_a_resumed_attempt_stays_stopped(laboratory: Laboratory, stopped: Restored) -> None:
    assert continued(laboratory, stopped, **STOPPING).state.counters.step == 12


def test_a_fork_is_not_stopped_by_what_it_began_with(laboratory: Laboratory, stopped: Restored) -> None:
    forked = replace(stopped, forked=True)
    assert continued(laboratory, forked, **STOPPING).state.counters.step == 18  # its patience began anew
    prepared = continued(laboratory, forked, steps=30)
    assert (prepared.state.counters.step, prepared.state.counters.stopped, prepared.state.stopper) == (30, False, None)
    assert continued(laboratory, stopped, steps=30).state.counters.step == 30  # nothing in this plan can stop it


def test_a_fork_stops_early_as_it_says(laboratory: Laboratory, stopped: Restored) -> None:
    early = {"patience": 2, "min_delta": 500.0}
    prepared = continued(laboratory, replace(stopped, forked=True), steps=60, early_stop=early)
    assert prepared.state.stopper is not None
    assert prepared.state.stopper.min_delta == 500.0
    assert prepared.state.counters.step == 30  # the first of three evaluations improves on nothing


def test_the_best_is_kept_of_the_same_series_alone(laboratory: Laboratory, stopped: Restored) -> None:
    kept = continued(laboratory, stopped, steps=12)
    assert kept.state.best.step == stopped.numbers["best"]["step"]
    other = continued(laboratory, stopped, steps=18, checkpoint={"monitor": "val/accuracy", "mode": "max"})
    assert (other.state.best.monitor, other.state.best.mode, other.state.best.step) == ("val/accuracy", "max", 18)
