"""Updates: which loss changes which parameters, by which optimiser. A plan itself is one update of all parameters."""

import math
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationInfo, field_validator, model_validator

from app.errors import Problem
from app.spec.base import Name, NonNegative, OneOrMany, Positive, SpecModel, Steps, validation_error
from app.spec.training.optimizers import BaseOptimizer, Optimizer
from app.spec.training.schedules import Schedule, Warmup, warmup_problems
from app.spec.training.updates.parameter_groups import ParameterGroup, ParameterPath, group_problems

DEFAULT_OPTIMIZER = "Adam"  # with its own defaults


def _default_optimizer() -> BaseOptimizer:
    return TypeAdapter[BaseOptimizer](Optimizer).validate_python(DEFAULT_OPTIMIZER)


def _is_rate(value: object) -> bool:
    """Say whether a value is a valid learning rate, which any optimiser takes."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf


class BaseUpdate(SpecModel):
    """How gradients become new parameters: the optimiser, and what goes with it."""

    optimizer: Optimizer = Field(default_factory=_default_optimizer)
    groups: Annotated[tuple[ParameterGroup, ...], Field(max_length=100)] = ()
    schedule: Schedule | None = None
    warmup: Warmup | None = None
    clip_norm: Positive | None = None
    lr: Annotated[NonNegative, Field(strict=True)] | None = Field(
        None, description="The optimizer's rate, which may be written here instead."
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

    def update_problems(self, epochs: int | None, steps: int | None) -> list[Problem]:
        """Return the contradictions in the update, in a run of `epochs` or `steps`; pointers lead into it."""
        problems = group_problems(self.optimizer, self.groups)
        if self.optimizer.row.closure and self.clip_norm is not None:
            detail = f"{self.optimizer.kind} compares gradients, which clipping changes"
            problems.append(Problem("/clip_norm", "unsupported", detail, "remove clip_norm"))
        if self.warmup is not None:
            problems += warmup_problems(self.warmup, self.schedule, epochs, steps)
        return problems


class UpdatePlan(BaseUpdate):
    """One of several updates of a step: it lowers its losses by changing its parameters."""

    name: Name | None = Field(None, description="In the names of series; default: the names of its losses.")
    loss: Annotated[tuple[Name, ...], Field(min_length=1, max_length=64), OneOrMany()] = Field(
        description="A head of the objective, or several, whose weighted sum is minimised."
    )
    parameters: Annotated[tuple[ParameterPath, ...], Field(min_length=1, max_length=1000), OneOrMany()] | None = Field(
        None, description="The nodes whose parameters it changes; default: all that no other update names."
    )
    every: Steps = Field(1, description="It is taken at the steps that this divides, counted from 1.")

    @property
    def series_name(self) -> str:
        """Its name in series."""
        return self.name or "_".join(self.loss)


def updates_problems(updates: Sequence[UpdatePlan]) -> Iterator[Problem]:
    """Yield how several updates contradict each other; pointers lead into the plan."""
    names: dict[str, int] = {}
    for place, update in enumerate(updates):
        if (other := names.setdefault(update.series_name, place)) != place:
            detail = f'update {other} is called "{update.series_name}" too'
            yield Problem(f"/updates/{place}", "duplicate_id", detail, 'give it another "name"')
        for position, head in enumerate(update.loss):
            if head in update.loss[:position]:
                pointer = f"/updates/{place}/loss/{position}"
                yield Problem(pointer, "duplicate_id", f'"{head}" is listed twice', "remove it")
    rest = [place for place, update in enumerate(updates) if update.parameters is None]
    for place in rest[1:]:
        detail = f"update {rest[0]} takes all parameters that no other one names already"
        yield Problem(f"/updates/{place}", "contradiction", detail, 'name "parameters"')
