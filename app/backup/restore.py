"""Puts a backup in place: verified first, artifacts before the database, so that no row ever lists a missing file."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from sqlalchemy import delete, inspect, update
from sqlalchemy.orm import Session

from app import heartbeat
from app.backup import databases
from app.backup.create import ID_COLUMNS
from app.backup.manifest import ARTIFACTS_FOLDER, Manifest
from app.datasets.lookup import DatasetStatus
from app.db import migrate, revisions
from app.db.session import Database
from app.db.tables import DatasetRow, WorkerRow
from app.errors import BackupError
from app.lifecycle.orphans import DEPLOYMENT_KEY, KEY_PREFIXES
from app.storage.protocol import ArtifactStore
from app.storage.removal import remove_files


def restore(db: Database, store: ArtifactStore, folder: Path, *, overwrite: bool) -> Manifest:
    """Restore the backup in a folder. Raises `BackupError`, before anything is changed if something is wrong."""
    manifest = Manifest.read(folder)
    manifest.verify(folder)
    _check_target(db, store, manifest, overwrite)
    if overwrite:
        _clear(db)
    for file in manifest.artifacts:
        key = Path(file.path).relative_to(ARTIFACTS_FOLDER).as_posix()
        if store.put_file(key, folder / file.path).sha256 != file.sha256:
            raise BackupError(f"{folder / file.path} changed while it was restored")
    databases.restore(db, folder / manifest.database.path)
    migrate.upgrade(db)
    db.run(_remove_dangling_rows, manifest.left_out)
    if overwrite:
        kept = {Path(file.path).relative_to(ARTIFACTS_FOLDER).as_posix() for file in manifest.artifacts}
        store.delete(DEPLOYMENT_KEY)  # the store is this database's from now on
        remove_files(store, [key for prefix in KEY_PREFIXES for key in store.keys(prefix) if key not in kept])
    return manifest


def _check_target(db: Database, store: ArtifactStore, manifest: Manifest, overwrite: bool) -> None:
    if manifest.kind != db.url.get_backend_name():
        raise BackupError(
            f"the backup is of {manifest.kind}, the database here is {db.url.get_backend_name()}",
            hint="set GRAFTWERK_DATABASE_URL to a database of that kind",
        )
    if manifest.revision not in revisions.revisions():
        detail = f"the backup's tables are at {manifest.revision}, of a newer version than this one"
        raise BackupError(detail, hint=f"install graftwerk {manifest.graftwerk}")
    tables = _table_names(db)
    if tables and revisions.revision_mismatch(db) is None and db.read(heartbeat.live_worker_slots):
        raise BackupError("workers are running on this database", hint="stop the service, and wait for a minute")
    if overwrite:
        return
    if tables:
        raise BackupError("the database is not empty", hint="name another home, or --overwrite it")
    if any(True for prefix in KEY_PREFIXES for _ in store.keys(prefix)):
        raise BackupError("the artifact store is not empty", hint="name another one, or --overwrite it")


def _table_names(db: Database) -> Sequence[str]:
    if db.is_sqlite and not Path(db.url.database or "").exists():
        return []
    return inspect(db.engine).get_table_names()


def _clear(db: Database) -> None:
    """Drop what is in a PostgreSQL database; a file of SQLite is replaced."""
    if not db.is_sqlite and _table_names(db):
        migrate.downgrade(db, "base")
        with db.begin() as session:
            session.connection().exec_driver_sql("DROP TABLE IF EXISTS alembic_version")


def _remove_dangling_rows(session: Session, left_out: Mapping[str, Sequence[str]]) -> None:
    """Delete rows of files that the backup lacks: left-out artifacts, parts of uploads; and heartbeats of workers."""
    for table, rows in left_out.items():
        session.execute(delete(ID_COLUMNS[table].class_).where(ID_COLUMNS[table].in_(rows)))
    waiting = update(DatasetRow).where(DatasetRow.status != DatasetStatus.READY)
    session.execute(waiting.values(parts=[], size=0))
    session.execute(delete(WorkerRow))
