"""A rollback: the revision, and the step of one of its checkpoints, from which a job goes on."""

from typing import Annotated

from pydantic import Field

from app.spec.base import Size, SpecModel
from app.spec.edits.edit import StepNumber


class Rollback(SpecModel):
    """Where to go back to."""

    revision: Annotated[Size, Field(description="Of a listed checkpoint.")]
    step: Annotated[StepNumber, Field(description="Of that checkpoint; default: the revision's newest.")] | None = None
    comment: Annotated[str, Field(max_length=1000)] = ""
