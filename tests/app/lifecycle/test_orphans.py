"""Files go when no row names them and nobody reads them, and only then; on both databases."""

import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from app import checkpoints
from app.datasets import lookup
from app.db import migrate
from app.db.session import Database
from app.db.tables import CheckpointRow, ContentRow, DatasetRow
from app.errors import NotFound, StaleFence
from app.ids import new_id
from app.jobs import repository, service
from app.lifecycle import orphans, superseded_checkpoints
from app.storage.local import LocalStore
from app.storage.protocol import ArtifactStore
from tests.app.jobs.test_races import submit, together

SPEC: dict[str, Any] = {
    "model": {"layers": [{"kind": "Linear", "out_features": 1}]},
    "data": {"kind": "builtin", "name": "digits"},
    "objective": {"loss": {"kind": "MSELoss"}},
    "training": {"checkpoint": {"keep_last": 1, "keep_best": 0}},
}


@pytest.fixture
def local(tmp_path: Path) -> ArtifactStore:
    return LocalStore(tmp_path / "artifacts")


@pytest.fixture
def job_id(database: Database) -> str:
    """A job that runs under fence 1."""
    return running(database)


def running(database: Database) -> str:
    job_id = database.run(lambda session: submit(session, **SPEC))
    database.run(repository.claim, ("default",), "w", 30.0)
    return job_id


def saved(database: Database, store: ArtifactStore, job_id: str, step: int, fence: int = 1) -> str:
    """Store and list a checkpoint with one file."""
    stored = store.put_bytes(f"jobs/{job_id}/{fence}/{step}/weights", f"weights of {step}".encode())
    files = [{"name": "weights", "path": stored.key, "size": stored.size, "sha256": stored.sha256, "public": True}]
    return database.run(
        checkpoints.add, job_id, fence, id=new_id("ckpt"), step=step, epoch=1.0, values={}, files=files
    ).id


def finding(checkpoint: str) -> Callable[[Session], CheckpointRow]:
    return lambda session: checkpoints.find(session, "anna", checkpoint)


def steps(database: Database, job_id: str) -> list[int]:
    return [row.step for row in database.read(checkpoints.list_checkpoints, job_id)]


def later(session: Session, checkpoint: str) -> None:
    """Let an hour pass for a reader."""
    long_ago = CheckpointRow.read_at - checkpoints.READ_GRACE_SECONDS
    session.execute(update(CheckpointRow).where(CheckpointRow.id == checkpoint).values(read_at=long_ago))


def test_a_checkpoint_that_is_read_stays_for_an_hour(database: Database, store: ArtifactStore, job_id: str) -> None:
    first, second = (saved(database, store, job_id, step) for step in (1, 2))
    row = checkpoints.acquire_for_reading(database, finding(first))
    saved(database, store, job_id, 3)
    superseded_checkpoints.prune(database, store, job_id, 1)
    assert steps(database, job_id) == [3, 1]
    assert b"".join(store.read(row.files[0]["path"])) == b"weights of 1"
    assert sorted(store.keys("")) == [f"jobs/{job_id}/1/{step}/weights" for step in (1, 3)]
    with pytest.raises(NotFound):
        checkpoints.acquire_for_reading(database, finding(second))
    database.run(later, first)
    superseded_checkpoints.prune(database, store, job_id, 1)
    assert steps(database, job_id) == [3]
    assert sorted(store.keys("")) == [f"jobs/{job_id}/1/3/weights"]


def test_who_reads_on_is_noted_once_a_minute(database: Database, local: ArtifactStore, job_id: str) -> None:
    checkpoint = saved(database, local, job_id, 1)

    def read_at() -> float | None:
        checkpoints.acquire_for_reading(database, finding(checkpoint))
        return database.read(finding(checkpoint)).read_at

    first = read_at()
    assert first is not None
    assert read_at() == first
    minute = CheckpointRow.read_at - checkpoints.TOUCH_INTERVAL_SECONDS - 1
    database.run(lambda session: session.execute(update(CheckpointRow).values(read_at=minute)))
    again = read_at()
    assert again is not None
    assert again >= first


def test_a_reader_that_is_first_keeps_the_checkpoint(database: Database, local: ArtifactStore, job_id: str) -> None:
    first, _ = (saved(database, local, job_id, step) for step in (1, 2))
    trim = partial(superseded_checkpoints._remove_rows, job_id=job_id, fence=1)
    assert together(database, lambda session: checkpoints._touch(session, first), trim) == []
    assert steps(database, job_id) == [2, 1]


