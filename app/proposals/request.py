"""What is asked for: the column to learn, and what may be said beside it."""

from typing import Literal

from pydantic import Field

from app.spec.base import SpecModel
from app.spec.data.columns import ColumnName

ProposedLoss = Literal["CrossEntropyLoss", "BCEWithLogitsLoss", "MSELoss", "L1Loss", "SmoothL1Loss", "HuberLoss"]
ProposedTask = Literal["classes", "numbers", "labels", "tags"]

TASKS_OF_LOSSES: dict[ProposedLoss, tuple[ProposedTask, ...]] = {
    "CrossEntropyLoss": ("classes", "tags"),
    "BCEWithLogitsLoss": ("labels",),
    "MSELoss": ("numbers",),
    "L1Loss": ("numbers",),
    "SmoothL1Loss": ("numbers",),
    "HuberLoss": ("numbers",),
}


class ProposalRequest(SpecModel):
    """A request for a proposed job on a data set."""

    target: ColumnName | None = Field(None, description="The column to learn. Default: the data set's own target.")
    task: ProposedTask | None = Field(
        None,
        description="classes: one of several; numbers: a quantity; labels: several at once; tags: one per element.",
    )
    loss: ProposedLoss | None = Field(None, description="Default: by the task.")
