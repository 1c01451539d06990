"""Schedules of the learning rate."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from app.errors import Problem
from app.spec.base import Count, NonNegative, Positive, Probability, Size, SpecModel, Steps, validation_error
from app.spec.kinds import Kind, KindTable, create_kind_models, discriminated_union

_INTERVAL = (Literal["step", "epoch"], "epoch")
_CYCLE_MOMENTUM = {"cycle_momentum": (bool | None, None)}  # where the optimiser has momentum

SCHEDULES: KindTable = {
    "StepLR": Kind(
        "Multiplies the rate by gamma every step_size.",
        {"step_size": Size, "gamma": (Positive, 0.1), "interval": _INTERVAL},
    ),
    "MultiStepLR": Kind(
        "Multiplies the rate by gamma at milestones.",
        {"milestones": tuple[Count, ...], "gamma": (Positive, 0.1), "interval": _INTERVAL},
    ),
    "ExponentialLR": Kind("Multiplies the rate by gamma each time.", {"gamma": Positive, "interval": _INTERVAL}),
    "CosineAnnealingLR": Kind(
        "Half a cosine down to eta_min; T_max is the whole run unless given.",
        {"T_max": (Size | None, None), "eta_min": (NonNegative, 0.0), "interval": (Literal["step", "epoch"], "step")},
    ),
    "CosineAnnealingWarmRestarts": Kind(
        "Cosines with restarts.",
        {"T_0": Size, "T_mult": (Size, 1), "eta_min": (NonNegative, 0.0), "interval": _INTERVAL},
    ),
    "LinearLR": Kind(
        "A line between two factors.",
        {
            "start_factor": (Positive, 1 / 3),
            "end_factor": (NonNegative, 1.0),
            "total_iters": (Size, 5),
            "interval": _INTERVAL,
        },
    ),
    "ConstantLR": Kind(
        "A smaller rate at first.", {"factor": (Positive, 1 / 3), "total_iters": (Size, 5), "interval": _INTERVAL}
    ),
    "PolynomialLR": Kind(
        "A polynomial down to zero; the whole run unless total_iters is given.",
        {"total_iters": (Size | None, None), "power": (Positive, 1.0), "interval": (Literal["step", "epoch"], "step")},
    ),
    "OneCycleLR": Kind(
        "Up to max_lr and down again over the whole run, step by step (Smith and Topin 2019).",
        {
            "max_lr": Positive,
            "pct_start": (Probability, 0.3),
            "anneal_strategy": (Literal["cos", "linear"], "cos"),
            **_CYCLE_MOMENTUM,
            "base_momentum": (Probability, 0.85),
            "max_momentum": (Probability, 0.95),
            "div_factor": (Positive, 25.0),
            "final_div_factor": (Positive, 1e4),
            "three_phase": (bool, False),
        },
    ),
    "CyclicLR": Kind(
        "Back and forth between two rates, step by step.",
        {
            "base_lr": NonNegative,
            "max_lr": Positive,
            "step_size_up": (Size, 2000),
            "step_size_down": (Size | None, None),
            "mode": (Literal["triangular", "triangular2", "exp_range"], "triangular"),
            "gamma": (Positive, 1.0),
            **_CYCLE_MOMENTUM,
            "base_momentum": (Probability, 0.8),
            "max_momentum": (Probability, 0.9),
        },
    ),
    "ReduceLROnPlateau": Kind(
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
    ),
}


class BaseSchedule(SpecModel):
    """What every schedule has."""

    kind: str


SCHEDULE_CLASSES = create_kind_models(SCHEDULES, BaseSchedule)

if TYPE_CHECKING:
    Schedule = BaseSchedule
else:
    Schedule = discriminated_union(SCHEDULE_CLASSES)

SCHEDULES_WITH_WARMUP = frozenset({"OneCycleLR", "CyclicLR"})  # schedules with a warm-up of their own


class Warmup(SpecModel):
    """Rates that rise in a line, from a share of what optimiser and schedule say to all of it."""

    steps: Steps | None = None
    epochs: Steps | None = None
    start_factor: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] = 0.01

    @model_validator(mode="after")
    def _one_length(self) -> "Warmup":
        if (self.epochs is None) == (self.steps is None):
            raise validation_error(
                "contradiction", "a warm-up is measured either in epochs or in steps", "give one of them"
            )
        return self

    def warmup_steps(self, steps_per_epoch: int) -> int:
        """Return the number of optimiser steps until the rates are those of the schedule."""
        return self.steps or (self.epochs or 1) * steps_per_epoch


def warmup_problems(
    warmup: Warmup, schedule: BaseSchedule | None, epochs: int | None, steps: int | None
) -> list[Problem]:
    """Return why a warm-up does not fit a schedule, or the length of a run."""
    if schedule is not None and schedule.kind in SCHEDULES_WITH_WARMUP:
        detail = f"{schedule.kind} has a warm-up of its own"
        return [Problem("/warmup", "contradiction", detail, "remove warmup")]
    for name, length, total in (("steps", warmup.steps, steps), ("epochs", warmup.epochs, epochs)):
        if length is not None and total is not None and length > total:
            detail = f"the run has {total} {name}: the warm-up would never end"
            return [Problem(f"/warmup/{name}", "contradiction", detail, f"warm up for fewer {name}")]
    return []
