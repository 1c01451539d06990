"""Which files of the artifact store no row names, and nobody may come to name any more."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.tables import CheckpointRow, ContentRow, DatasetRow, DeploymentRow, JobRow
from app.jobs.states import Status

KEY_PREFIXES = ("jobs/", "exports/", "datasets/", "contents/")  # all that is ever stored, but the mark
DEPLOYMENT_KEY = "deployment"  # the key of the file that says whose the store is


def deployment_id(session: Session) -> str:
    """Return the name of this database."""
    return session.scalars(select(DeploymentRow.id)).one()


def find_unreferenced(session: Session, keys: Sequence[str]) -> list[str]:
    """Return the keys that no row names.

    Files of an attempt that owns its job are left alone: their row may be on its way, however long the database was
    away. No other attempt's row is accepted any more. Of data sets a row follows its file within the same request.
    """
    named = _checkpoint_keys(session, keys) | _dataset_keys(session, keys)
    owned = _running_attempt_prefixes(session, keys)
    listed = set(session.scalars(select(CheckpointRow.id).where(CheckpointRow.id.in_(_key_parts(keys, "exports", 2)))))
    return [
        key for key in keys if key not in named and not key.startswith(owned) and not _is_listed_export(key, listed)
    ]


def _checkpoint_keys(session: Session, keys: Sequence[str]) -> set[str]:
    rows = select(CheckpointRow.files).where(CheckpointRow.job_id.in_(_key_parts(keys, "jobs", 1)))
    return {file["path"] for files in session.scalars(rows) for file in files}


def _dataset_keys(session: Session, keys: Sequence[str]) -> set[str]:
    contents = [key for key in keys if key.startswith(("contents/", "datasets/"))]  # the latter before it was shared
    parts = session.scalars(select(DatasetRow.parts).where(DatasetRow.id.in_(_key_parts(keys, "datasets", 1))))
    named: set[Any] = {part["path"] for row in parts for part in row}
    for path in (ContentRow.path, DatasetRow.path):
        named.update(session.scalars(select(path).where(path.in_(contents))))
    return named


def _running_attempt_prefixes(session: Session, keys: Sequence[str]) -> tuple[str, ...]:
    """Return the prefixes of the attempts that run now."""
    running = select(JobRow.id, JobRow.fence).where(
        JobRow.id.in_(_key_parts(keys, "jobs", 1)), JobRow.status == Status.RUNNING
    )
    return tuple(f"jobs/{row.id}/{row.fence}/" for row in session.execute(running))


def _is_listed_export(key: str, listed: set[str]) -> bool:
    place, *rest = key.split("/")
    return place == "exports" and rest[1] in listed


def _key_parts(keys: Iterable[str], place: str, number: int) -> set[str]:
    """Return the ids at a position of the keys of a place."""
    return {parts[number] for key in keys if (parts := key.split("/"))[0] == place and len(parts) > number}
