"""Trained in one go or in pieces: the same bits, the same points.

`make test` has one plan with everything that keeps a state at once, and one optimiser of each family; `make faults`
has every setting by itself too.
"""

import json
from functools import partial
from random import Random
from typing import Any

import pytest

from tests.full import choose
from tests.workers.training.crashes import FREQUENT_CHECKPOINTS, assert_same_as_uninterrupted, train_with_crashes
from tests.workers.training.harness import TrainingAttempt, TrainingHarness, digits_job, resume_candidates
from tests.workers.training.optim.test_schedules import REQUIRED
from workers.protocol.messages import Command, Ending
from workers.training.assembly import PreparedTraining
from workers.training.context import MemoryContext
from workers.training.loop import train
from workers.training.optim.optimizers import OPTIMIZERS
from workers.training.optim.schedules import SCHEDULES
from workers.training.optim.weight_averages import AVERAGES

NETWORKS: dict[str, list[dict[str, Any]]] = {
    "dropout": [{"kind": "Flatten"}, {"kind": "Dropout", "p": 0.5}, {"kind": "Linear", "out_features": 10}],
    "batch norm": [
        {"kind": "Conv2d", "out_channels": 4, "kernel_size": 3},
        {"kind": "BatchNorm2d"},
        {"kind": "ReLU"},
        {"kind": "Flatten"},
        {"kind": "Linear", "out_features": 10},
    ],
    "GRU": [
        {"kind": "reshape", "shape": [0, 8, 8]},
        {"kind": "GRU", "hidden_size": 8, "returns": "last"},
        {"kind": "Linear", "out_features": 10},
    ],
    "tied and normed weights": [
        {"kind": "Conv2d", "out_channels": 4, "kernel_size": 3, "parametrization": "spectral_norm"},
        {"kind": "FractionalMaxPool2d", "kernel_size": 2, "output_size": 3},
        {"kind": "Flatten"},
        {"kind": "Linear", "out_features": 10, "init": {"weight": "orthogonal"}},
        {"kind": "Linear", "id": "one", "out_features": 10, "parametrization": {"kind": "weight_norm", "name": "bias"}},
        {"kind": "Linear", "id": "two", "out_features": 10, "tie": {"weight": "one.weight"}},
    ],
}
PLANS: dict[str, dict[str, Any]] = {
    "accumulate": {"accumulate": 4, "steps": 5},
    "clipped": {"clip_norm": 0.1},
    "changed gradients": {"l1": 0.01, "clip_value": 0.1, "gradient_noise": {"eta": 0.1}},
    "drop last": {"drop_last": True},
    "skip": {"on_nan": "skip"},
    "bf16": {"precision": "bf16"},
    "groups": {
        "groups": [{"nodes": ["linear1"], "lr": 0.1, "betas": [0.5, 0.9]}, {"parameters": "weights", "frozen": True}],
        "schedule": {"kind": "OneCycleLR", "max_lr": 0.5},
    },
    "warm-up": {
        "warmup": {"steps": 10},
        "evaluate": {"every_steps": 1},
        "schedule": {"kind": "ReduceLROnPlateau", "patience": 0, "threshold": 1.0},
    },
    "warm-up alone": {"warmup": {"epochs": 1, "start_factor": 0.5}},
    "ema": {"average": {"kind": "ema", "decay": 0.9, "every_steps": 2, "start_step": 1}},
    "swa": {"average": {"kind": "swa", "start": 0.1, "every": "step"}, "steps": 14},
    "swa at its own rate": {
        "average": {"kind": "swa", "start": 0.1, "every": "step", "lr": 0.01, "anneal_epochs": 8},
        "schedule": {"kind": "CosineAnnealingLR"},
        "warmup": {"steps": 6},
    },
    "by step": {"evaluate": {"every_steps": 4}},
    "early stop": {
        "steps": 60,
        "optimizer": {"kind": "SGD", "lr": 3.0},
        "early_stop": {"patience": 2, "min_delta": 0.001},
    },
    "early stop by the training loss": {
        "steps": 60,
        "optimizer": {"kind": "SGD", "lr": 3.0},
        "early_stop": {"patience": 2, "monitor": "train/loss"},
    },
}

