"""The training plan: the optimiser, how long it runs, and when to evaluate, save and stop."""

import math
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationInfo, field_validator, model_validator

from app.errors import Problem
from app.spec.base import NonNegative, Positive, Seed, Size, SpecModel, Steps, validation_error
from app.spec.training.checkpointing import Checkpointing
from app.spec.training.optimizers import BaseOptimizer, Optimizer
from app.spec.training.parameter_groups import ParameterGroup, group_problems
from app.spec.training.planned_edits import PlannedEdit, planned_edit_problems
from app.spec.training.schedules import Schedule, Warmup, warmup_problems
from app.spec.training.statistics import Statistics
from app.spec.training.weight_averages import Average


class EarlyStop(SpecModel):
    """Stop when the monitored value has not improved for `patience` evaluations."""

    monitor: str = "val/loss"
    mode: Literal["min", "max"] = "min"
    patience: Size = 3
    min_delta: NonNegative = 0.0


class Evaluation(SpecModel):
    """When the held-out examples are evaluated: at the end of every epoch unless `every_steps` says otherwise."""

    every_steps: Steps | None = None


DEFAULT_OPTIMIZER = "Adam"  # with its own defaults


def _default_optimizer() -> BaseOptimizer:
    return TypeAdapter[BaseOptimizer](Optimizer).validate_python(DEFAULT_OPTIMIZER)


def _is_rate(value: object) -> bool:
    """Say whether a value is a valid learning rate, which any optimiser takes."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf


class Training(SpecModel):
    """The plan."""

    optimizer: Optimizer = Field(default_factory=_default_optimizer)
    groups: Annotated[tuple[ParameterGroup, ...], Field(max_length=100)] = ()
    schedule: Schedule | None = None
    warmup: Warmup | None = None
    average: Average | None = None
    epochs: Steps | None = None
    steps: Steps | None = None
    lr: Annotated[NonNegative, Field(strict=True)] | None = Field(
        None, description="The optimizer's rate, which may be written here instead."
    )
    batch_size: Size = 64
    accumulate: Size = 1
    clip_norm: Positive | None = None
    precision: Literal["float32", "bf16", "fp16"] = "float32"
    mode: Literal["eager", "compiled"] = "eager"
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    seed: Seed = 0
    deterministic: bool = True
    drop_last: bool = False
    on_nan: Literal["fail", "skip", "ignore"] = "fail"
    evaluate: Evaluation = Evaluation()
    early_stop: EarlyStop | None = None
    checkpoint: Checkpointing = Checkpointing()
    statistics: Statistics | Literal[False] = Field(
        Statistics(), description="Of what happens inside the network while it trains; `false`: none."
    )
    edits: Annotated[tuple[PlannedEdit, ...], Field(max_length=100)] = Field(
        (), description="Changes that the plan makes by itself."
    )

    @model_validator(mode="before")
    @classmethod
    def _move_rate(cls, value: Any) -> Any:
        """Move the rate into the optimiser, unless that has another one."""
        if not isinstance(value, dict) or not _is_rate(value.get("lr")):
            return value
        optimizer = value.get("optimizer", DEFAULT_OPTIMIZER)
        if isinstance(optimizer, str):
            optimizer = {"kind": optimizer}
        if not isinstance(optimizer, dict) or optimizer.get("lr", value["lr"]) != value["lr"]:
            return value
        others = {name: each for name, each in value.items() if name != "lr"}
        return {**others, "optimizer": {**optimizer, "lr": value["lr"]}}

    @field_validator("lr")
    @classmethod
    def _one_rate(cls, rate: float | None, info: ValidationInfo) -> float | None:
        if rate is not None and "optimizer" in info.data:  # it was not moved
            detail = f"the optimizer has another lr, {info.data['optimizer'].settings()['lr']:g}"
            raise validation_error("contradiction", detail, "remove it")
        return rate

    @model_validator(mode="after")
    def _one_length(self) -> "Training":
        if self.epochs is not None and self.steps is not None:
            raise validation_error(
                "contradiction", "a plan is measured in epochs or in steps, not in both", "remove epochs or steps"
            )
        return self

    def total_steps(self, steps_per_epoch: int) -> int:
        """Return the number of optimiser steps of the run (one epoch by default)."""
        return self.steps or (self.epochs or 1) * steps_per_epoch

    def monitors(self) -> list[tuple[str, str]]:
        """Return the pointer and the series of everything that follows a series."""
        monitors = [("/training/early_stop/monitor", self.early_stop.monitor)] if self.early_stop else []
        if self.schedule is not None and self.schedule.kind == "ReduceLROnPlateau":
            monitors.append(("/training/schedule/monitor", self.schedule.settings()["monitor"]))
        for position, rule in enumerate(self.edits):
            for pointer, condition in rule.conditions():
                monitors.append((f"/training/edits/{position}{pointer}/metric", condition.metric))
        return [*monitors, ("/training/checkpoint/monitor", self.checkpoint.monitor)]

    def problems(self) -> list[Problem]:
        """Return the contradictions in the plan; pointers lead into it."""
        problems = group_problems(self.optimizer, self.groups)
        problems += planned_edit_problems(self.edits, self.on_nan)
        if self.optimizer.row.closure:
            problems += self._line_search_problems()
        if self.warmup is not None:
            problems += warmup_problems(self.warmup, self.schedule, self.epochs, self.steps)
        return problems

    def _line_search_problems(self) -> list[Problem]:
        """Return the settings that change losses or gradients while a line search compares them."""
        kind, problems = self.optimizer.kind, []
        if self.precision == "fp16":
            detail = f"{kind} compares losses, and fp16 scales them differently as it goes"
            problems.append(Problem("/precision", "unsupported", detail, 'use "float32" or "bf16"'))
        if self.clip_norm is not None:
            detail = f"{kind} compares gradients, which clipping changes"
            problems.append(Problem("/clip_norm", "unsupported", detail, "remove clip_norm"))
        if self.on_nan == "skip":
            detail = f"{kind} changes the weights during a step, which cannot be skipped afterwards"
            problems.append(Problem("/on_nan", "unsupported", detail, 'use "fail"'))
        return problems
