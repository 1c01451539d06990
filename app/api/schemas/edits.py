"""Edits of jobs, and the differences between revisions."""

from collections.abc import Sequence
from typing import Any, Literal, Self

from pydantic import Field

from app.api.schemas.base import JsonNumber, JsonObject, ResponseModel
from app.api.schemas.problems import ProblemDetail
from app.db.tables import EditRow
from app.edits.states import EditOrigin, EditState
from app.spec.timestamps import format_optional_rfc3339, format_rfc3339


class Edit(ResponseModel):
    """An edit of a job."""

    id: int = Field(description="Numbers a job's edits without gaps.")
    state: EditState
    origin: EditOrigin
    expect_revision: int | None
    at: JsonObject | Literal["now"]
    operations: list[JsonObject]
    comment: str
    step: int | None = Field(description="Before which it was applied; of a rollback, the step of its checkpoint.")
    revision: int | None = Field(description="The revision that it made.")
    parent: int | None = Field(description="The revision that it changed, or that a rollback went back to.")
    checkpoint: str | None = Field(description="To which a rollback went back.")
    rule: int | None = Field(description="Place in training.edits of the rule that made it.")
    firing: int | None = Field(description="Which time of that rule it was.")
    withdraw_requested: bool = Field(description="The attempt has not yet answered the wish to withdraw it.")
    problems: list[ProblemDetail] = Field(description="Why it was rejected or withdrawn.")
    created_at: str
    ended_at: str | None

    @classmethod
    def from_row(cls, row: EditRow) -> Self:
        """Describe an edit."""
        return cls(**_edit_fields(row))


class EditDetail(Edit):
    """An edit with the whole spec of the revision that it made."""

    spec: JsonObject | None

    @classmethod
    def from_row(cls, row: EditRow) -> Self:
        """Describe an edit."""
        return cls(**_edit_fields(row), spec=row.document)


def _edit_fields(row: EditRow) -> dict[str, Any]:
    names = ("state", "origin", "expect_revision", "at", "operations", "comment", "step", "revision", "parent", "rule")
    return {name: getattr(row, name) for name in names} | {
        "id": row.number,
        "checkpoint": row.base,
        "firing": row.firing,
        "withdraw_requested": row.withdraw_requested and row.state == EditState.ACCEPTED,
        "problems": [ProblemDetail(**problem) for problem in row.problems or ()],
        "created_at": format_rfc3339(row.created_at),
        "ended_at": format_optional_rfc3339(row.ended_at),
    }


class EditPage(ResponseModel):
    """Edits, oldest first."""

    items: list[Edit]
    has_more: bool

    @classmethod
    def from_rows(cls, rows: Sequence[EditRow], limit: int) -> Self:
        """Describe up to `limit` edits of the rows."""
        return cls(items=[Edit.from_row(row) for row in rows[:limit]], has_more=len(rows) > limit)


class NodeChange(ResponseModel):
    """A node that two revisions have, and that differs."""

    before: JsonObject = Field(description="The fields that differ.")
    after: JsonObject


class NetworkDiff(ResponseModel):
    """What differs between the networks and the plans of two revisions."""

    from_: int | None = Field(alias="from", description="null: the network that an edit meets.")
    to: int | None = Field(description="null: the network that an edit makes.")
    added: dict[str, JsonObject] = Field(description="Nodes by path: kind, inputs, shape and parameters.")
    removed: dict[str, JsonObject]
    changed: dict[str, NodeChange]
    totals: dict[str, JsonObject] = Field(description="Parameters, memory and so on: before and after.")
    settings: dict[str, JsonObject] = Field(description="Fields of the spec outside of the network, by pointer.")


class FunctionDifference(ResponseModel):
    """How much the outputs of a network change by an edit, on a batch of the job's own rows, in evaluation mode.

    Of a job in an environment: the outputs that act and are reported, on observations of episodes.
    """

    checkpoint_id: str = Field(description="With whose weights.")
    step: int
    rows: int
    max: dict[str, JsonNumber] = Field(description="By output: the largest difference.")
    relative: dict[str, JsonNumber] = Field(description="By output: the same in units of its largest value before.")
    left_out: list[str] = Field(description="Outputs that only one of the networks has, or with another shape.")


class DryRun(ResponseModel):
    """What an edit would do."""

    revision: int = Field(description="The current one.")
    pending: list[int] = Field(description="Edits that would be applied before it.")
    diff: NetworkDiff
    memory: dict[str, int] | None = Field(description="Bytes that a training step would take, by purpose.")
    warnings: list[ProblemDetail]
    difference: FunctionDifference | None = Field(
        description="null without a checkpoint, for large data, and where gradients choose."
    )
    spec: JsonObject = Field(description="The whole spec afterwards.")
