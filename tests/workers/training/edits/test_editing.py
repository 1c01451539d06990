"""When edits are applied, what is reported, and what a failure leaves."""

from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch

from tests.workers.training.edits.job_log import QUIET, JobLog, OrderedContext, assert_equal_states, edit, stored_state
from tests.workers.training.edits.test_replay import INSERT, MATRICES, NEW_RATE, assert_repeatable, job
from tests.workers.training.harness import TrainingHarness, digits_job
from workers.protocol.messages import (
    Command,
    EditApplied,
    EditRejected,
    EditWithdrawn,
    Ending,
    ProgressReport,
    SavedCheckpoint,
)
from workers.surgery.initial_values import draw
from workers.training.edits import editing
from workers.training.edits.gradients import PresentWeights
from workers.training.loop import train

SPARSE = {"steps": 11, "checkpoint": QUIET}  # no checkpoints but those of edits, and the last


def applied(log: JobLog) -> list[tuple[int | None, int, int]]:
    """Return number, step and revision of every edit that was applied."""
    return [(each.number, each.step or 0, each.revision or 0) for each in log.edits if each.revision is not None]


def test_an_edit_is_reported_between_its_two_checkpoints(laboratory: TrainingHarness) -> None:
    log = JobLog(laboratory, job(checkpoint=QUIET), (edit(1, INSERT, at={"step": 4}),))
    attempt = log.run()
    assert [(each.step, each.revision) for each in log.saved] == [(4, 1), (4, 2), (11, 2)]
    paths = [file.path for saved in log.saved for file in saved.files]
    assert len(set(paths)) == len(paths)
    sources = [next(file.path for file in saved.files if file.name == "model.py") for saved in log.saved]
    texts = [
        laboratory.store.fetch(path, laboratory.folder / f"m{place}").read_text() for place, path in enumerate(sources)
    ]
    assert ["self.more" in text for text in texts] == [False, True, True]
    (message,) = attempt.context.edits
    assert isinstance(message, EditApplied)
    assert message.document["model"]["layers"][4]["id"] == "more"
    assert message.details["parameters"] - message.details["parameters_before"] == 144
    order = [type(each) for each in attempt.context.messages if not isinstance(each, ProgressReport)]  # type: ignore[attr-defined]
    assert order.index(EditApplied) < [i for i, each in enumerate(order) if each is SavedCheckpoint][1]
    assert [step for step, _ in log.points["train/loss"]] == list(range(1, 12))


def test_edits_come_in_the_order_of_their_numbers(laboratory: TrainingHarness) -> None:
    later = {"op": "insert", "after": "more", "node": {"id": "most", "kind": "ReLU"}}
    edits = (edit(2, later, at={"step": 2}), edit(1, INSERT, at={"step": 4}), edit(3, NEW_RATE))
    log = JobLog(laboratory, job(), edits)
    log.run()
    assert applied(log) == [(2, 4, 3), (1, 4, 2), (3, 4, 4)]


def test_an_edit_comes_while_the_training_runs(laboratory: TrainingHarness) -> None:
    payload = {"number": 1, "at": "now", "operations": [NEW_RATE]}
    context = OrderedContext({3: [Command("edit", payload), Command("edit", payload)]})
    assert train(laboratory.prepare(job(), context)).ending is Ending.SUCCEEDED
    assert [(each.number, each.step) for each in context.edits if isinstance(each, EditApplied)] == [(1, 3)]
    rates = dict(zip(context.series("train/lr").step, context.series("train/lr").value, strict=True))
    assert [rates[3], rates[4]] == [0.001, 0.004]


def test_an_edit_that_waits_is_withdrawn(laboratory: TrainingHarness) -> None:
    context = OrderedContext({3: [Command("withdraw", {"number": 1}), Command("withdraw", {"number": 9})]})
    log = JobLog(laboratory, job(), (edit(1, NEW_RATE, at={"step": 6}),))
    log.run(context)
    assert context.edits == [EditWithdrawn(1)]
    assert log.documents == {}


def test_an_edit_whose_trigger_does_not_come_is_rejected_at_the_end(laboratory: TrainingHarness) -> None:
    log = JobLog(laboratory, job(), (edit(1, NEW_RATE, at={"when": {"metric": "val/loss", "below": 0.0}}),))
    log.run()
    assert [each.problems[0]["code"] for each in log.rejected] == ["never_due"]


def test_a_rejected_edit_leaves_every_bit_as_it_was(laboratory: TrainingHarness) -> None:
    whole = JobLog(laboratory, job(**SPARSE))
    whole.run()
    impossible = {
        "op": "insert",
        "after": "relu",
        "node": {"id": "bad", "kind": "Conv2d", "out_channels": 2, "kernel_size": 3},
    }
    log = JobLog(laboratory, job(**SPARSE), (edit(1, impossible, at={"step": 4}), edit(2, impossible, at={"step": 4})))
    log.run()
    assert [each.problems[0]["pointer"].startswith("/operations/0") for each in log.rejected] == [True, True]
    assert_equal_states(log.final_state(), whole.final_state())
    assert log.points == whole.points
    assert len(log.saved) == 1


