"""The audit log."""

from typing import Self

from pydantic import Field

from app.access.audit import Action
from app.api.schemas.base import JsonObject, ResponseModel
from app.db.tables import AuditRow
from app.spec.timestamps import format_rfc3339


class AuditEntry(ResponseModel):
    """An action, or refused requests."""

    id: str
    at: str
    action: Action
    target: str | None = Field(description="The object's id.")
    owner: str
    key_id: str | None
    request_id: str
    address: str | None = Field(description="Where the request came from.")
    data: JsonObject

    @classmethod
    def from_row(cls, row: AuditRow) -> Self:
        """Describe an entry."""
        return cls(
            id=row.id,
            at=format_rfc3339(row.at),
            action=Action(row.action),
            target=row.target,
            owner=row.owner,
            key_id=row.key_id,
            request_id=row.request_id,
            address=row.address,
            data=row.data,
        )


class AuditPage(ResponseModel):
    """Entries, newest first."""

    items: list[AuditEntry]
    has_more: bool
