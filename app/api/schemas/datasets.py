"""Data sets."""

from typing import Self

from pydantic import Field

from app.api.schemas.base import JsonObject, ResponseModel
from app.api.schemas.problems import ProblemDetail
from app.datasets.lookup import DatasetStatus
from app.db.tables import DatasetRow
from app.proposals import proposal
from app.spec.data.columns import DataSchema
from app.spec.timestamps import format_rfc3339


class Dataset(ResponseModel):
    """A data set."""

    id: str
    name: str
    source: JsonObject
    status: DatasetStatus
    data_schema: DataSchema | None
    preview: list[JsonObject] | None
    problems: list[ProblemDetail]
    received: int = Field(description="Bytes of content that have arrived: where an upload goes on.")
    sha256: str | None
    created_at: str

    @classmethod
    def from_row(cls, row: DatasetRow) -> Self:
        """Describe a data set."""
        return cls(
            id=row.id,
            name=row.name,
            source=row.source,
            status=DatasetStatus(row.status),
            data_schema=None if row.data_schema is None else DataSchema.model_validate(row.data_schema),
            preview=row.preview,
            problems=[ProblemDetail(**item) for item in row.problems or ()],
            received=row.size,
            sha256=row.sha256,
            created_at=format_rfc3339(row.created_at),
        )


class DatasetPage(ResponseModel):
    """Data sets, newest first."""

    items: list[Dataset]
    has_more: bool


class ProposalReason(ResponseModel):
    """Why a part of a proposed spec is as it is."""

    pointer: str = Field(description="JSON Pointer into the spec.")
    text: str


class Proposal(ResponseModel):
    """A proposed job."""

    spec: JsonObject = Field(description="As `POST /v1/jobs` takes it.")
    reasons: list[ProposalReason]
    warnings: list[ProblemDetail] = Field(description="What was guessed or left out, and how to say what is meant.")

    @classmethod
    def from_proposal(cls, proposed: proposal.Proposal) -> Self:
        """Describe a proposed job."""
        reasons = [ProposalReason(pointer=each.pointer, text=each.text) for each in proposed.reasons]
        warnings = [ProblemDetail(**each.as_dict()) for each in proposed.warnings]
        return cls(spec=proposed.spec, reasons=reasons, warnings=warnings)
