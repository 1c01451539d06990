"""Starting from another job's checkpoint: its weights, or everything."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from app.errors import BuildError, CorruptCheckpoint, DataError
from tests.workers.training.harness import TrainingHarness, digits_job, resume_candidates
from workers.protocol.assignment import CheckpointRef
from workers.protocol.messages import Ending
from workers.training.assembly import PreparedTraining
from workers.training.checkpoints.files import RestoredCheckpoint, restore_checkpoint
from workers.training.loop import train

PLAN = {"steps": 12, "checkpoint": {"every_seconds": None, "keep_best": 0}}


def job_starting_from(what: str, **training: Any) -> dict[str, Any]:
    return digits_job(training=PLAN | training) | {"start_from": {"checkpoint": "ckpt_" + "0" * 32, "what": what}}


@pytest.fixture
def begun(laboratory: TrainingHarness) -> CheckpointRef:
    attempt = laboratory.run(digits_job(training=PLAN), stops={6: "pause"})
    return resume_candidates(*attempt.context.saved)[0]


def test_everything_goes_on_as_if_nothing_had_happened(laboratory: TrainingHarness, begun: CheckpointRef) -> None:
    whole = laboratory.run(digits_job(training=PLAN))
    continued = laboratory.run(job_starting_from("everything"), start_from=begun)
    assert continued.weights() == whole.weights()
    assert [step for step, _ in continued.points("train/loss")] == list(range(7, 13))


def test_weights_alone_begin_a_training_of_their_own(laboratory: TrainingHarness, begun: CheckpointRef) -> None:
    prepared = laboratory.prepare(job_starting_from("weights"), start_from=begun)
    source = laboratory.run(digits_job(training=PLAN | {"steps": 6}))
    for name, value in source.prepared.network.state_dict().items():
        assert torch.equal(prepared.network.state_dict()[name], value)
    assert prepared.state.counters.step == 0
    attempt = laboratory.run(job_starting_from("weights"), start_from=begun)
    assert [step for step, _ in attempt.points("train/loss")] == list(range(1, 13))


def test_a_resumed_attempt_does_not_start_again(laboratory: TrainingHarness, begun: CheckpointRef) -> None:
    first = laboratory.run(job_starting_from("weights"), start_from=begun, stops={4: "pause"})
    second = laboratory.run(
        job_starting_from("weights"), start_from=begun, resume_from=resume_candidates(*first.context.saved)
    )
    assert second.weights() == laboratory.run(job_starting_from("weights"), start_from=begun).weights()


def test_weights_of_another_network_are_refused(laboratory: TrainingHarness, begun: CheckpointRef) -> None:
    spec = job_starting_from("weights") | {
        "model": {"layers": [{"kind": "Flatten"}, {"kind": "Linear", "out_features": 10}]}
    }
    with pytest.raises(BuildError, match="do not fit") as caught:
        laboratory.prepare(spec, start_from=begun)
    assert caught.value.pointer == "/start_from/checkpoint"


def test_a_job_whose_checkpoints_are_all_damaged_does_not_begin_anew(
    laboratory: TrainingHarness, begun: CheckpointRef
) -> None:
    damaged = CheckpointRef(begun.id, begun.step, tuple({**file, "sha256": "0" * 64} for file in begun.files))
    with pytest.raises(CorruptCheckpoint):
        laboratory.prepare(job_starting_from("weights"), resume_from=(damaged,), start_from=begun)
    prepared = laboratory.prepare(job_starting_from("weights"), resume_from=(damaged, begun), start_from=begun)
    assert prepared.restored_checkpoint is not None


def test_a_damaged_checkpoint_is_refused(laboratory: TrainingHarness, begun: CheckpointRef) -> None:
    damaged = CheckpointRef(begun.id, begun.step, tuple({**file, "sha256": "0" * 64} for file in begun.files))
    with pytest.raises(DataError, match="damaged"):
        laboratory.prepare(job_starting_from("weights"), start_from=damaged)


EARLY_STOP_PLAN = {"steps": 60, "early_stop": {"patience": 1, "min_delta": 1000.0}}


@pytest.fixture
def stopped(laboratory: TrainingHarness) -> RestoredCheckpoint:
    attempt = laboratory.run(digits_job(training=PLAN | EARLY_STOP_PLAN))
    assert attempt.prepared.state.counters.stopped
    assert attempt.prepared.state.counters.step == 12
    saved = resume_candidates(attempt.context.saved[-1])
    checkpoint = restore_checkpoint(saved, laboratory.store, laboratory.folder)
    assert checkpoint is not None
    return checkpoint


def prepare_continued(laboratory: TrainingHarness, restored: RestoredCheckpoint, **training: Any) -> PreparedTraining:
    prepared = laboratory.prepare(digits_job(training=PLAN | training))
    prepared.restored_checkpoint = restored
    assert train(prepared).ending is Ending.SUCCEEDED
    return prepared


def test_a_resumed_attempt_stays_stopped(laboratory: TrainingHarness, stopped: RestoredCheckpoint) -> None:
    assert prepare_continued(laboratory, stopped, **EARLY_STOP_PLAN).state.counters.step == 12


def test_a_fork_is_not_stopped_by_what_it_began_with(laboratory: TrainingHarness, stopped: RestoredCheckpoint) -> None:
    forked = replace(stopped, forked=True)
    assert prepare_continued(laboratory, forked, **EARLY_STOP_PLAN).state.counters.step == 18  # its patience began anew
    prepared = prepare_continued(laboratory, forked, steps=30)
    assert (prepared.state.counters.step, prepared.state.counters.stopped, prepared.state.stopper) == (30, False, None)
    assert (
        prepare_continued(laboratory, stopped, steps=30).state.counters.step == 30
    )  # nothing in this plan can stop it


def test_a_fork_stops_early_as_it_says(laboratory: TrainingHarness, stopped: RestoredCheckpoint) -> None:
    early = {"patience": 2, "min_delta": 500.0}
    prepared = prepare_continued(laboratory, replace(stopped, forked=True), steps=60, early_stop=early)
    assert prepared.state.stopper is not None
    assert prepared.state.stopper.min_delta == 500.0
    assert prepared.state.counters.step == 30  # the first of three evaluations improves on nothing


def test_the_best_is_kept_of_the_same_series_alone(laboratory: TrainingHarness, stopped: RestoredCheckpoint) -> None:
    kept = prepare_continued(laboratory, stopped, steps=12)
    assert kept.state.best.step == stopped.state_json["best"]["step"]
    other = prepare_continued(laboratory, stopped, steps=18, checkpoint={"monitor": "val/accuracy", "mode": "max"})
    assert (other.state.best.monitor, other.state.best.mode, other.state.best.step) == ("val/accuracy", "max", 18)
