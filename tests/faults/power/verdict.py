"""What must be on a disk after a power cut: everything that was acknowledged, and every file that a row lists."""

import hashlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.access import keys
from app.db.tables import CheckpointRow, DatasetRow, JobRow
from app.errors import Unauthenticated
from app.storage.local import LocalStore
from tests.faults.invariants import verify_file
from tests.faults.power.recording import Acknowledgement, open_database

Check = Callable[[Session, Path, Acknowledgement], Iterator[str]]


def _check_key(session: Session, home: Path, told: Acknowledgement) -> Iterator[str]:
    path = home / "key"
    if not path.exists() or path.read_text(errors="replace").strip() != told.value:
        yield "the file of the first key was announced and is not what it was"
    try:
        keys.authenticate(session, told.value)
    except Unauthenticated:
        yield "the first key was announced and is not accepted any more"


def _check_job(session: Session, home: Path, told: Acknowledgement) -> Iterator[str]:
    if session.get(JobRow, told.id) is None:
        yield f"{told.id} was acknowledged and does not exist"


def _check_end(session: Session, home: Path, told: Acknowledgement) -> Iterator[str]:
    row = session.get(JobRow, told.id)
    if row is None or row.status != told.value:
        yield f"{told.id} was {told.value} and is {row.status if row is not None else 'gone'}"


def _check_received(session: Session, home: Path, told: Acknowledgement) -> Iterator[str]:
    row = session.get(DatasetRow, told.id)
    if row is None or (row.size or 0) < told.value:
        yield f"{told.id}: {told.value} bytes were acknowledged, there are {row.size if row is not None else 'none'}"


def _check_content(session: Session, home: Path, told: Acknowledgement) -> Iterator[str]:
    row = session.get(DatasetRow, told.id)
    if row is None or row.status != "ready" or row.sha256 != told.value:
        yield f"{told.id} had its content and has it no more"


CHECKS: Mapping[str, Check] = {
    "key": _check_key,
    "job": _check_job,
    "ended": _check_end,
    "received": _check_received,
    "content": _check_content,
}


def find_losses(home: Path, position: int, acknowledged: Iterable[Acknowledgement]) -> list[str]:
    """Return what is wrong with a home directory after a cut at a position."""
    due = [told for told in acknowledged if told.position <= position]
    if not (home / "graftwerk.db").exists():
        return ["the database is gone"] if due else []
    with closing(sqlite3.connect(home / "graftwerk.db")) as connection:
        state = connection.execute("PRAGMA integrity_check").fetchone()[0]
        if state != "ok":
            return [f"the database is damaged: {state}"]
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'jobs'").fetchone():
            return ["the tables are gone"] if due else []
    db = open_database(home)
    try:
        found = [wrong for told in due for wrong in db.read(CHECKS[told.kind], home, told)]
        return found + db.read(lambda session: list(_missing_files(session, home)))
    finally:
        db.close()


def _missing_files(session: Session, home: Path) -> Iterator[str]:
    store = LocalStore(home / "artifacts")
    for saved in session.scalars(select(CheckpointRow)):
        for file in saved.files:
            if (wrong := verify_file(store, file["path"], file["size"], file["sha256"])) is not None:
                yield f"checkpoint {saved.id} is listed, and {file['name']} {wrong}"
    for row in session.scalars(select(DatasetRow)):
        for part in row.parts:
            path = home / "artifacts" / part["path"]
            if not path.is_file() or path.stat().st_size != part["size"]:
                yield f"{row.id}: the piece {part['path']} is listed, and missing or torn"
        if row.path is not None:
            content = home / "artifacts" / row.path
            if not content.is_file() or hashlib.sha256(content.read_bytes()).hexdigest() != row.sha256:
                yield f"{row.id}: the content {row.path} is listed, and missing or damaged"