def test_an_edit_whose_outputs_do_not_fit_the_targets_is_rejected(laboratory: TrainingHarness) -> None:
    narrow = {"op": "remove", "node": "last"}
    log = JobLog(laboratory, job(**SPARSE), (edit(1, narrow, at={"step": 4}),))
    log.run()
    assert len(log.rejected) == 1
    assert log.documents == {}


def test_an_edit_that_was_written_for_another_revision_is_rejected(laboratory: TrainingHarness) -> None:
    """The first, which it was checked behind, is rejected: with it the second has lost its ground."""
    wrong = edit(1, {"op": "remove", "node": "nobody"}, at={"step": 3})
    log = JobLog(laboratory, job(), (wrong, replace(edit(2, NEW_RATE, at={"step": 4}), expect_revision=2)))
    log.run()
    assert [problem["code"] for each in log.rejected for problem in each.problems] == ["unknown_node", "stale_revision"]
    assert not applied(log)


def test_a_failure_while_building_leaves_every_bit_as_it_was(
    laboratory: TrainingHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = JobLog(laboratory, job(**SPARSE))
    whole.run()

    def fail(*_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError("no room")

    monkeypatch.setattr("workers.training.edits.editing.map_training", fail)
    log = JobLog(laboratory, job(**SPARSE), (edit(1, INSERT, at={"step": 4}),))
    log.run()
    assert [each.problems[0]["code"] for each in log.rejected] == ["out_of_memory"]
    assert_equal_states(log.final_state(), whole.final_state())


def test_an_edit_is_due_when_its_condition_is_true(laboratory: TrainingHarness) -> None:
    condition = {"metric": "train/loss", "below": 100.0}
    log = JobLog(laboratory, job(), (edit(1, NEW_RATE, at={"when": condition}),))
    assert_repeatable(laboratory, log, "condition")
    assert applied(log) == [(1, 6, 2)]  # the first evaluation


def test_a_batch_size_begins_with_an_epoch(laboratory: TrainingHarness) -> None:
    """359 rows are 6 steps of 64 rows, and then 4 of 100: three epochs end at step 14."""
    size = {"op": "set", "path": "training.batch_size", "value": 100}
    spec = job(steps=None, epochs=3, schedule={"kind": "StepLR", "step_size": 1, "gamma": 0.5})
    log = JobLog(laboratory, spec, (edit(1, size, at={"step": 2}), edit(2, INSERT, at={"step": 8})))
    whole = assert_repeatable(laboratory, log, "batch size")
    assert applied(whole) == [(1, 6, 2), (2, 8, 3)]
    assert [step for step, _ in whole.points["val/loss"]] == [6, 10, 14]
    assert [rate for _, rate in whole.points["train/lr"]] == [0.001] * 6 + [0.0005] * 4 + [0.00025] * 4


def test_longer_runs_lengthen_their_schedule(laboratory: TrainingHarness) -> None:
    longer = {"op": "set", "path": "training.steps", "value": 20}
    spec = job(optimizer={"kind": "SGD", "lr": 0.1}, schedule={"kind": "CosineAnnealingLR"})
    log = JobLog(laboratory, spec, (edit(1, longer, at={"step": 5}),))
    whole = assert_repeatable(laboratory, log, "longer")
    rates = [rate for _, rate in whole.points["train/lr"]]
    assert len(rates) == 20
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < 0.01


EVERYTHING = {
    "average": {"kind": "ema", "decay": 0.9},
    "warmup": {"steps": 7},
    "groups": [{"nodes": ["last"], "lr": 0.01}],
    "precision": "bf16",
    "clip_norm": 1.0,
    "early_stop": {"patience": 9},
    "schedule": {"kind": "ReduceLROnPlateau", "patience": 0, "threshold": 1.0},
    "evaluate": {"every_steps": 2},
}
OTHERS = {
    "precision": "float32",
    "clip_norm": 0.5,
    "average": {"kind": "swa", "start": 0.1, "every": "step"},
    "early_stop": None,
    "groups": [],
}


@pytest.mark.parametrize("setting", OTHERS)
def test_settings_change_with_everything_else_going_on(laboratory: TrainingHarness, setting: str) -> None:
    change = {"op": "set", "path": f"training.{setting}", "value": OTHERS[setting]}
    log = JobLog(laboratory, job(**EVERYTHING), (edit(1, INSERT, at={"step": 3}), edit(2, change, at={"step": 5})))
    whole = JobLog(laboratory, log.spec, log.edits)
    whole.run()
    if whole.rejected:  # it is not among the settings that may change
        assert {each.problems[0]["code"] for each in whole.rejected} == {"not_settable"}
        return
    assert_repeatable(laboratory, log, setting, 1)


def test_gradients_leave_the_training_as_it_is(laboratory: TrainingHarness) -> None:
    layers = [
        {"kind": "Conv2d", "id": "conv", "out_channels": 3, "kernel_size": 3},
        {"kind": "BatchNorm2d", "id": "norm"},
        {"kind": "Dropout", "id": "drop", "p": 0.2},
        {"kind": "Flatten"},
        {"kind": "Linear", "id": "last", "out_features": 10},
    ]
    spec = digits_job(layers)
    prepared, other = (laboratory.prepare(spec, OrderedContext()) for _ in range(2))
    generator = torch.random.get_rng_state()
    before = {name: value.clone() for name, value in prepared.state.state_tensors().items()}
    gradient = PresentWeights(prepared, partial(draw, seed=0, edit=1)).gradient("conv.weight")
    assert torch.equal(torch.random.get_rng_state(), generator)
    assert gradient.abs().sum() > 0
    assert all(torch.equal(before[name], value) for name, value in prepared.state.state_tensors().items())
    losses = []
    for each in (prepared, other):
        [result] = each.training_step.run(each.state, each.state.source.batches(0))
        losses.append(result.loss)
    assert torch.equal(*losses)
    same = zip(prepared.network.state_dict().values(), other.network.state_dict().values(), strict=True)
    assert all(torch.equal(one, two) for one, two in same)


def test_units_are_chosen_by_gradient_and_stay_chosen(laboratory: TrainingHarness) -> None:
    narrow = {"op": "narrow", "node": "first", "to": 7, "by": "gradient"}
    log = JobLog(laboratory, job(), (edit(1, narrow, at={"step": 4}),))
    whole = assert_repeatable(laboratory, log, "narrow")
    (choice,) = (each.choices for each in whole.edits)
    assert [len(chosen) for chosen in choice.values()] == [7]


@pytest.mark.parametrize("operations", [(), (INSERT,)], ids=["same network", "another network"])
def test_the_test_is_of_the_best_checkpoint_of_the_present_network(
    laboratory: TrainingHarness, operations: tuple[dict[str, Any], ...]
) -> None:
    """After the edit the rate is so high that the network forgets: the best weights are of the first revision."""
    worse = {"op": "set", "path": "training.optimizer.lr", "value": 100.0}
    data = {"kind": "builtin", "name": "digits", "validation": {"fraction": 0.4}, "test": {"fraction": 0.2}}
    spec = digits_job(
        MATRICES, data=data, training={"steps": 40, "checkpoint": {**QUIET, "keep_best": 1, "every_steps": 10}}
    )
    log = JobLog(laboratory, spec, (edit(1, *operations, worse, at={"step": 20}),))
    result = log.run().outcome.result
    assert result is not None
    assert (result["test"]["step"] <= 20) == (not operations)  # another network's best is not published
    assert stored_state(laboratory, log.saved[-1])[1]["revision"]["number"] == 2


def test_paused_beside_an_edit(laboratory: TrainingHarness) -> None:
    log = JobLog(laboratory, job(), (edit(1, INSERT, at={"step": 4}),))
    whole = JobLog(laboratory, job(), log.edits)
    whole.run()
    log.run(OrderedContext({5: [Command("pause")]}))  # the call after the edit
    assert (log.saved[-1].step, log.saved[-1].revision) == (4, 2)
    log.run()
    assert_equal_states(log.final_state(), whole.final_state())
    assert log.points == whole.points
    assert not any(isinstance(each, EditRejected) for each in log.rejected)


def test_a_fault_of_the_service_rejects_an_edit_and_the_job_goes_on(
    laboratory: TrainingHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise KeyError("a fault")

    plain = JobLog(laboratory, job())
    plain.run()
    monkeypatch.setattr(editing, "map_training", broken)
    log = JobLog(laboratory, job(), (edit(1, INSERT, at={"step": 3}),))
    assert log.run().outcome.ending is Ending.SUCCEEDED
    (rejected,) = log.rejected
    assert [problem["code"] for problem in rejected.problems] == ["internal"]
    assert_equal_states(log.final_state(), plain.final_state())


@pytest.mark.parametrize(("epochs", "counts"), [(4, [1, 2]), (8, [1, 4])])
def test_an_average_is_of_the_last_share_of_the_run_as_long_as_it_is(
    laboratory: TrainingHarness, epochs: int, counts: list[int]
) -> None:
    """Steps are 6 an epoch: half of 4 epochs is step 12, and of 8 epochs it is step 24, when the edit has come."""
    plan: dict[str, Any] = {"epochs": 4, "average": {"kind": "swa", "start": 0.5}, "checkpoint": QUIET}
    spec = digits_job(MATRICES, training=plan)
    del spec["training"]["steps"]
    change = {"op": "set", "path": "training.epochs", "value": epochs}
    log = JobLog(laboratory, spec, (edit(1, change, at={"step": 19}),))
    assert log.run().outcome.ending is Ending.SUCCEEDED
    states = [stored_state(laboratory, saved) for saved in log.saved]
    assert [numbers["averaged"] for _, numbers in (states[0], states[-1])] == counts
    tensors, numbers = states[1]
    assert numbers["averaged"] == (1 if epochs == 4 else 0)
    assert any(name.startswith("average/") for name in tensors) == (epochs == 4)
