"""Snapshots of a database while it is used: SQLite's online backup, or pg_dump of an exported snapshot."""

import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.db.session import Database
from app.db.tables import CheckpointRow, ContentRow, DatasetRow
from app.disk.durability import publish, sync_file
from app.errors import BackupError

SNAPSHOT_FILES = {"sqlite": "database.sqlite", "postgresql": "database.dump"}


@dataclass(frozen=True, slots=True)
class ArtifactRef:
    """An artifact that a row lists."""

    table: str
    row_id: str  # the row's id; of contents their path
    key: str
    sha256: str


def snapshot(db: Database, folder: Path) -> tuple[Path, list[ArtifactRef]]:
    """Write the database as it is now into the folder; returns the file, and the artifacts that its rows list.

    Raises `BackupError` where pg_dump is missing or fails, `DatabaseUnavailable`.
    """
    target = folder / SNAPSHOT_FILES[db.url.get_backend_name()]
    target.unlink(missing_ok=True)
    return target, _sqlite(db, target) if db.is_sqlite else _postgresql(db, target)


def restore(db: Database, source: Path) -> None:
    """Put a snapshot in the place of an empty database, or on SQLite of any. Raises `BackupError`."""
    if not db.is_sqlite:
        _run(
            "pg_restore",
            db,
            ["--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error"],
            [str(source)],
        )
        return
    db.close()
    target = _file(db)
    part = target.with_name(target.name + ".part")
    shutil.copyfile(source, part)
    part.chmod(0o600)
    for suffix in ("-wal", "-shm"):
        target.with_name(target.name + suffix).unlink(missing_ok=True)
    sync_file(target.parent)  # the old database's log must be gone before the new database has the name
    publish(part, target)


def _sqlite(db: Database, target: Path) -> list[ArtifactRef]:
    if not _file(db).exists():
        raise BackupError(f"there is no database {_file(db)}")
    with closing(sqlite3.connect(_file(db))) as source, closing(sqlite3.connect(target)) as copy:
        source.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")  # one file, whatever opens it
    target.chmod(0o600)
    with closing(sqlite3.connect(f"file:{target}?mode=ro", uri=True)) as copy:
        if copy.execute("PRAGMA integrity_check").fetchone() != ("ok",):
            raise BackupError(f"the database {_file(db)} is damaged: see PRAGMA integrity_check")
    reader = Database(f"sqlite:///{target}")
    try:
        return reader.read(list_artifacts)
    finally:
        reader.close()


def _postgresql(db: Database, target: Path) -> list[ArtifactRef]:
    engine = db.engine.execution_options(isolation_level="REPEATABLE READ")
    with Session(engine) as session, session.begin():
        name = session.execute(text("SELECT pg_export_snapshot()")).scalar_one()
        artifacts = list_artifacts(session)
        _run(
            "pg_dump",
            db,
            ["--format=custom", "--no-owner", "--no-privileges", f"--snapshot={name}"],
            [f"--file={target}"],
        )
    target.chmod(0o600)
    return artifacts


def list_artifacts(session: Session) -> list[ArtifactRef]:
    """Return every artifact that a row lists, newest checkpoints first: they are what jobs go on from."""
    newest = select(CheckpointRow).order_by(CheckpointRow.created_at.desc())
    artifacts = [
        ArtifactRef("checkpoints", row.id, file["path"], file["sha256"])
        for row in session.scalars(newest)
        for file in row.files
    ]
    artifacts += [
        ArtifactRef("contents", row.path, row.path, row.sha256) for row in session.scalars(select(ContentRow))
    ]
    for row in session.scalars(select(DatasetRow).where(DatasetRow.path.is_not(None))):
        artifacts.append(ArtifactRef("datasets", row.id, str(row.path), str(row.sha256)))
    return artifacts


def _file(db: Database) -> Path:
    return Path(db.url.database or "")


def _run(program: str, db: Database, options: list[str], rest: list[str]) -> None:
    """Run PostgreSQL's own program on the database; the password goes through a private file."""
    binary = shutil.which(program)
    if binary is None:
        hint = "install PostgreSQL's client programs, of the server's version or newer"
        raise BackupError(f"{program} was not found", hint=hint)
    with _libpq_url(db) as address:
        result = subprocess.run(
            [binary, *options, f"--dbname={address}", *rest], capture_output=True, text=True, check=False
        )
    if result.returncode != 0:
        raise BackupError(f"{program} failed: {result.stderr.strip()[-500:]}")


@contextmanager
def _libpq_url(db: Database) -> Iterator[str]:
    """The database's address as libpq reads it, without a password that others could see."""
    url = db.url.set(drivername="postgresql")
    with tempfile.NamedTemporaryFile("w", prefix="graftwerk-") as file:  # mode 0600
        if url.password is not None:
            quoted = url.password.replace("\\", "\\\\").replace(":", "\\:")
            file.write(f"*:*:*:*:{quoted}\n")
            file.flush()
            url = url.set(password=None).update_query_dict({"passfile": file.name})
        yield url.render_as_string(hide_password=False)
