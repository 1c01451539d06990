"""The test: once, at the end, with the weights of the best checkpoint, and not again when an attempt is repeated."""

import json
from collections.abc import Mapping
from functools import partial
from random import Random
from typing import Any

import pytest
import torch
from safetensors.torch import load
from sklearn.metrics import accuracy_score, log_loss

from tests.workers.training.crashes import (
    SimulatedCrash,
    assert_same_as_uninterrupted,
    comparable_result,
    train_with_crashes,
)
from tests.workers.training.harness import TrainingAttempt, TrainingHarness, digits_job, resume_candidates, rows_of
from workers.protocol.messages import SavedCheckpoint
from workers.training.checkpoints import saver
from workers.training.context import MemoryContext
from workers.training.loop import train
from workers.training.sources import final_test

DATA = {
    "kind": "builtin",
    "name": "digits",
    "validation": {"fraction": 0.4},
    "test": {"fraction": 0.4},
}  # 359 rows to train on
# By the largest loss, which is not that of the last weights.
EVERY = {"every_steps": 3, "every_seconds": None, "keep_best": 1, "mode": "max"}
PLAN = {"evaluate": {"every_steps": 3}, "checkpoint": EVERY, "optimizer": {"kind": "Adam", "lr": 0.3}}


def job(training: Mapping[str, Any] | None = None, **data: Any) -> dict[str, Any]:
    return digits_job(training=PLAN | dict(training or {}), data=DATA | data)


def read(laboratory: TrainingHarness, saved: SavedCheckpoint, name: str) -> bytes | None:
    files = [file.path for file in saved.files if file.name == name]
    return b"".join(laboratory.store.read(files[0])) if files else None


def report(laboratory: TrainingHarness, attempt: TrainingAttempt) -> dict[str, Any]:
    """Return the report of the test, which is a file of the final checkpoint alone."""
    reports = [read(laboratory, saved, "test_report.json") for saved in attempt.context.saved]
    assert [found is not None for found in reports] == [False] * (len(reports) - 1) + [True]
    assert attempt.context.saved[-1].final
    document: dict[str, Any] = json.loads(reports[-1] or b"")
    return document


def test_the_weights_of_the_best_checkpoint_are_tested(laboratory: TrainingHarness) -> None:
    attempt = laboratory.run(job())
    document, result = report(laboratory, attempt), attempt.outcome.result
    losses = dict(attempt.points("val/loss"))
    best = max(losses, key=lambda step: losses[step])
    assert best < 15
    (saved,) = [each for each in attempt.context.saved if each.step == best]
    assert (document["step"], document["checkpoint"]) == (best, saved.id)
    prepared = attempt.prepared
    assert rows_of(prepared).test is not None
    rows = rows_of(prepared).test.rows
    network = prepared.network
    network.load_state_dict(load(read(laboratory, saved, "weights.safetensors") or b""))
    network.eval()
    scores = network({"image": rows.inputs["image"]})["output"].detach().double()
    labels = rows.targets["label"]
    assert document["rows"] == len(labels) == 719
    assert document["values"]["accuracy"] == pytest.approx(accuracy_score(labels, scores.argmax(1)))
    assert document["values"]["loss"] == pytest.approx(log_loss(labels, scores.softmax(1)), rel=1e-5)
    assert document["heads"][0]["right"] == int((scores.argmax(1) == labels).sum())
    assert result is not None
    assert result["test"] == {name: document[name] for name in ("checkpoint", "step", "rows", "values")}
    assert attempt.points("test/accuracy") == [(15, document["values"]["accuracy"])]
    assert result["values"]["test/loss"] == document["values"]["loss"]
    assert attempt.events("split") == [{"train": 359, "validation": 719, "test": 719}]
    assert [each.phase for each in attempt.context.reports if each.phase][-1] == "testing"


@pytest.mark.parametrize(
    ("training", "data"), [({}, {"validation": None}), ({"checkpoint": EVERY | {"keep_best": 0, "keep_last": 1}}, {})]
)
def test_without_a_best_checkpoint_the_last_weights_are_tested(
    laboratory: TrainingHarness, training: dict[str, Any], data: dict[str, Any]
) -> None:
    attempt = laboratory.run(job(training, **data))
    document = report(laboratory, attempt)
    assert (document["step"], document["checkpoint"]) == (15, None)
    assert attempt.outcome.result is not None
    assert attempt.outcome.result["test"]["checkpoint"] == attempt.context.saved[-1].id


def test_the_test_changes_nothing_of_the_training(laboratory: TrainingHarness) -> None:
    with_test, without = laboratory.run(job()), laboratory.run(job(test={"column": "label", "value": 0}))
    again = laboratory.run(job())
    assert with_test.weights() == again.weights() != without.weights()  # other rows to train on
    assert torch.equal(
        load(read(laboratory, with_test.context.saved[-1], "weights.safetensors") or b"")["linear1.weight"],
        with_test.prepared.network.state_dict()["linear1.weight"],
    )


@pytest.mark.parametrize("seed", range(6))
def test_interruptions_change_no_bit_of_it(laboratory: TrainingHarness, seed: int) -> None:
    spec = job({"average": {"kind": "ema", "decay": 0.9}} if seed % 2 else None)
    whole = laboratory.run(spec)
    prepare = partial(laboratory.prepare, spec)
    last, history = train_with_crashes(
        lambda context, resume: prepare(context, resume_from=resume), 15, Random(f"final test {seed}")
    )
    assert_same_as_uninterrupted(whole, last, history)
    mine, theirs = (report(laboratory, attempt) | {"checkpoint": ""} for attempt in (last, whole))
    assert mine == theirs