SETTINGS: dict[str, dict[str, Any]] = {
    "Adafactor": {"kind": "Adafactor", "eps": [1e-8, 1e-3]},
    "Adagrad": {"kind": "Adagrad", "initial_accumulator_value": 0.1},
    "LBFGS with a line search": {"kind": "LBFGS", "line_search_fn": "strong_wolfe", "history_size": 3},
    "LBFGS of one evaluation": {"kind": "LBFGS", "max_iter": 1, "lr": 0.1},
    "NAdam": {"kind": "NAdam", "decoupled_weight_decay": True, "weight_decay": 0.1},
    "SGD with momentum": {"kind": "SGD", "momentum": 0.9},
}
# Everything at once that has a state: random numbers of network and data, statistics, groups, gradients in part,
# rates, averages, best and worst, and the place in the epoch. It stops early, in its fifth evaluation.
UNION = digits_job(
    [*NETWORKS["batch norm"][:-1], *NETWORKS["dropout"][1:]],
    data={
        "kind": "builtin",
        "name": "digits",
        "validation": {"fraction": 0.8},
        "transforms": [{"kind": "RandomCrop", "size": 8, "padding": 1}, {"kind": "RandomErasing"}, {"kind": "MixUp"}],
    },
    training={
        "steps": 60,
        "accumulate": 2,
        "drop_last": True,
        "clip_norm": 0.1,
        "on_nan": "skip",
        "precision": "bf16",
        "groups": [
            {"nodes": ["linear1"], "lr": 0.1, "betas": [0.5, 0.9]},
            {"parameters": "weights", "weight_decay": 0.1},
        ],
        "warmup": {"steps": 5},
        "schedule": {"kind": "ReduceLROnPlateau", "patience": 0, "threshold": 1.0},
        "average": {"kind": "ema", "decay": 0.9, "every_steps": 2, "start_step": 1},
        "evaluate": {"every_steps": 4},
        "early_stop": {"patience": 4, "min_delta": 10.0},
    },
)


def train_in_pieces(
    laboratory: TrainingHarness, spec: dict[str, Any], *lengths: int, **options: Any
) -> list[TrainingAttempt]:
    attempts: list[TrainingAttempt] = []
    for length in lengths:
        begun = resume_candidates(*(attempts[-1].context.saved[-1:] if attempts else ()))
        attempts.append(laboratory.run(spec, {length: "pause"}, resume_from=begun, **options))
        assert attempts[-1].outcome.ending is Ending.PAUSED
    return [*attempts, laboratory.run(spec, resume_from=resume_candidates(attempts[-1].context.saved[-1]), **options)]


def assert_same(laboratory: TrainingHarness, spec: dict[str, Any], *lengths: int, **options: Any) -> TrainingAttempt:
    whole = laboratory.run(spec, **options)
    pieces = train_in_pieces(laboratory, spec, *lengths, **options)
    assert pieces[-1].outcome.ending is whole.outcome.ending is Ending.SUCCEEDED
    assert pieces[-1].weights() == whole.weights()
    for name in ("train/loss", "train/lr", "val/loss", "val/accuracy"):
        assert [point for piece in pieces for point in piece.points(name)] == whole.points(name)
        assert whole.points(name)
    first, last = whole.outcome.result, pieces[-1].outcome.result
    assert first is not None
    assert last is not None
    assert {**first, "seconds": 0} == {**last, "seconds": 0}
    written = [json.dumps(attempt.prepared.state.state_json()) for attempt in (whole, pieces[-1])]
    states = [json.loads(each) for each in written]  # of which a tuple comes back as a list
    tensors = [attempt.prepared.state.state_tensors() for attempt in (whole, pieces[-1])]
    assert tensors[0].keys() == tensors[1].keys()
    assert all(value.equal(tensors[1][name]) for name, value in tensors[0].items())
    for state in states:
        state["counters"].pop("elapsed")
    assert states[0] == states[1]
    return whole


MATRICES = [
    {"kind": "Flatten"},
    {"kind": "Linear", "out_features": 16, "bias": False},
    {"kind": "ReLU"},
    {"kind": "Dropout", "p": 0.3},
    {"kind": "Linear", "out_features": 10, "bias": False},
]


@pytest.mark.parametrize("lengths", [(2, 1), (7, 6)], ids=str)
def test_everything_at_once_goes_on_bit_by_bit(laboratory: TrainingHarness, lengths: tuple[int, int]) -> None:
    whole = assert_same(laboratory, UNION, *lengths)
    assert whole.outcome.result is not None
    assert whole.outcome.result["step"] == 20


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_every_optimizer_goes_on_bit_by_bit(laboratory: TrainingHarness, kind: str) -> None:
    assert_same(laboratory, digits_job(MATRICES, training={"optimizer": {"kind": kind}}), 4, 4)


@pytest.mark.parametrize(
    "name", choose(SETTINGS, "LBFGS with a line search", "LBFGS of one evaluation", "SGD with momentum")
)
def test_settings_of_optimizers_go_on_bit_by_bit(laboratory: TrainingHarness, name: str) -> None:
    assert_same(laboratory, digits_job(training={"optimizer": SETTINGS[name]}), 4, 4)


@pytest.mark.parametrize("kind", SCHEDULES)
def test_every_schedule_goes_on_bit_by_bit(laboratory: TrainingHarness, kind: str) -> None:
    optimizer = {"kind": "SGD", "lr": 0.1, "momentum": 0.9}
    schedule = {"kind": kind, **REQUIRED.get(kind, {})}
    assert_same(laboratory, digits_job(training={"optimizer": optimizer, "schedule": schedule, "steps": 20}), 7, 6)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_goes_on_bit_by_bit(laboratory: TrainingHarness, name: str) -> None:
    assert_same(laboratory, digits_job(NETWORKS[name]), 1, 7)


@pytest.mark.parametrize("kind", AVERAGES)
def test_every_average_of_statistics_goes_on_bit_by_bit(laboratory: TrainingHarness, kind: str) -> None:
    average = {"kind": kind, **({"start": 0.3} if kind == "swa" else {})}
    assert_same(laboratory, digits_job(NETWORKS["batch norm"], training={"average": average}), 7, 6)


