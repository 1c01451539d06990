"""Losses, optimisers and schedules have torch's parameters and defaults, and plans are measured in one unit."""

import inspect
from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import ValidationError
from torch import nn, optim

from app.spec.kinds import Kind
from app.spec.training.losses import LOSS_CLASSES, TORCH_LOSSES
from app.spec.training.optimizers import OPTIMIZER_CLASSES, OPTIMIZERS
from app.spec.training.plan import Training
from app.spec.training.schedules import SCHEDULE_CLASSES, SCHEDULES

REQUIRED = object()  # in place of a default

# (kind, field) → the spec's default where it is not torch's.
DIFFERENT_DEFAULTS: Mapping[tuple[str, str], Any] = {
    ("KLDivLoss", "reduction"): "batchmean",  # torch's own advice: the mean is no divergence
    ("CosineAnnealingLR", "T_max"): None,  # the whole run
    ("PolynomialLR", "total_iters"): None,  # the whole run
    ("OneCycleLR", "cycle_momentum"): None,  # where the optimiser has momentum; torch's own default raises elsewhere
    ("CyclicLR", "cycle_momentum"): None,
}
# Parameters of losses that only the service sets, that nobody needs, or that are one per example or element.
IGNORED_LOSS_PARAMETERS = frozenset({"size_average", "reduce", "eps", "weight"})
# Parameter of optimisers or schedules → why a spec has no such field.
IGNORED_PLAN_PARAMETERS: Mapping[str, str] = {
    "params": "the network's own",
    "foreach": "how a step is computed, which the service chooses",
    "fused": "how a step is computed, which the service chooses",
    "capturable": "for graphs of CUDA, which nobody captures",
    "differentiable": "for gradients of the training itself",
    "maximize": "an objective is minimised",
    "optimizer": "the plan's own",
    "last_epoch": "a state, which checkpoints hold",
    "total_steps": "the length of the run, which the plan says",
    "epochs": "the length of the run, which the plan says",
    "steps_per_epoch": "the length of an epoch, which the data say",
    "scale_fn": "code",
    "scale_mode": "what the code of scale_fn counts",
}
IGNORED_PARAMETERS = IGNORED_LOSS_PARAMETERS | IGNORED_PLAN_PARAMETERS.keys()
# Class of torch.optim, or of its lr_scheduler → why it is no kind.
UNSUPPORTED_CLASSES: Mapping[str, str] = {
    "Optimizer": "the base of all",
    "SparseAdam": "takes sparse gradients alone, which no node gives",
    "LRScheduler": "the base of all",
    "LambdaLR": "takes code",
    "MultiplicativeLR": "takes code",
}
SERVICE_FIELDS = frozenset({"interval", "monitor"})  # the service's own, of schedules

TABLES = [
    *((kind, row, getattr(nn, kind)) for kind, row in TORCH_LOSSES.items()),
    *((kind, row, getattr(optim, kind)) for kind, row in OPTIMIZERS.items()),
    *((kind, row, getattr(optim.lr_scheduler, kind)) for kind, row in SCHEDULES.items()),
]
EXAMPLES: Mapping[str, Mapping[str, Any]] = {
    "StepLR": {"step_size": 2},
    "MultiStepLR": {"milestones": [2, 4]},
    "ExponentialLR": {"gamma": 0.9},
    "CosineAnnealingWarmRestarts": {"T_0": 3},
    "OneCycleLR": {"max_lr": 0.1},
    "CyclicLR": {"base_lr": 0.1, "max_lr": 0.2},
    "SequentialLR": {"schedulers": [{"kind": "LinearLR"}, {"kind": "CosineAnnealingLR"}], "milestones": [2]},
    "ChainedScheduler": {"schedulers": [{"kind": "LinearLR"}, {"kind": "ExponentialLR", "gamma": 0.9}]},
}


@pytest.mark.parametrize(("kind", "row", "build"), TABLES, ids=[kind for kind, _, _ in TABLES])
def test_fields_are_those_of_torch(kind: str, row: Kind, build: type) -> None:
    parameters = inspect.signature(build).parameters
    theirs = {name: REQUIRED if each.default is each.empty else each.default for name, each in parameters.items()}
    ours = {name: field[1] if isinstance(field, tuple) else REQUIRED for name, field in row.fields.items()}
    assert ours.keys() - SERVICE_FIELDS <= theirs.keys()
    assert theirs.keys() - ours.keys() <= IGNORED_PARAMETERS
    for name in ours.keys() - SERVICE_FIELDS:
        if (kind, name) in DIFFERENT_DEFAULTS:
            assert ours[name] == DIFFERENT_DEFAULTS[kind, name]
        elif theirs[name] is not None or ours[name] is not None:
            assert ours[name] == theirs[name], name


