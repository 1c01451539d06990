"""Edited, and broken off at any point around an edit: the same bits, the same points, the same revisions."""

from random import Random
from typing import Any

import pytest

from tests.full import choose
from tests.workers.training.crashes import comparable_samples
from tests.workers.training.edits.job_log import QUIET, JobLog, assert_equal_states, edit
from tests.workers.training.harness import TrainingHarness, digits_job
from tests.workers.training.optim.test_schedules import REQUIRED
from workers.protocol.messages import Ending
from workers.training.optim.optimizers import OPTIMIZERS
from workers.training.optim.schedules import SCHEDULES

MATRICES = [
    {"kind": "Flatten"},
    {"kind": "Linear", "id": "first", "out_features": 12, "bias": False},
    {"kind": "ReLU", "id": "relu"},
    {"kind": "Dropout", "id": "drop", "p": 0.2},
    {"kind": "Linear", "id": "last", "out_features": 10, "bias": False},
]
STATISTICS = [
    {"kind": "Conv2d", "id": "conv", "out_channels": 3, "kernel_size": 3},
    {"kind": "BatchNorm2d", "id": "norm"},
    {"kind": "ReLU", "id": "relu"},
    {"kind": "Flatten"},
    {"kind": "Dropout", "id": "drop", "p": 0.2},
    {"kind": "Linear", "id": "last", "out_features": 10},
]
INSERT = {"op": "insert", "after": "drop", "node": {"id": "more", "kind": "Linear", "out_features": 12, "bias": False}}
NEW_RATE = {"op": "set", "path": "training.optimizer.lr", "value": 0.004}
LONGER = {"op": "set", "path": "training.steps", "value": 12}
SCRIPT = (
    edit(1, INSERT, at={"step": 4}),
    edit(2, NEW_RATE, at={"epoch": 1}),
    edit(3, {"op": "reinit", "node": "first"}, at={"step": 8}),
)


def assert_repeatable(
    laboratory: TrainingHarness, log: JobLog, seed: object, interruptions: int = 2, rejects: bool = False
) -> JobLog:
    """Compare a job that is broken off several times with the same one that nobody disturbs; return the latter."""
    whole = JobLog(laboratory, log.spec, log.edits)
    attempt = whole.run()
    assert attempt.outcome.ending is Ending.SUCCEEDED
    assert rejects or whole.rejected == []
    draw = Random(str(seed))
    for _ in range(interruptions):
        log.run_broken(draw, attempt.context.calls)
    assert log.run().outcome.ending is Ending.SUCCEEDED
    assert_equal_states(log.final_state(), whole.final_state())
    assert log.points == whole.points
    assert comparable_samples(log.samples) == comparable_samples(whole.samples)
    assert len({sample.step for sample in whole.samples}) == len(whole.samples) > 1
    return whole


def job(layers: Any = MATRICES, **training: Any) -> dict[str, Any]:
    """Return a job with checkpoints every three steps, and statistics at every second."""
    fixed = {"checkpoint": {"every_steps": 3, **QUIET}, "statistics": {"every_steps": 2}}
    return digits_job(layers, training={"steps": 11, **fixed, **training})


@pytest.mark.parametrize("kind", choose(OPTIMIZERS, "SGD", "Adam", "Adafactor", "LBFGS"))
def test_every_optimizer_repeats_edits_bit_by_bit(laboratory: TrainingHarness, kind: str) -> None:
    script = SCRIPT if kind != "Rprop" else (SCRIPT[0], edit(2, LONGER, at={"epoch": 1}), SCRIPT[2])  # it has no rate
    log = JobLog(laboratory, job(optimizer={"kind": kind}), script)
    whole = assert_repeatable(laboratory, log, kind)
    assert [each.step for each in whole.edits] == [4, 6, 8]
    assert sorted(whole.documents) == [2, 3, 4]


@pytest.mark.parametrize("kind", choose(SCHEDULES, "OneCycleLR", "ReduceLROnPlateau"))
def test_every_schedule_repeats_edits_bit_by_bit(laboratory: TrainingHarness, kind: str) -> None:
    optimizer = {"kind": "SGD", "lr": 0.1, "momentum": 0.9}
    spec = job(optimizer=optimizer, schedule={"kind": kind, **REQUIRED.get(kind, {})})
    assert_repeatable(laboratory, JobLog(laboratory, spec, SCRIPT), kind)
