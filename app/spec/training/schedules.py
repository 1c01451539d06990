"""Learning-rate schedules, and the warm-up before them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

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


PLAIN_SCHEDULES: Mapping[str, ScheduleKind] = {
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

    @property
    def parts(self) -> tuple["BaseSchedule", ...]:
        """The schedules that this one is made of."""
        return ()


class BaseCompositeSchedule(BaseSchedule):
    """The base of schedules that are made of others."""

    @property
    def parts(self) -> tuple[BaseSchedule, ...]:
        """The schedules that this one is made of."""
        parts: tuple[BaseSchedule, ...] = self.settings()["schedulers"]
        return parts

    @model_validator(mode="before")
    @classmethod
    def _give_interval(cls, value: Any) -> Any:
        """Give the parts of a sequence its interval, unless they name one."""
        parts = value.get("schedulers") if isinstance(value, dict) and "interval" in cls.model_fields else None
        if not isinstance(parts, list | tuple):
            return value
        interval = value.get("interval", cls.model_fields["interval"].default)
        return {**value, "schedulers": [_with_interval(part, interval) for part in parts]}

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        settings = self.settings()
        for position, part in enumerate(self.parts):
            if part.row.on_plateau or part.row.rates:
                why = "moves after an evaluation" if part.row.on_plateau else "sets the rate itself"
                detail = f"{part.kind} {why}, and cannot be part {position} of {self.kind}"
                raise validation_error("contradiction", detail, "use another schedule for it")
            interval = part.settings()["interval"]
            if interval != settings.get("interval", interval):
                detail = f"{self.kind} counts in {settings['interval']}s, and its part {position} in {interval}s"
                raise validation_error("contradiction", detail, "remove the interval of the part")
        if "milestones" in settings:
            _check_milestones(settings["milestones"], len(self.parts))
        return self


def _with_interval(part: Any, interval: Any) -> Any:
    part = {"kind": part} if isinstance(part, str) else part
    row = PLAIN_SCHEDULES.get(str(part.get("kind"))) if isinstance(part, dict) else None
    return {"interval": interval, **part} if row is not None and "interval" in row.fields else part


def _check_milestones(milestones: tuple[int, ...], parts: int) -> None:
    if len(milestones) != parts - 1:
        detail = f"{parts} schedules have {parts - 1} milestones between them, and there are {len(milestones)}"
        raise validation_error("contradiction", detail, f"give {parts - 1} milestones")
    if 0 in milestones or sorted(set(milestones)) != list(milestones):
        detail = "milestones are counts above 0, each above the one before it"
        raise validation_error("out_of_range", detail, "sort them, and name each once")


_PLAIN_CLASSES = create_kind_models(PLAIN_SCHEDULES, BaseSchedule)
if TYPE_CHECKING:
    PlainSchedule = BaseSchedule
else:
    PlainSchedule = discriminated_union(_PLAIN_CLASSES)
_PARTS = Annotated[tuple[PlainSchedule, ...], Field(min_length=1, max_length=100)]

COMPOSITE_SCHEDULES: Mapping[str, ScheduleKind] = {
    "SequentialLR": ScheduleKind(
        "One schedule after another: the next one begins at a milestone, with the rates of the optimiser.",
        {"schedulers": _PARTS, "milestones": tuple[Count, ...], "interval": _INTERVAL},
    ),
    "ChainedScheduler": ScheduleKind(
        "Several schedules at once, whose factors are multiplied; each has its own interval.", {"schedulers": _PARTS}
    ),
}
SCHEDULES: Mapping[str, ScheduleKind] = {**PLAIN_SCHEDULES, **COMPOSITE_SCHEDULES}
SCHEDULE_CLASSES = {**_PLAIN_CLASSES, **create_kind_models(COMPOSITE_SCHEDULES, BaseCompositeSchedule)}

if TYPE_CHECKING:
    Schedule = BaseSchedule
else:
    Schedule = discriminated_union(SCHEDULE_CLASSES)


def milestone_warnings(schedule: BaseSchedule, lengths: Mapping[str, int | None]) -> Iterator[Problem]:
    """Yield a warning for each milestone that a run does not reach; pointers begin at the schedule.

    `lengths` are the steps and the epochs of the run, by "step" and "epoch"; `None` where they are not known.
    """
    settings = schedule.settings()
    interval = settings.get("interval", "epoch")
    total = lengths[interval]
    for position, milestone in enumerate(settings.get("milestones", ())):
        if total is not None and milestone >= total:
            detail = f"the run ends after {total:,} {interval}s, before this milestone"
            hint = f"use less than {total:,}, or count in steps" if interval == "epoch" else f"use less than {total:,}"
            yield Problem(f"/milestones/{position}", "never_reached", detail, hint)
    if schedule.kind == "ChainedScheduler":
        for position, part in enumerate(schedule.parts):
            yield from (each.with_prefix(f"/schedulers/{position}") for each in milestone_warnings(part, lengths))


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
