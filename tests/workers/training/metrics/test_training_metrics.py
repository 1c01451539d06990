"""Metrics of the training rows, beside those of the held-out ones."""

from typing import Any

import pytest
import torch
from sklearn.metrics import accuracy_score

from tests.workers.training.harness import TrainingHarness, digits_job, rows_of
from tests.workers.training.test_resume import train_in_pieces
from workers.children.inspect import InspectionLimits, inspect_job

LIMITS = InspectionLimits(100, 10**6, 1 << 30)


def job(**training: Any) -> dict[str, Any]:
    return digits_job(training={"steps": 12, "evaluate": {"train": True, "every_steps": 4}, **training})


def test_they_are_of_the_rows_and_without_dropout(laboratory: TrainingHarness) -> None:
    attempt = laboratory.run(job())
    prepared = attempt.prepared
    found = attempt.points("train/accuracy")
    assert [step for step, _ in found] == [step for step, _ in attempt.points("val/accuracy")]
    prepared.network.eval()
    (inputs, targets) = next(iter(rows_of(prepared).train.iter_batches(10_000, torch.device("cpu"))))
    with torch.no_grad():
        predicted = prepared.network(inputs)["output"].argmax(1)
    assert found[-1][1] == pytest.approx(accuracy_score(next(iter(targets.values())), predicted))


def test_the_training_is_the_same_without_them(laboratory: TrainingHarness) -> None:
    plain, beside = laboratory.run(job(evaluate={"every_steps": 4})), laboratory.run(job())
    assert plain.weights() == beside.weights()
    for name in ("train/loss", "val/loss", "val/accuracy"):
        assert plain.points(name) == beside.points(name)
    assert plain.points("train/accuracy") == []


def test_a_training_goes_on_to_the_bit(laboratory: TrainingHarness) -> None:
    whole, pieces = laboratory.run(job()), train_in_pieces(laboratory, job(), 3, 5)
    assert whole.weights() == pieces[-1].weights()
    points = [point for piece in pieces for point in piece.points("train/accuracy")]
    assert points == whole.points("train/accuracy")


def test_they_need_no_held_out_rows(laboratory: TrainingHarness) -> None:
    spec = job() | {"data": {"kind": "builtin", "name": "digits", "validation": None}}
    assert laboratory.run(spec).points("train/accuracy")


@pytest.mark.parametrize(("evaluate", "count"), [({"train": True}, 0), ({}, 1)])
def test_they_can_be_monitored(evaluate: dict[str, Any], count: int) -> None:
    plan = {"early_stop": {"monitor": "train/accuracy", "mode": "max"}, "evaluate": evaluate}
    assert len(inspect_job(digits_job(training=plan), None, LIMITS).problems) == count