def test_a_reader_that_is_late_chooses_again(database: Database, local: ArtifactStore, job_id: str) -> None:
    first, second = (saved(database, local, job_id, step) for step in (1, 2))
    chosen = iter([database.read(finding(each)) for each in (first, second)])
    trim = partial(superseded_checkpoints._remove_rows, job_id=job_id, fence=1)
    assert together(database, trim, lambda session: checkpoints._touch(session, first)) is False
    assert checkpoints.acquire_for_reading(database, lambda session: next(chosen)).id == second


def test_an_attempt_that_lost_its_job_removes_nothing(database: Database, local: ArtifactStore, job_id: str) -> None:
    for step in (1, 2):
        saved(database, local, job_id, step)
    with pytest.raises(StaleFence):
        superseded_checkpoints.prune(database, local, job_id, 0)
    assert steps(database, job_id) == [2, 1]


def test_downloads_in_pieces_end_while_checkpoints_come_and_go(
    database: Database, local: ArtifactStore, job_id: str
) -> None:
    stop, wrong, whole = threading.Event(), [], 0

    def train() -> None:
        step = 0
        while not stop.is_set():
            step += 1
            saved(database, local, job_id, step)
            superseded_checkpoints.prune(database, local, job_id, 1)

    saved(database, local, job_id, 0)
    trainer = threading.Thread(target=train)
    trainer.start()
    until = time.monotonic() + 1.0
    while time.monotonic() < until:
        row = checkpoints.acquire_for_reading(
            database, lambda session: checkpoints.list_checkpoints(session, job_id)[-1]
        )
        expected = f"weights of {row.step}".encode()
        got = b""
        while len(got) < len(expected):  # each piece is a request of its own
            file = checkpoints.acquire_for_reading(database, finding(row.id)).files[0]
            got += b"".join(local.read(file["path"], len(got), len(got) + 4))
        wrong += [] if got == expected else [got]
        whole += 1
    stop.set()
    trainer.join()
    assert whole > 0
    assert wrong == []


def put(store: ArtifactStore, *keys: str) -> set[str]:
    for key in keys:
        store.put_bytes(key, b"x")
    return set(keys)


def test_orphans_are_found_wherever_a_crash_left_them(database: Database, store: ArtifactStore) -> None:
    training, ended = running(database), running(database)
    listed = saved(database, store, ended, 1)
    database.run(service.succeed, ended, 1, {})
    parts, content = ["datasets/ds_1/parts/part_1"], "contents/00/content_1"

    def register(session: Session) -> None:
        base: dict[str, Any] = {"owner": "anna", "name": "x", "source": {"kind": "upload"}}
        session.add(
            DatasetRow(
                id="ds_1", status=lookup.DatasetStatus.AWAITING_CONTENT, parts=[{"path": parts[0], "size": 1}], **base
            )
        )
        session.add(DatasetRow(id="ds_2", status=lookup.DatasetStatus.READY, parts=[], path=content, **base))
        session.add(ContentRow(owner="anna", sha256="00", path=content))

    database.run(register)
    named = put(store, *parts, content, f"exports/{ended}/{listed}/model.onnx.json", f"jobs/{training}/1/5/weights")
    named |= {f"jobs/{ended}/1/1/weights"}
    unlisted = put(
        store,
        f"jobs/{training}/0/5/weights",
        f"jobs/{ended}/1/2/weights",
        "jobs/job_gone/1/1/weights",
        f"exports/{ended}/ckpt_gone/model.onnx.json",
        "exports/job_gone/ckpt_gone/00/model.onnx",
        "datasets/ds_1/parts/part_2",
        "datasets/ds_gone/parts/part_1",
        "contents/00/content_2",
        "contents/11/content_3",
    )
    others = put(store, "somebody/else")
    for _ in range(2):  # the first one puts the mark; young files are left alone
        orphans.remove_orphans(database, store)
        assert set(store.keys("")) == named | unlisted | others | {"deployment"}
    orphans.remove_orphans(database, store, seconds=0.0)
    assert set(store.keys("")) == named | others | {"deployment"}


def test_a_store_of_another_database_is_left_alone(database: Database, store: ArtifactStore, tmp_path: Path) -> None:
    other = Database(f"sqlite:///{tmp_path / 'other.db'}")
    migrate.upgrade(other)
    keys = put(store, "jobs/job_1/1/1/weights")
    orphans.remove_orphans(other, store, seconds=0.0)
    for _ in range(2):
        orphans.remove_orphans(database, store, seconds=0.0)
    assert set(store.keys("")) == keys | {"deployment"}
    orphans.remove_orphans(other, store, seconds=0.0)
    assert set(store.keys("")) == {"deployment"}
    other.close()
