"""An edit: operations that are applied together, and when."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from app.spec.base import MAX_STEPS, Count, Finite, Size, SpecModel, validation_error
from app.spec.edits.operations import MAX_OPERATIONS, Operation

StepNumber = Annotated[int, Field(strict=True, ge=0, le=MAX_STEPS)]


class Condition(SpecModel):
    """True after the first evaluation at which a series is below or above a value, or has not improved for a while."""

    metric: Annotated[str, Field(min_length=1, max_length=1000)]
    below: Finite | None = None
    above: Finite | None = None
    plateau: Size | None = Field(None, description="Evaluations without improvement.")
    mode: Literal["min", "max"] = Field("min", description="What a plateau counts as an improvement.")

    @model_validator(mode="after")
    def _one_rule(self) -> "Condition":
        if sum(rule is not None for rule in (self.below, self.above, self.plateau)) != 1:
            raise validation_error("contradiction", "a condition has one rule", "name below, above or plateau")
        return self


class Trigger(SpecModel):
    """When an edit is applied: before a step, at the beginning of an epoch, or when a condition is true."""

    step: StepNumber | None = None
    epoch: Count | None = None
    when: Condition | None = None

    @model_validator(mode="after")
    def _one_trigger(self) -> "Trigger":
        if sum(trigger is not None for trigger in (self.step, self.epoch, self.when)) != 1:
            raise validation_error("contradiction", "an edit has one trigger", "name step, epoch or when")
        return self


class Edit(SpecModel):
    """Operations that are applied together, between two steps, or not at all."""

    expect_revision: Annotated[Size, Field(description="The revision that the edit was written for.")] | None = None
    at: Literal["now"] | Trigger = "now"
    operations: Annotated[tuple[Operation, ...], Field(min_length=1, max_length=MAX_OPERATIONS)]
    comment: Annotated[str, Field(max_length=1000)] = ""

    @field_validator("at", mode="before")
    @classmethod
    def _has_trigger(cls, value: Any) -> Any:
        if value != "now" and not isinstance(value, dict | Trigger):
            hint = 'use "now", {"step": 1000}, {"epoch": 3} or {"when": {"metric": "val/loss", "below": 0.1}}'
            raise validation_error("invalid_value", "this is no trigger", hint)
        return value


def parse_edit(document: Any) -> Edit:
    """Return the edit. Raises `pydantic.ValidationError`."""
    return Edit.model_validate(document)
