"""Averages of the weights: what they are, when they are taken, and that they are what is evaluated and published."""

from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.optim import SGD
from torch.optim.swa_utils import SWALR, AveragedModel, get_ema_multi_avg_fn

from app.spec.training.plan import Training
from app.spec.training.updates.weight_averages import AVERAGE_CLASSES
from tests.workers.network.networks import build_model
from tests.workers.network.runtime.control_flow_cases import CASES
from tests.workers.training.harness import TrainingAttempt, TrainingHarness, digits_job, resume_candidates, rows_of
from workers.children.inspect import InspectionLimits, inspect_job
from workers.protocol.messages import SavedCheckpoint
from workers.training.metrics.evaluation import evaluate
from workers.training.optim.learning_rate import RunLength, build_learning_rate_schedule
from workers.training.optim.weight_averages import AveragingSchedule, WeightAverage, averaging_schedule

NORMED = [
    {"kind": "Flatten"},
    {"kind": "Linear", "out_features": 8},
    {"kind": "BatchNorm1d"},
    {"kind": "ReLU"},
    {"kind": "Linear", "out_features": 10},
]
PER_EPOCH = 6  # of the laboratory's digits


def spec(kind: str, **settings: Any) -> Any:
    return AVERAGE_CLASSES[kind].model_validate({"kind": kind, **settings})


def published(
    laboratory: TrainingHarness, saved: SavedCheckpoint, name: str = "weights.safetensors"
) -> dict[str, Tensor]:
    (file,) = [file for file in saved.files if file.name == name]
    return load_file(laboratory.store.fetch(file.path, laboratory.folder / f"{saved.id}-{name}"))


def weights_by_step(laboratory: TrainingHarness, layers: Any, training: dict[str, Any]) -> list[dict[str, Tensor]]:
    """Return the weights after every step of a training without an average."""
    every = {"checkpoint": {"every_steps": 1, "every_seconds": None, "keep_best": 0}}
    attempt = laboratory.run(digits_job(layers, training=training | every))
    return [published(laboratory, saved) for saved in attempt.context.saved]


@pytest.mark.parametrize(
    ("settings", "taken"),
    [
        ({}, range(1, 16)),
        ({"every_steps": 4}, [4, 8, 12]),
        ({"start_step": 5}, range(6, 16)),
        ({"every_steps": 3, "start_step": 6}, [9, 12, 15]),
    ],
)
def test_a_moving_average_is_that_of_the_formula(
    laboratory: TrainingHarness, settings: dict[str, int], taken: list[int]
) -> None:
    steps = weights_by_step(laboratory, NORMED, {})
    first, *others = [steps[step - 1] for step in taken]
    means = {name: value.clone() for name, value in first.items()}
    for weights in others:
        for name, value in weights.items():
            means[name] = 0.8 * means[name] + 0.2 * value if value.is_floating_point() else value
    attempt = laboratory.run(digits_job(NORMED, training={"average": {"kind": "ema", "decay": 0.8, **settings}}))
    average = attempt.prepared.state.evaluation_network.state_dict()
    for name, value in means.items():
        torch.testing.assert_close(average[name], value)
    assert attempt.prepared.state.average is not None
    assert attempt.prepared.state.average.count == len(taken)


@pytest.mark.parametrize(
    ("settings", "taken"),
    [
        ({"start": 0.0}, [6, 12]),
        ({"start": 0.5}, [12]),
        ({"start": 0.5, "every": "step"}, range(8, 16)),
        ({"start": 0.0, "every": "step"}, range(1, 16)),
    ],
)
def test_a_stochastic_average_is_the_mean(
    laboratory: TrainingHarness, settings: dict[str, Any], taken: list[int]
) -> None:
    steps = weights_by_step(laboratory, NORMED, {})
    attempt = laboratory.run(digits_job(NORMED, training={"average": {"kind": "swa", **settings}}))
    average = attempt.prepared.state.evaluation_network.state_dict()
    for name, latest in steps[taken[-1] - 1].items():
        mean = torch.stack([steps[step - 1][name] for step in taken]).double().mean(0)
        expected = mean.to(latest.dtype) if latest.is_floating_point() else latest
        torch.testing.assert_close(average[name], expected, rtol=1e-5, atol=1e-6)