def test_an_attempt_that_dies_in_the_test_repeats_it(
    laboratory: TrainingHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, context = laboratory.run(job()), MemoryContext()

    def crash(*_: object) -> None:
        raise SimulatedCrash

    prepared = laboratory.prepare(job(), context)
    with monkeypatch.context() as patch:
        patch.setattr(final_test, "evaluate", crash)
        with pytest.raises(SimulatedCrash):
            train(prepared)
    assert not any(saved.final for saved in context.saved)
    again = laboratory.run(job(), resume_from=resume_candidates(*context.saved))
    assert again.points("test/loss") == whole.points("test/loss")
    assert comparable_result(again) == comparable_result(whole)


def test_an_attempt_that_dies_after_the_final_checkpoint_does_not_repeat_it(
    laboratory: TrainingHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = laboratory.run(job())
    monkeypatch.setattr(final_test, "evaluate", None)
    again = laboratory.run(job(), resume_from=resume_candidates(*first.context.saved))
    assert again.points("test/loss") == []  # they are there already
    assert report(laboratory, again) == report(laboratory, first)
    assert comparable_result(again) == comparable_result(first)


def test_a_job_that_goes_on_from_a_tested_one_is_tested_itself(laboratory: TrainingHarness) -> None:
    first = laboratory.run(job())
    spec = job({"steps": 21}) | {"start_from": {"checkpoint": "ckpt_" + "0" * 32, "what": "everything"}}
    (start, *_) = resume_candidates(*first.context.saved)
    longer = laboratory.run(spec, start_from=start)
    assert longer.points("test/loss")[0][0] == 21
    assert report(laboratory, longer)["step"] in range(3, 22, 3)
    reports = [each.progress["latest"] for each in longer.context.reports if each.progress is not None]
    assert "test/loss" not in reports[0]


def test_a_best_checkpoint_that_is_damaged_is_not_tested(laboratory: TrainingHarness) -> None:
    first = laboratory.run(job(), {13: "drain"})
    losses = {saved.step: saved.values.get("val/loss", 0.0) for saved in first.context.saved}
    best = max(losses, key=lambda step: losses[step])
    (damaged,) = [saved for saved in first.context.saved if saved.step == best]
    (path,) = [file.path for file in damaged.files if file.name == "weights.safetensors"]
    laboratory.store.delete(path)
    again = laboratory.run(job(), resume_from=resume_candidates(*first.context.saved))
    assert report(laboratory, again)["step"] != best


def test_without_a_target_the_loss_alone_is_tested(laboratory: TrainingHarness) -> None:
    layers = {
        "nodes": [
            {"id": "flat", "kind": "Flatten", "inputs": ["image"]},
            {"id": "out", "kind": "Linear", "inputs": ["flat"], "out_features": 1},
        ],
        "outputs": {"loss": "out"},
    }
    spec = job() | {"model": layers, "objective": {"loss": {"kind": "Output"}}}
    document = report(laboratory, laboratory.run(spec))
    assert document["heads"] == []
    assert document["values"].keys() == {"loss"}


# Checkpoints by time alone, as by default: the evaluations of a short training come sooner than a second after another.
BY_TIME = {"every_seconds": 60.0, "keep_best": 1, "mode": "max"}


@pytest.mark.parametrize("stops", [{}, {4: "drain"}, {7: "pause"}, {1: "drain"}])
def test_the_best_of_a_short_training_is_stored_and_tested(laboratory: TrainingHarness, stops: dict[int, str]) -> None:
    spec = job({"checkpoint": BY_TIME})
    attempts = [laboratory.run(spec, stops)]
    saved = list(attempts[0].context.saved)
    if stops:
        attempts.append(laboratory.run(spec, resume_from=resume_candidates(*saved)))
        saved += attempts[1].context.saved
    losses = dict(point for attempt in attempts for point in attempt.points("val/loss"))
    best = max(losses, key=lambda step: losses[step])
    assert best < 15
    (kept,) = [each for each in saved if each.values.get("val/loss") == losses[best]]
    result = attempts[-1].outcome.result
    assert result is not None
    assert kept.step == best == result["best"]["step"] == result["test"]["step"]
    assert result["test"]["checkpoint"] == kept.id
    assert read(laboratory, kept, "report.json") is not None
    assert [each.step for each in saved] == sorted(each.step for each in saved)


@pytest.mark.parametrize("seed", range(3))
def test_the_best_survives_interruptions(laboratory: TrainingHarness, seed: int) -> None:
    spec = job({"checkpoint": BY_TIME | {"every_steps": 4}, "evaluate": {"every_steps": 1}})
    whole = laboratory.run(spec)
    prepare = partial(laboratory.prepare, spec)
    last, history = train_with_crashes(
        lambda context, resume: prepare(context, resume_from=resume), 15, Random(f"the best {seed}")
    )
    assert_same_as_uninterrupted(whole, last, history)


@pytest.mark.parametrize(("limit", "count"), [(1000, 0), (1 << 20, 1)])
def test_a_large_state_is_not_held_in_memory(
    laboratory: TrainingHarness, monkeypatch: pytest.MonkeyPatch, limit: int, count: int
) -> None:
    monkeypatch.setattr(saver, "MAX_HELD_BYTES", limit)
    context = MemoryContext()
    prepared = laboratory.prepare(job(), context)
    prepared.saver.hold(prepared.state, 0.0, {})
    prepared.saver.save_held(0)
    assert context.saved == []  # the state of this step is stored by itself
    prepared.saver.hold(prepared.state, 0.0, {})
    prepared.saver.save_held(1)
    assert len(context.saved) == count
