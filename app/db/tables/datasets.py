"""Tables of data sets and their stored contents."""

from typing import Any

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.db.tables.base import Base, now


class DatasetRow(Base):
    """A registered data set: a named source, or uploaded content."""

    __tablename__ = "datasets"
    __table_args__ = (
        Index("ix_datasets_owner_id", "owner", "id"),
        Index("ix_datasets_owner_path", "owner", "path"),
        Index("ix_datasets_status", "owner", "status", "id"),
        Index("ix_datasets_name", "owner", "name", "status", "id"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)  # ds_…
    owner: Mapped[str] = mapped_column(String(64))
    name: Mapped[str]
    source: Mapped[dict[str, Any]]  # {"kind": "builtin"|"torchvision"|"upload", …}
    status: Mapped[str] = mapped_column(String(16))  # see app.datasets.lookup.DatasetStatus
    data_schema: Mapped[dict[str, Any] | None]
    preview: Mapped[list[Any] | None]
    problems: Mapped[list[Any] | None]
    size: Mapped[int] = mapped_column(default=0)  # bytes that have arrived
    sha256: Mapped[str | None] = mapped_column(String(64))
    parts: Mapped[list[Any]]  # [{path, size}] of an unfinished upload
    path: Mapped[str | None]  # of the content in the artifact store, which other rows of the owner may have too
    created_at: Mapped[float] = mapped_column(default=now())
    touched_at: Mapped[float | None]  # when the last piece of an upload arrived


class ContentRow(Base):
    """Content of an owner's data sets, which all that have it share. It goes with the last of them."""

    __tablename__ = "contents"

    owner: Mapped[str] = mapped_column(String(64), primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    path: Mapped[str]  # in the artifact store
