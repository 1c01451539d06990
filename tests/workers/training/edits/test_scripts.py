"""Random scripts of edits, on random plans, broken off at random: the property that all edits repeat bit by bit.

`make test` has a few of them, `make faults` two hundred.
"""

from random import Random
from typing import Any

import pytest

from tests.full import FULL
from tests.workers.training.edits.job_log import JobLog, edit
from tests.workers.training.edits.test_replay import INSERT, MATRICES, STATISTICS, assert_repeatable, job
from tests.workers.training.harness import TrainingHarness

OPERATIONS: list[dict[str, Any]] = [
    INSERT,
    {"op": "insert", "after": "relu", "node": {"id": "noise", "kind": "Dropout", "p": 0.1}},
    {"op": "set", "path": "training.optimizer.lr", "value": 0.02},
    {"op": "set", "path": "training.steps", "value": 13},
    {"op": "set", "path": "training.batch_size", "value": 90},
    {"op": "set", "path": "training.clip_norm", "value": 0.5},
    {"op": "set", "path": "training.schedule", "value": {"kind": "PolynomialLR"}},
    {"op": "set", "path": "training.average", "value": {"kind": "ema", "decay": 0.5}},
    {"op": "set", "path": "training.precision", "value": "bf16"},
    {"op": "set", "path": "model.drop.p", "value": 0.4},
    {"op": "reinit", "node": "last"},
    {"op": "widen", "node": "first", "to": 20, "noise": 0.01},
    {"op": "widen", "node": "conv", "to": 5},
    {"op": "narrow", "node": "first", "to": 9, "by": "gradient"},
    {"op": "narrow", "node": "conv", "to": 2},
    {"op": "deepen", "after": "relu"},
    {"op": "freeze", "nodes": ["last"]},
    {"op": "unfreeze", "nodes": ["last"]},
    {"op": "remove", "node": "relu"},
    {"op": "rename", "node": "drop", "to": "dropout"},
    {"op": "swap_optimizer", "to": {"kind": "SGD", "lr": 0.05, "momentum": 0.9}},
    {"op": "swap_optimizer", "to": {"kind": "Adafactor"}},
]
PLANS: list[dict[str, Any]] = [
    {},
    {"optimizer": {"kind": "SGD", "lr": 0.1, "momentum": 0.9}, "schedule": {"kind": "OneCycleLR", "max_lr": 0.2}},
    {"optimizer": {"kind": "AdamW", "amsgrad": True}, "warmup": {"steps": 5}, "average": {"kind": "ema", "decay": 0.9}},
    {"optimizer": {"kind": "RMSprop", "momentum": 0.9, "centered": True}, "schedule": {"kind": "CosineAnnealingLR"}},
    {"optimizer": {"kind": "Rprop"}, "average": {"kind": "swa", "start": 0.2, "every": "step"}},
    {"groups": [{"nodes": ["last"], "lr": 0.1}], "evaluate": {"every_steps": 2}, "accumulate": 2},
]
MOMENTS = ["now", {"step": 3}, {"step": 5}, {"epoch": 1}, {"when": {"metric": "train/loss", "below": 100.0}}]


@pytest.mark.parametrize("seed", range(200 if FULL else 4))
def test_random_scripts_repeat_bit_by_bit(laboratory: TrainingHarness, seed: int) -> None:
    draw = Random(f"script {seed}")
    layers = draw.choice([MATRICES, STATISTICS])
    edits, when = [], 0
    for number in range(1, draw.randint(2, 5)):
        when = draw.randint(when, len(MOMENTS) - 1)
        operations = draw.sample(OPERATIONS, draw.choice([1, 1, 2]))
        edits.append(edit(number, *operations, at=MOMENTS[when]))
    log = JobLog(laboratory, job(layers, **draw.choice(PLANS)), tuple(edits))
    assert_repeatable(laboratory, log, seed, draw.randint(1, 3), rejects=True)
