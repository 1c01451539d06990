import json
import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from app.errors import BuildError, DataError, NumericError
from tests.workers.training.harness import TrainingAttempt, TrainingHarness, digits_job, resume_candidates, rows_of
from workers.data.loading.batches import InMemoryBatches
from workers.data.loading.examples import ExampleSet
from workers.protocol.messages import Ending
from workers.training.assembly import PreparedTraining
from workers.training.context import MemoryContext
from workers.training.loop import train
from workers.training.metrics.evaluation import evaluate
from workers.training.objective.training_loss import TargetLoss

POISONED_STEP = 3  # the step that meets the poison, see `poison_step`


def replace_rows(prepared: PreparedTraining, rows: ExampleSet) -> None:
    """Train on other rows."""
    source = rows_of(prepared)
    prepared.state.source, source.train = InMemoryBatches(rows, source.sampler, prepared.device), rows


def poison_step(
    laboratory: TrainingHarness, on_nan: str, value: float = math.nan, **training: Any
) -> tuple[Any, MemoryContext]:
    """Prepare a job whose batch of one step holds a value that is no number."""
    context = MemoryContext()
    prepared = laboratory.prepare(digits_job(training={"on_nan": on_nan, **training}), context)
    (indices, _), *_ = rows_of(prepared).sampler.batches(POISONED_STEP - 1)
    image = rows_of(prepared).train.inputs["image"].clone()
    image[indices[0]] = value
    replace_rows(prepared, ExampleSet({"image": image}, rows_of(prepared).train.targets))
    return prepared, context


def test_a_job_learns_and_tells(laboratory: TrainingHarness) -> None:
    attempt = laboratory.run(
        digits_job(training={"steps": None, "epochs": 30, "optimizer": {"kind": "Adam", "lr": 0.01}})
    )
    result = attempt.outcome.result
    assert attempt.outcome.ending is Ending.SUCCEEDED
    assert result is not None
    assert result["step"] == 180
    assert result["epoch"] == 30
    assert result["values"]["val/accuracy"] > 0.85
    assert result["best"]["monitor"] == "val/loss"
    assert result["best"]["value"] == min(value for _, value in attempt.points("val/loss"))
    assert [step for step, _ in attempt.points("train/loss")] == list(range(1, 181))
    assert [step for step, _ in attempt.points("val/accuracy")] == list(range(6, 181, 6))
    json.dumps(result, allow_nan=False)


def test_phases_and_the_start_are_told_in_order(laboratory: TrainingHarness) -> None:
    attempt = laboratory.run(digits_job())
    assert attempt.context.reports[0].events == (("rewound", {"step": 0, "checkpoint": None}),)
    phases = [report.phase for report in attempt.context.reports if report.phase]
    assert phases == ["loading_data", "building", "training"]


def test_a_resumed_attempt_says_where_it_starts(laboratory: TrainingHarness) -> None:
    saved = laboratory.run(digits_job(), {5: "drain"}).context.saved[-1]
    again = laboratory.run(digits_job(), resume_from=resume_candidates(saved))
    assert again.events("rewound") == [{"step": 5, "checkpoint": saved.id}]
    assert again.points("train/loss")[0][0] == 6


def test_progress_says_how_far_it_is(laboratory: TrainingHarness) -> None:
    progress = laboratory.run(digits_job()).context.reports[-1].progress
    assert progress is not None
    assert progress["step"] == progress["total_steps"] == 15
    assert progress["steps_per_epoch"] == 6
    assert progress["epoch"] == 2.5
    assert progress["rate"] > 0
    assert progress["eta_seconds"] == 0
    assert progress["latest"].keys() == {"train/loss", "train/lr", "val/loss", "val/accuracy"}


@pytest.mark.parametrize(
    ("verb", "ending", "saved"),
    [("cancel", Ending.CANCELLED, []), ("pause", Ending.PAUSED, [4]), ("drain", Ending.RELEASED, [4])],
)
def test_commands_are_obeyed_before_the_next_step(
    laboratory: TrainingHarness, verb: str, ending: Ending, saved: list[int]
) -> None:
    attempt = laboratory.run(digits_job(), {4: verb})
    assert attempt.outcome.ending is ending
    assert attempt.outcome.result is None
    assert [each.step for each in attempt.context.saved] == saved
    assert [step for step, _ in attempt.points("train/loss")] == [1, 2, 3, 4]