@pytest.mark.parametrize(
    "name",
    choose(PLANS, "changed gradients", "groups", "warm-up", "swa at its own rate", "early stop by the training loss"),
)
def test_every_plan_goes_on_bit_by_bit(laboratory: TrainingHarness, name: str) -> None:
    assert_same(laboratory, digits_job(training=PLANS[name]), 2, 1)


def test_targets_that_count_unlike_go_on_bit_by_bit(laboratory: TrainingHarness) -> None:
    loss = {"kind": "CrossEntropyLoss", "ignore_index": 3, "weight": [0.5, 2, 1, 1, 0, 1, 1, 1, 1, 3]}
    objective = {"loss": loss, "metrics": ["accuracy"]}
    assert_same(
        laboratory, digits_job(objective=objective, training={"accumulate": 4, "steps": 5, "batch_size": 20}), 2, 1
    )


@pytest.mark.parametrize("stop", [0, 6, 15])
def test_any_step_is_a_good_one_to_stop(laboratory: TrainingHarness, stop: int) -> None:
    assert_same(laboratory, digits_job(), stop)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("plan", ["by step", "ema", "early stop"])
def test_an_evaluation_that_is_broken_off_is_made_again(laboratory: TrainingHarness, plan: str, batch: int) -> None:
    """Step 12 is evaluated in several batches; the command comes between two of them."""
    spec = digits_job(training=PLANS[plan])
    whole = laboratory.run(spec)
    context = MemoryContext(evaluation_script={(12, batch): [Command("pause")]})
    prepared = laboratory.prepare(spec, context)
    first = TrainingAttempt(train(prepared), prepared, context)
    assert (first.outcome.ending, context.saved[-1].step, context.evaluation_script) == (Ending.PAUSED, 12, {})
    second = laboratory.run(spec, resume_from=resume_candidates(context.saved[-1]))
    assert second.weights() == whole.weights()
    for name in ("train/loss", "val/loss", "val/accuracy"):
        assert first.points(name) + second.points(name) == whole.points(name)


def test_a_crash_costs_the_steps_since_the_checkpoint(laboratory: TrainingHarness) -> None:
    spec = digits_job(training={"checkpoint": {"every_steps": 4, "every_seconds": None, "keep_best": 0}})
    whole = laboratory.run(spec)
    assert [saved.step for saved in whole.context.saved] == [4, 8, 12, 15]
    crashed = laboratory.run(spec, {10: "cancel"})  # what came after step 8 is dropped by the supervisor
    again = laboratory.run(spec, resume_from=resume_candidates(*crashed.context.saved))
    assert again.weights() == whole.weights()
    kept = [point for point in crashed.points("train/loss") if point[0] <= 8]
    assert kept + again.points("train/loss") == whole.points("train/loss")


def test_a_crash_after_the_last_checkpoint_ends_the_same(laboratory: TrainingHarness) -> None:
    whole = laboratory.run(digits_job())
    again = laboratory.run(digits_job(), resume_from=resume_candidates(*whole.context.saved))
    assert again.outcome.ending is Ending.SUCCEEDED
    assert again.points("val/loss") == []
    assert again.weights() == whole.weights()
    assert again.context.saved[-1].final


def test_elapsed_time_goes_on(laboratory: TrainingHarness) -> None:
    first, second = train_in_pieces(laboratory, digits_job(), 8)
    before, after = first.context.series("train/loss").elapsed, second.context.series("train/loss").elapsed
    assert before == sorted(before)
    assert before[-1] < after[0]


BROKEN: dict[str, dict[str, Any]] = {
    "everything": UNION | {"training": UNION["training"] | {"checkpoint": FREQUENT_CHECKPOINTS}},
    **{name: digits_job(layers, training={"checkpoint": FREQUENT_CHECKPOINTS}) for name, layers in NETWORKS.items()},
    **{name: digits_job(training={"checkpoint": FREQUENT_CHECKPOINTS, **plan}) for name, plan in PLANS.items()},
    **{
        kind: digits_job(training={"optimizer": {"kind": kind}, "checkpoint": FREQUENT_CHECKPOINTS})
        for kind in ("LBFGS", "Adam", "ASGD")
    },
}


@pytest.mark.parametrize("name", choose(BROKEN, "everything", "GRU", "swa at its own rate", "LBFGS"))
def test_broken_off_at_random_it_ends_the_same(laboratory: TrainingHarness, name: str) -> None:
    spec, draw = BROKEN[name], Random(name)
    whole = laboratory.run(spec)
    assert whole.outcome.result is not None
    steps = whole.outcome.result["step"]
    last, history = train_with_crashes(partial(_prepare_resumed, laboratory, spec), steps, draw)
    assert_same_as_uninterrupted(whole, last, history)


def _prepare_resumed(
    laboratory: TrainingHarness, spec: dict[str, Any], context: MemoryContext, resume: Any
) -> PreparedTraining:
    return laboratory.prepare(spec, context, resume_from=resume)