@pytest.mark.parametrize(
    ("spoken", "module", "base"),
    [(OPTIMIZERS, optim, optim.Optimizer), (SCHEDULES, optim.lr_scheduler, optim.lr_scheduler.LRScheduler)],
)
def test_every_class_of_torch_is_a_kind_or_left_out(spoken: Mapping[str, Kind], module: Any, base: type) -> None:
    theirs = {each.__name__ for each in vars(module).values() if inspect.isclass(each) and issubclass(each, base)}
    theirs = {name for name in theirs if not name.startswith("_")}
    assert theirs - UNSUPPORTED_CLASSES.keys() == set(spoken)
    assert theirs & UNSUPPORTED_CLASSES.keys()


def test_every_exception_is_one() -> None:
    rows = TORCH_LOSSES | OPTIMIZERS | SCHEDULES
    assert all(rows[kind].fields[name][1] == value for (kind, name), value in DIFFERENT_DEFAULTS.items())
    known = {name for _, _, build in TABLES for name in inspect.signature(build).parameters}
    assert known >= IGNORED_PARAMETERS


@pytest.mark.parametrize(("kind", "row", "build"), TABLES, ids=[kind for kind, _, _ in TABLES])
def test_a_kind_needs_no_more_than_what_has_no_default(kind: str, row: Kind, build: type) -> None:
    made = (LOSS_CLASSES | OPTIMIZER_CLASSES | SCHEDULE_CLASSES)[kind]
    given = EXAMPLES.get(kind, {})
    assert {name for name, field in row.fields.items() if not isinstance(field, tuple)} == given.keys()
    whole = made.model_validate({"kind": kind, **given})
    assert made.model_validate_json(whole.model_dump_json()) == whole
    assert row.sentence.endswith(".")
    for name in given:
        with pytest.raises(ValidationError):
            made.model_validate({"kind": kind, **{other: value for other, value in given.items() if other != name}})


@pytest.mark.parametrize(
    ("plan", "steps"),
    [({}, 7), ({"epochs": 3}, 21), ({"steps": 3}, 3), ({"steps": 100}, 100), ({"epochs": 10**12}, 7 * 10**12)],
)
def test_the_length_of_a_run(plan: dict[str, int], steps: int) -> None:
    assert Training.model_validate(plan).total_steps(7) == steps


def test_the_default_optimiser_is_adam() -> None:
    assert (
        Training().optimizer.model_dump()
        == Training.model_validate({"optimizer": {"kind": "Adam"}}).optimizer.model_dump()
    )
    assert Training().optimizer.kind == "Adam"


@pytest.mark.parametrize(
    ("plan", "pointer"),
    [
        *(
            ({"schedule": {"kind": kind, **EXAMPLES[kind]}, "warmup": {"steps": 1}}, "/warmup")
            for kind in sorted(kind for kind, row in SCHEDULES.items() if row.has_warmup)
        ),
        ({"steps": 5, "warmup": {"steps": 6}}, "/warmup/steps"),
        ({"epochs": 5, "warmup": {"epochs": 6}}, "/warmup/epochs"),
        ({"groups": [{"frozen": True, "lr": 1}]}, "/groups/0/frozen"),
    ],
)
def test_plans_that_contradict_themselves(plan: dict[str, Any], pointer: str) -> None:
    found = Training.model_validate(plan).problems()
    assert [problem.pointer for problem in found] == [pointer]
    assert found[0].hint


@pytest.mark.parametrize(
    "plan",
    [
        {"schedule": {"kind": "ReduceLROnPlateau"}, "warmup": {"epochs": 1}, "epochs": 1},
        {"warmup": {"steps": 6}, "epochs": 1},
        {"steps": 6, "warmup": {"steps": 6, "start_factor": 1}},
    ],
)
def test_plans_that_do_not(plan: dict[str, Any]) -> None:
    assert Training.model_validate(plan).problems() == []


@pytest.mark.parametrize(
    "plan",
    [
        {"warmup": {}},
        {"warmup": {"steps": 1, "epochs": 1}},
        {"warmup": {"steps": 1, "start_factor": 0}},
        {"warmup": {"steps": 0}},
        {"groups": [{"nodes": []}]},
        {"groups": [{"parameters": "bias"}]},
        {"epochs": 1, "steps": 1},
        {"epochs": 0},
        {"steps": -1},
        {"batch_size": 0},
        {"clip_norm": 0},
        {"seed": -1},
        {"seed": 2**63},
        {"precision": "fp32"},
        {"mode": "jit"},
        {"device": "gpu"},
        {"accumulate": 1.0},
        {"on_nan": "stop"},
        {"checkpoint": {"keep_last": 0}},
        {"early_stop": {"patience": 0}},
        {"evaluate": {"every_steps": 0}},
        {"optimizer": {"kind": "SparseAdam"}},
        {"optimizer": {"kind": "SGD", "lr": -1}},
        {"epochs": 10**12 + 1},
    ],
)
def test_plans_that_cannot_be(plan: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Training.model_validate(plan)
