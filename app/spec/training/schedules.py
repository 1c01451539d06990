"""Schedules: how the rate of learning moves."""

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
    """One schedule: its settings, and what else depends on the kind. Its torch class is in the workers' table."""

    rates: tuple[str, ...] = ()  # settings that are rates of the plan's own group, and in proportion of every other
    run_length: str | None = None  # a parameter of torch's class that is the length of the run unless it is set
    cycles_momentum: bool = False
    has_warmup: bool = False  # begins with small rates of its own
    on_plateau: bool = False  # moves after an evaluation, by its value


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
        "Half a cosine down to eta_min; T_max is the whole run unless given.",
        {"T_max": (Size | None, None), "eta_min": (NonNegative, 0.0), "interval": _STEP_INTERVAL},
        run_length="T_max",
    ),
    "CosineAnnealingWarmRestarts": ScheduleKind(
        "Cosines with restarts.",
        {"T_0": Size, "T_mult": (Size, 1), "eta_min": (NonNegative, 0.0), "interval": _INTERVAL},
    ),
    "LinearLR": ScheduleKind(
        "A line between two factors.",
        {
            "start_factor": (Positive, 1 / 3),
            "end_factor": (NonNegative, 1.0),
            "total_iters": (Size, 5),
            "interval": _INTERVAL,
        },
    ),
    "ConstantLR": ScheduleKind(
        "A smaller rate at first.", {"factor": (Positive, 1 / 3), "total_iters": (Size, 5), "interval": _INTERVAL}
    ),
    "PolynomialLR": ScheduleKind(
        "A polynomial down to zero; the whole run unless total_iters is given.",
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
    """What every schedule has."""

    @property
    def row(self) -> ScheduleKind:
        """What is known of the kind."""
        return SCHEDULES[self.kind]


SCHEDULE_CLASSES = create_kind_models(SCHEDULES, BaseSchedule)

if TYPE_CHECKING:
    Schedule = BaseSchedule
else:
    Schedule = discriminated_union(SCHEDULE_CLASSES)


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
        """Return the number of optimizer steps until the rates are whole."""
        return self.steps or (self.epochs or 1) * steps_per_epoch


def warmup_problems(
    warmup: Warmup, schedule: BaseSchedule | None, epochs: int | None, steps: int | None
) -> list[Problem]:
    """Return why a warm-up does not go with a schedule, or with the length of a run."""
    if schedule is not None and schedule.row.has_warmup:
        detail = f"{schedule.kind} has a warm-up of its own"
        return [Problem("/warmup", "contradiction", detail, "remove warmup")]
    for name, mine, whole in (("steps", warmup.steps, steps), ("epochs", warmup.epochs, epochs)):
        if mine is not None and whole is not None and mine > whole:
            detail = f"the run has {whole} {name}: the rates would never be whole"
            return [Problem(f"/warmup/{name}", "contradiction", detail, f"warm up for fewer {name}")]
    return []