def test_a_step_that_has_a_checkpoint_is_not_saved_twice(laboratory: TrainingHarness) -> None:
    first = laboratory.run(digits_job(), {5: "pause"})
    again = laboratory.run(digits_job(), {0: "pause"}, resume_from=resume_candidates(*first.context.saved))
    assert again.outcome.ending is Ending.PAUSED
    assert again.context.saved == []


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_accumulated_batches_are_one_large_batch(laboratory: TrainingHarness, reduction: str) -> None:
    loss = {"loss": {"kind": "CrossEntropyLoss", "reduction": reduction}}
    layers = [{"kind": "Flatten"}, {"kind": "Linear", "out_features": 10}]
    optimizer = {"kind": "SGD", "lr": 0.001}

    def weight(**training: Any) -> tuple[Tensor, TrainingAttempt]:
        attempt = laboratory.run(
            digits_job(layers, objective=loss, training={"optimizer": optimizer, "steps": 12, **training})
        )
        return next(iter(attempt.prepared.network.parameters())).detach(), attempt

    (large, one), (small, many) = weight(batch_size=64), weight(batch_size=16, accumulate=4)
    assert torch.allclose(large, small, atol=1e-6)
    losses = [[value for _, value in attempt.points("train/loss")] for attempt in (one, many)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


LINEAR = [{"kind": "Flatten"}, {"kind": "Linear", "out_features": 10}, {"kind": "LogSoftmax", "dim": 1}]
WEIGHTS = [0.1, 1, 2, 3, 0, 1, 1, 5, 1, 1]


def counting(laboratory: TrainingHarness, loss: dict[str, Any], ignored: int = 0, **training: Any) -> PreparedTraining:
    """Prepare a job of one step an epoch, 359 rows, of which the first so many in its order are ignored."""
    plan = {"optimizer": {"kind": "SGD", "lr": 1.0}, "steps": 1, **training}
    prepared = laboratory.prepare(digits_job(LINEAR, objective={"loss": loss}, training=plan))
    order = torch.cat([indices for indices, _ in rows_of(prepared).sampler.batches(0)])
    target = rows_of(prepared).train.targets["label"].clone()
    target[order[:ignored]] = loss.get("ignore_index", -100)
    replace_rows(prepared, ExampleSet(rows_of(prepared).train.inputs, {"label": target}))
    return prepared


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"ignore_index": 3},
        {"weight": WEIGHTS},
        {"weight": WEIGHTS, "ignore_index": 3},
        {"weight": WEIGHTS, "label_smoothing": 0.1},
        {"ignore_index": 3, "label_smoothing": 0.1},
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", ["CrossEntropyLoss", "NLLLoss"])
@pytest.mark.parametrize("accumulate", [1, 2, 3, 4])
def test_accumulated_batches_count_what_one_large_batch_counts(
    laboratory: TrainingHarness, kind: str, settings: dict[str, Any], accumulate: int
) -> None:
    if kind == "NLLLoss":
        settings = {name: value for name, value in settings.items() if name != "label_smoothing"}
    size = {1: 359, 2: 200, 3: 125, 4: 95}[accumulate]  # the last one is ragged, the first may count nothing
    prepared = counting(laboratory, {"kind": kind, **settings}, 200, batch_size=size, accumulate=accumulate)
    (weight, bias) = before = [each.detach().clone().requires_grad_() for each in prepared.network.parameters()]
    scores = nn.functional.linear(rows_of(prepared).train.inputs["image"].flatten(1), weight, bias).log_softmax(1)
    loss = prepared.heads[0].loss
    assert isinstance(loss, TargetLoss)
    expected = loss.loss(scores, rows_of(prepared).train.targets["label"])
    expected.backward()
    assert train(prepared).ending is Ending.SUCCEEDED
    for old, new in zip(before, prepared.network.parameters(), strict=True):
        assert old.grad is not None
        assert torch.allclose(old - old.grad, new, atol=1e-6)
    context = prepared.context
    assert isinstance(context, MemoryContext)
    assert context.series("train/loss").value == pytest.approx([expected.item()], rel=1e-5)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_step_that_counts_nothing_has_no_loss(laboratory: TrainingHarness, accumulate: int) -> None:
    prepared = counting(laboratory, {"kind": "CrossEntropyLoss"}, 359, batch_size=200, accumulate=accumulate)
    before = [each.detach().clone() for each in prepared.network.parameters()]
    assert train(prepared).ending is Ending.SUCCEEDED
    assert all(old.equal(new) for old, new in zip(before, prepared.network.parameters(), strict=True))
    assert isinstance(prepared.context, MemoryContext)
    assert prepared.context.series("train/loss").value == [0.0]


@pytest.mark.parametrize("ignored", [0, 300, 1000])
@pytest.mark.parametrize("settings", [{}, {"weight": WEIGHTS, "label_smoothing": 0.1}], ids=str)
def test_held_out_losses_are_means_over_targets_that_count(
    laboratory: TrainingHarness, settings: dict[str, Any], ignored: int
) -> None:
    prepared = counting(laboratory, {"kind": "CrossEntropyLoss", **settings})
    held = rows_of(prepared).validation
    assert held is not None
    target = held.targets["label"].clone()
    target[:ignored] = -100
    held = ExampleSet(held.inputs, {"label": target})
    for size in (100, 256, 5000):
        evaluation = evaluate(prepared.network, prepared.heads, held, size, prepared.precision)
        outputs = prepared.network(dict(held.inputs))
        whole = prepared.training_step.rules[0].objective.batch_loss(outputs, {"label": target}, 1)
        assert evaluation.values["val/loss"] == pytest.approx(whole.item(), rel=1e-5, nan_ok=True)