def test_averages_are_those_of_torch() -> None:
    network = build_model(NORMED, {"x": (3,)})
    average = WeightAverage(network, spec("ema", decay=0.9), AveragingSchedule(0, 1))
    theirs = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(0.9), use_buffers=True)
    optimizer = SGD(network.parameters(), lr=0.1)
    for step in range(1, 6):
        network({"x": torch.randn(4, 3)})["output"].square().mean().backward()
        optimizer.step()
        average.after_step(step)
        theirs.update_parameters(network)
    for name, value in theirs.module.state_dict().items():
        if value.is_floating_point():
            assert torch.equal(average.network.state_dict()[name], value)
        else:  # a count, of which torch makes a fraction and cuts it off
            assert torch.equal(average.network.state_dict()[name], network.state_dict()[name])


@pytest.mark.parametrize("name", CASES)
def test_a_network_with_control_flow_is_averaged(name: str) -> None:
    network = build_model(*CASES[name])
    average = WeightAverage(network, spec("swa"), AveragingSchedule(0, 1))
    average.after_step(1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(2)
    average.after_step(2)
    for mine, theirs in zip(average.network.parameters(), network.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs - 1)


@pytest.fixture
def attempt(laboratory: TrainingHarness) -> TrainingAttempt:
    return laboratory.run(digits_job(NORMED, training={"average": {"kind": "ema", "decay": 0.5, "start_step": 8}}))


def test_what_is_evaluated_and_published_is_the_average(laboratory: TrainingHarness, attempt: TrainingAttempt) -> None:
    prepared = attempt.prepared
    (last,) = attempt.context.saved
    weights, state = published(laboratory, last), published(laboratory, last, "state.safetensors")
    for name, value in prepared.state.evaluation_network.state_dict().items():
        assert torch.equal(weights[name], value)
        assert torch.equal(state[f"average/{name}"], value)
        assert torch.equal(state[f"network/{name}"], prepared.network.state_dict()[name])
    assert any(not torch.equal(weights[name], value) for name, value in prepared.network.state_dict().items())
    assert rows_of(prepared).validation is not None
    evaluation = evaluate(
        prepared.state.evaluation_network, prepared.heads, rows_of(prepared).validation, 256, prepared.precision
    )
    assert attempt.points("val/loss")[-1] == (15, evaluation.values["val/loss"])


def test_until_there_is_an_average_the_weights_stand_for_it(
    laboratory: TrainingHarness, attempt: TrainingAttempt
) -> None:
    plain = laboratory.run(digits_job(NORMED))
    assert plain.points("val/loss")[0] == attempt.points("val/loss")[0]
    assert plain.points("val/loss")[1] != attempt.points("val/loss")[1]
    assert plain.points("train/loss") == attempt.points("train/loss")
    early = laboratory.run(digits_job(NORMED, training={"average": {"kind": "ema", "start_step": 8}}), {8: "pause"})
    weights = published(laboratory, early.context.saved[0])
    assert all(torch.equal(weights[name], value) for name, value in early.prepared.network.state_dict().items())


def test_weights_alone_are_those_that_were_published(laboratory: TrainingHarness, attempt: TrainingAttempt) -> None:
    begun = resume_candidates(*attempt.context.saved)[0]
    start = {"start_from": {"checkpoint": "ckpt_" + "0" * 32, "what": "weights"}}
    prepared = laboratory.prepare(digits_job(NORMED) | start, start_from=begun)
    for name, value in attempt.prepared.state.evaluation_network.state_dict().items():
        assert torch.equal(prepared.network.state_dict()[name], value)


def test_the_best_is_that_of_the_averages(laboratory: TrainingHarness, attempt: TrainingAttempt) -> None:
    best = attempt.prepared.state.best
    step, value = min(attempt.points("val/loss"), key=lambda point: point[1])
    assert (best.step, best.best) == (step, value)


@pytest.mark.parametrize("strategy", ["cos", "linear"])
@pytest.mark.parametrize("schedule", [None, {"kind": "ExponentialLR", "gamma": 0.9, "interval": "step"}])
def test_rates_settle_as_those_of_torch(strategy: Any, schedule: dict[str, Any] | None) -> None:
    plan = Training.model_validate(
        {
            "schedule": schedule,
            "average": {
                "kind": "swa",
                "start": 0.5,
                "every": "step",
                "lr": 0.02,
                "anneal_epochs": 4,
                "anneal_strategy": strategy,
            },
        }
    )

    def fresh() -> SGD:
        first, second = nn.Parameter(torch.ones(1)), nn.Parameter(torch.ones(1))
        return SGD([{"params": [first]}, {"params": [second], "lr": 0.3}], lr=0.1)

    ours, theirs = fresh(), fresh()
    rates = build_learning_rate_schedule(plan, plan.average, ours, RunLength(12, 4))
    assert rates is not None
    settled = SWALR(theirs, [0.02, 0.06], 4, strategy)  # type: ignore[arg-type]
    decaying = torch.optim.lr_scheduler.ExponentialLR(theirs, 0.9 if schedule else 1.0)
    for step in range(1, 13):
        for each in (ours, theirs):
            each.step()
        rates.after_step(step % 4 == 0)
        (settled if step > 6 else decaying).step()
        for mine, other in zip(ours.param_groups, theirs.param_groups, strict=True):
            assert mine["lr"] == pytest.approx(other["lr"])
    assert ours.param_groups[0]["lr"] == pytest.approx(0.02)


@pytest.mark.parametrize(
    ("average", "schedule"),
    [
        (spec("ema"), AveragingSchedule(0, 1)),
        (spec("ema", every_steps=3, start_step=4), AveragingSchedule(4, 3)),
        (spec("swa"), AveragingSchedule(75, 20)),
        (spec("swa", start=0.5, every="step"), AveragingSchedule(50, 1)),
    ],
)
def test_schedules(average: Any, schedule: AveragingSchedule) -> None:
    assert averaging_schedule(average, 100, 20) == schedule
    assert schedule.occurs_within(100) == any(schedule.is_due(step) for step in range(1, 101))
    assert not schedule.occurs_within(schedule.start)


@pytest.mark.parametrize(
    "average", [{"kind": "ema", "start_step": 15}, {"kind": "ema", "every_steps": 16}, {"kind": "swa", "start": 0.9}]
)
def test_an_average_that_is_never_updated_is_rejected_at_submission(average: dict[str, Any]) -> None:
    result = inspect_job(digits_job(training={"average": average}), None, InspectionLimits(100, 10**6, 1 << 30))
    assert [(problem.pointer, problem.code) for problem in result.problems] == [("/training/average", "contradiction")]


def test_an_average_takes_memory() -> None:
    report = inspect_job(
        digits_job(NORMED, training={"average": {"kind": "ema"}}), None, InspectionLimits(100, 10**6, 1 << 30)
    ).report
    assert report["memory"]["average"] == report["memory"]["weights"]


def test_a_compiled_network_has_a_compiled_average(
    laboratory: TrainingHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = nn.Module.compile
    monkeypatch.setattr(nn.Module, "compile", lambda self: whole(self, backend="eager"))  # without the long compilation
    training = {"average": {"kind": "ema", "decay": 0.5}, "steps": 7}
    eager = laboratory.run(digits_job(NORMED, training=training))
    compiled = laboratory.run(digits_job(NORMED, training=training | {"mode": "compiled"}))
    assert compiled.points("val/loss") == [(step, pytest.approx(value)) for step, value in eager.points("val/loss")]
    for name, value in eager.prepared.state.evaluation_network.state_dict().items():
        torch.testing.assert_close(compiled.prepared.state.evaluation_network.state_dict()[name], value)
