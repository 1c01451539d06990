"""Updates: which loss changes which parameters, by which optimiser. A plan itself is one update of all parameters."""

import math
from collections.abc import Iterator, Mapping, Sequence
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


class GradientNoise(SpecModel):
    """Gaussian noise of the variance eta / (1 + t)^gamma on the gradients of step t (Neelakantan et al. 2015)."""

    eta: Positive
    gamma: NonNegative = 0.55


# What changes gradients after they are computed: fields of an update, and why a line search cannot have them.
GRADIENT_CHANGES: Mapping[str, str] = {
    "l1": "compares losses, of which the penalty is no part",
    "clip_value": "compares gradients, which clipping changes",
    "clip_norm": "compares gradients, which clipping changes",
    "gradient_noise": "compares gradients, which noise changes",
}


class BaseUpdate(SpecModel):
    """How gradients become new parameters: the optimiser, and what goes with it."""

    optimizer: Optimizer = Field(default_factory=_default_optimizer)
    groups: Annotated[tuple[ParameterGroup, ...], Field(max_length=100)] = ()
    schedule: Schedule | None = None
    warmup: Warmup | None = None
    l1: Positive | None = Field(
        None, description="A penalty on weights, but for biases and norms: its subgradient l1 · sign(w) is added."
    )
    clip_value: Positive | None = Field(None, description="The largest magnitude of each element of the gradients.")
    clip_norm: Positive | None = None
    gradient_noise: GradientNoise | None = None
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
        if self.optimizer.row.closure:
            for field, reason in GRADIENT_CHANGES.items():
                if getattr(self, field) is not None:
                    detail = f"{self.optimizer.kind} {reason}"
                    problems.append(Problem(f"/{field}", "unsupported", detail, f"remove {field}"))
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
