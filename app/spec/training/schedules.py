"""Learning-rate schedules, and the warm-up before them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from app.errors import Problem
from app.spec.base import Count, NonNegative, Positive, Probability, Size, SpecModel, Steps, validation_error
from app.spec.kinds import Kind, KindModel, create_kind_models, discriminated_union

_INTERVAL = (Literal["step", "epoch"], "epoch")
_STEP_INTERVAL = (Literal["step", "epoch"], "step")
_CYCLE_MOMENTUM = (bool | None, None)  # by default where the optimiser has momentum


@dataclass(frozen=True, slots=True)
class ScheduleKind(Kind):
    """A schedule: its settings, and facts that depend on its kind. The workers have its torch class."""

    rates: tuple[str, ...] = ()  # settings that are rates; those of other groups are in proportion
    run_length: str | None = None  # a parameter of torch's class that is the length of the run unless it is set
    cycles_momentum: bool = False
    has_warmup: bool = False  # starts with small rates by itself
    on_plateau: bool = False  # moves after an evaluation, by the monitored value


SCHEDULES: Mapping[str, ScheduleKind] = {
    "StepLR": ScheduleKind(
        "Multiplies the rate by gamma every step_size.",
        {"step_size": Size, "gamma": (Positive, 0.1), "interval": _INTERVAL},
    ),
    "MultiStepLR": ScheduleKind(
        "Multiplies the rate by gamma at milestones.",
        {"milestones": tuple[Count, ...], "gamma": (Positive, 0.1), "interval": _INTERVAL},
    ),
    "ExponentialLR": ScheduleKind(
        "Multiplies the rate by gamma each time.", {"gamma": Positive, "interval": _INTERVAL}
    ),
    "CosineAnnealingLR": ScheduleKind(
        "Half a cosine down to eta_min; T_max is the length of the run unless set.",
        {"T_max": (Size | None, None), "eta_min": (NonNegative, 0.0), "interval": _STEP_INTERVAL},
        run_length="T_max",
    ),
    "CosineAnnealingWarmRestarts": ScheduleKind(
        "Cosines with restarts.",
        {"T_0": Size, "T_mult": (Size, 1), "eta_min": (NonNegative, 0.0), "interval": _INTERVAL},
    ),
    "LinearLR": ScheduleKind(
        "Linear between two factors of the rate.",
        {
            "start_factor": (Positive, 1 / 3),
            "end_factor": (NonNegative, 1.0),
            "total_iters": (Size, 5),
            "interval": _INTERVAL,
        },
    ),
    "ConstantLR": ScheduleKind(
        "A smaller rate for the first total_iters.",
        {"factor": (Positive, 1 / 3), "total_iters": (Size, 5), "interval": _INTERVAL},
    ),
    "PolynomialLR": ScheduleKind(
        "A polynomial down to zero; total_iters is the length of the run unless set.",
        {"total_iters": (Size | None, None), "power": (Positive, 1.0), "interval": _STEP_INTERVAL},
        run_length="total_iters",
    ),
    "OneCycleLR": ScheduleKind(
        "Up to max_lr and down again over the whole run, step by step (Smith and Topin 2019).",
        {
            "max_lr": Positive,
            "pct_start": (Probability, 0.3),
            "anneal_strategy": (Literal["cos", "linear"], "cos"),
            "cycle_momentum": _CYCLE_MOMENTUM,
            "base_momentum": (Probability, 0.85),
            "max_momentum": (Probability, 0.95),
            "div_factor": (Positive, 25.0),
            "final_div_factor": (Positive, 1e4),
            "three_phase": (bool, False),
        },
        rates=("max_lr",),
        run_length="total_steps",
        cycles_momentum=True,
        has_warmup=True,
    ),
    "CyclicLR": ScheduleKind(
        "Back and forth between two rates, step by step.",
        {
            "base_lr": NonNegative,
            "max_lr": Positive,
            "step_size_up": (Size, 2000),
            "step_size_down": (Size | None, None),
            "mode": (Literal["triangular", "triangular2", "exp_range"], "triangular"),
            "gamma": (Positive, 1.0),
            "cycle_momentum": _CYCLE_MOMENTUM,
            "base_momentum": (Probability, 0.8),
            "max_momentum": (Probability, 0.9),
        },
        rates=("base_lr", "max_lr"),
        cycles_momentum=True,
        has_warmup=True,
    ),
    "ReduceLROnPlateau": ScheduleKind(
        "Multiplies the rate by factor when the monitored value stops improving.",
        {
            "monitor": (str, "val/loss"),
            "mode": (Literal["min", "max"], "min"),
            "factor": (Probability, 0.1),
            "patience": (Count, 10),
            "threshold": (NonNegative, 1e-4),
            "threshold_mode": (Literal["rel", "abs"], "rel"),
            "cooldown": (Count, 0),
            "min_lr": (NonNegative, 0.0),
            "eps": (NonNegative, 1e-8),
        },
        on_plateau=True,
    ),
}


class BaseSchedule(KindModel):
    """The base of all schedules."""

    @property
    def row(self) -> ScheduleKind:
        """The row of the kind."""
        return SCHEDULES[self.kind]


SCHEDULE_CLASSES = create_kind_models(SCHEDULES, BaseSchedule)

if TYPE_CHECKING:
    Schedule = BaseSchedule
else:
    Schedule = discriminated_union(SCHEDULE_CLASSES)


class Warmup(SpecModel):
    """A linear warm-up: rates rise from `start_factor` times those of optimiser and schedule to all of them."""

    steps: Steps | None = None
    epochs: Steps | None = None
    start_factor: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] = 0.01

    @model_validator(mode="after")
    def _one_length(self) -> "Warmup":
        if (self.epochs is None) == (self.steps is None):
            hint = 'add "epochs": 1' if self.epochs is None else "remove epochs or steps"
            raise validation_error("contradiction", "a warm-up is measured either in epochs or in steps", hint)
        return self

    def warmup_steps(self, steps_per_epoch: int) -> int:
        """Return the number of optimiser steps until the rates are those of the schedule."""
        return self.steps or (self.epochs or 1) * steps_per_epoch


def warmup_problems(
    warmup: Warmup, schedule: BaseSchedule | None, epochs: int | None, steps: int | None
) -> list[Problem]:
    """Return why a warm-up does not fit a schedule, or the length of a run."""
    if schedule is not None and schedule.row.has_warmup:
        detail = f"{schedule.kind} has a warm-up of its own"
        return [Problem("/warmup", "contradiction", detail, "remove warmup")]
    for name, length, total in (("steps", warmup.steps, steps), ("epochs", warmup.epochs, epochs)):
        if length is not None and total is not None and length > total:
            detail = f"the run has {total} {name}: the warm-up would never end"
            return [Problem(f"/warmup/{name}", "contradiction", detail, f"use at most {total}")]
    return []
