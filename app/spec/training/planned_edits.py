"""Edits that the plan makes by itself: `training.edits`, rules that say when, how often, and which operations."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from app.errors import Problem
from app.spec.base import Count, Positive, Size, SpecModel, Steps, validation_error
from app.spec.edits.edit import Condition, Trigger
from app.spec.edits.operations import MAX_OPERATIONS, Operation, SettingPath


class Scale(SpecModel):
    """A number of the plan is multiplied, such as the learning rate; in rules only."""

    op: Literal["scale"]
    path: SettingPath
    by: Positive


PlannedOperation = Annotated[Operation | Scale, Field(discriminator="op")]


class Interval(SpecModel):
    """Steps or epochs between two edits; the first comes after one interval."""

    steps: Steps | None = None
    epochs: Steps | None = None

    @model_validator(mode="after")
    def _one_length(self) -> "Interval":
        if (self.steps is None) == (self.epochs is None):
            raise validation_error("contradiction", "an interval has one length", "name steps or epochs")
        return self


class Until(SpecModel):
    """The end of a rule: no edit is made from here on."""

    step: Count | None = None
    epoch: Count | None = None
    parameters: Annotated[float, Field(gt=0, le=1_000_000, allow_inf_nan=False)] | None = Field(
        None,
        description="The share of the first network's parameters: below 1 it ends where there are as few, above 1 "
        "where there are as many.",
    )
    when: Condition | None = None

    @model_validator(mode="after")
    def _something(self) -> "Until":
        if not self.model_fields_set:
            raise validation_error("missing", "an end has a rule", "name step, epoch, parameters or when")
        return self


class PlannedEdit(SpecModel):
    """Operations that the plan applies by itself: at a trigger, at intervals, or when a loss is not finite.

    `on: nan` goes back to the last checkpoint with finite weights first.
    """

    at: Trigger | None = None
    every: Interval | None = None
    on: Literal["nan"] | None = None
    until: Until | None = None
    max_times: Size | None = Field(None, description="By default once for `at`, 3 times for `on`, else any number.")
    operations: Annotated[tuple[PlannedOperation, ...], Field(min_length=1, max_length=MAX_OPERATIONS)]

    @model_validator(mode="after")
    def _one_trigger(self) -> "PlannedEdit":
        if sum(trigger is not None for trigger in (self.at, self.every, self.on)) != 1:
            raise validation_error("contradiction", "a rule has one trigger", "name at, every or on")
        return self

    @property
    def limit(self) -> int | None:
        """How often it makes an edit at most; `None`: there is no limit."""
        return self.max_times or (1 if self.at is not None else 3 if self.on is not None else None)

    def begins(self) -> list[tuple[str, str, int]]:
        """Return how many steps or epochs pass before its first edit, by pointer into it, with the unit."""
        places: list[tuple[str, str, int | None]] = []
        if self.at is not None:
            places += [("/at/step", "step", self.at.step), ("/at/epoch", "epoch", self.at.epoch)]
        if self.every is not None:
            places += [("/every/steps", "step", self.every.steps), ("/every/epochs", "epoch", self.every.epochs)]
        return [(place, unit, count) for place, unit, count in places if count is not None]

    def conditions(self) -> list[tuple[str, Condition]]:
        """Return its conditions, by pointer into it."""
        begin = self.at.when if self.at is not None else None
        places = {"/at/when": begin, "/until/when": self.until.when if self.until is not None else None}
        return [(pointer, condition) for pointer, condition in places.items() if condition is not None]


def planned_edit_problems(rules: tuple[PlannedEdit, ...], on_nan: str) -> list[Problem]:
    """Return the contradictions of rules with the plan; pointers lead into the plan."""
    healing = [position for position, rule in enumerate(rules) if rule.on == "nan"]
    problems = []
    if healing and on_nan != "fail":
        detail = f"with on_nan: {on_nan} a loss that is not finite is no event"
        problems.append(Problem(f"/edits/{healing[0]}/on", "contradiction", detail, 'use "on_nan": "fail"'))
    for position in healing[1:]:
        detail = f"rule {healing[0]} is for the same event"
        problems.append(Problem(f"/edits/{position}/on", "contradiction", detail, "put the operations into one rule"))
    return problems


def planned_edit_warnings(rules: tuple[PlannedEdit, ...], lengths: Mapping[str, int | None]) -> Iterator[Problem]:
    """Yield a warning for each rule that comes after the last step of a run; pointers lead into the plan.

    `lengths` are the steps and the epochs of the run, by "step" and "epoch"; `None` where they are not known.
    """
    for position, rule in enumerate(rules):
        for place, unit, begin in rule.begins():
            total = lengths[unit]
            if total is not None and begin >= total:
                detail = f"the run ends after {total:,} {unit}s, before this edit has an effect"
                yield Problem(f"/edits/{position}{place}", "never_reached", detail, f"use less than {total:,}")


def without_rules(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a job's document without its rules, to inspect a later revision: edits made are not possible twice."""
    plan = document.get("training")
    if not isinstance(plan, dict) or "edits" not in plan:
        return dict(document)
    return {**document, "training": {name: value for name, value in plan.items() if name != "edits"}}