def test_held_out_losses_are_means_over_examples(laboratory: TrainingHarness) -> None:
    prepared = (attempt := laboratory.run(digits_job(training={"batch_size": 300}))).prepared
    held = rows_of(prepared).validation
    assert held is not None
    prepared.network.eval()
    with torch.no_grad():
        outputs = prepared.network(dict(held.inputs))
        whole = prepared.training_step.rules[0].objective.batch_loss(outputs, dict(held.targets), 1)
    assert attempt.points("val/loss")[-1][1] == pytest.approx(float(whole), rel=1e-5)


def test_without_held_out_data_the_training_loss_is_followed(laboratory: TrainingHarness) -> None:
    spec = digits_job(data={"kind": "builtin", "name": "digits"}, training={"steps": 60})
    attempt = laboratory.run(spec)
    assert attempt.points("val/loss") == []
    assert attempt.outcome.result is not None
    assert attempt.outcome.result["best"]["monitor"] == "train/loss"
    assert attempt.context.saved[-1].values.keys() == {"train/loss"}


def test_a_training_that_no_longer_improves_stops(laboratory: TrainingHarness) -> None:
    plan = {"steps": 600, "optimizer": {"kind": "SGD", "lr": 0.0}, "early_stop": {"patience": 3}}
    attempt = laboratory.run(digits_job(training=plan))
    assert attempt.outcome.ending is Ending.SUCCEEDED
    assert attempt.outcome.result is not None
    assert attempt.outcome.result["step"] == 24  # the first evaluation improves on nothing, then three do not
    assert attempt.outcome.result["stopped_early"] is True
    assert [event["step"] for event in attempt.events("early_stop")] == [24]
    assert attempt.context.saved[-1].final


def test_the_final_checkpoint_holds_what_was_trained(laboratory: TrainingHarness) -> None:
    attempt = laboratory.run(digits_job())
    assert [(saved.step, saved.final) for saved in attempt.context.saved] == [(15, True)]
    saved = attempt.context.saved[0]
    assert saved.values.keys() == {"train/loss", "val/loss", "val/accuracy"}
    public = {file.name: file.public for file in saved.files}
    assert public == {
        "weights.safetensors": True,
        "weights.pth": True,
        "model.py": True,
        "preparation.json": True,
        "report.json": True,
        "state.safetensors": False,
        "state.json": False,
    }


def test_failing_names_the_first_bad_step(laboratory: TrainingHarness) -> None:
    prepared, context = poison_step(laboratory, "fail")
    with pytest.raises(NumericError, match=f"step {POISONED_STEP} ") as caught:
        train(prepared)
    assert caught.value.pointer == "/training/on_nan"
    assert context.saved == []  # weights that are no numbers are never saved
    assert math.isnan(context.series("train/loss").value[POISONED_STEP - 1])


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("optimizer", [{"kind": "Adam"}, {"kind": "SGD", "momentum": 0.9}, {"kind": "RMSprop"}])
def test_skipping_leaves_a_step_out(laboratory: TrainingHarness, optimizer: dict[str, Any], value: float) -> None:
    prepared, context = poison_step(laboratory, "skip", value, optimizer=optimizer, steps=6)
    assert train(prepared).ending is Ending.SUCCEEDED
    events = [event for report in context.reports for event in report.events if event[0] == "skipped_step"]
    assert events == [("skipped_step", {"step": POISONED_STEP, "count": 1})]
    assert all(bool(parameter.isfinite().all()) for parameter in prepared.network.parameters())
    losses = context.series("train/loss").value
    assert [math.isfinite(loss) for loss in losses] == [True, True, False, True, True, True]


def test_ignoring_goes_on(laboratory: TrainingHarness) -> None:
    prepared, context = poison_step(laboratory, "ignore")
    outcome = train(prepared)
    assert outcome.ending is Ending.SUCCEEDED
    assert outcome.result is not None
    assert outcome.result["values"]["train/loss"] is None
    assert "val/loss" not in context.saved[-1].values
    json.dumps(context.reports[-1].progress, allow_nan=False)


def test_a_label_beyond_the_outputs_is_the_datas_fault(laboratory: TrainingHarness) -> None:
    layers = [{"kind": "Flatten"}, {"kind": "Linear", "out_features": 4}]
    with pytest.raises(DataError, match="out of bounds"):
        laboratory.run(digits_job(layers))


def test_unlike_widths_are_a_build_error(laboratory: TrainingHarness) -> None:
    spec = digits_job(
        [{"kind": "Linear", "out_features": 2}],
        objective={"loss": {"kind": "MSELoss"}},
        data={"kind": "builtin", "name": "diabetes"},
    )
    with pytest.raises(BuildError, match=r"\[64, 2\] with targets of \[64, 1\]"):
        laboratory.run(spec)


def test_seeds_decide_everything(laboratory: TrainingHarness) -> None:
    first, same, other = (laboratory.run(digits_job(training={"seed": seed})).weights() for seed in (1, 1, 2))
    assert first == same
    assert first != other
