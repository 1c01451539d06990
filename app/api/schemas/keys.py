"""API keys."""

from typing import Any, Literal, Self

from pydantic import Field

from app.api.answers import moment
from app.api.schemas.base import Document
from app.db.tables import KeyRow
from app.spec.base import Part


class Key(Document):
    """An API key, without its token."""

    id: str
    name: str
    scopes: list[Literal["read", "write", "admin"]]
    created_at: str
    revoked_at: str | None

    @classmethod
    def of(cls, row: KeyRow, **more: Any) -> Self:
        """Describe a key."""
        return cls(id=row.id, name=row.name, scopes=row.scopes, created_at=str(moment(row.created_at)),
                   revoked_at=moment(row.revoked_at), **more)  # fmt: skip


class NewKey(Key):
    """An API key with its token, which is told this once."""

    token: str


class KeyPage(Document):
    """Keys, newest first: all of them."""

    items: list[Key]
    has_more: Literal[False] = False


class KeyRequest(Part):
    """A key to create."""

    name: str = Field(min_length=1, max_length=200)
    scopes: list[str] = Field(["read", "write"], max_length=3, description="Of read, write, admin.")
