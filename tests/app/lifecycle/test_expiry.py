"""What is too old goes, and nothing else, on both databases."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update

from app import checkpoints, events
from app.access import audit, idempotency
from app.access.audit import Action, Actor
from app.datasets import lookup, registry, uploads
from app.db.session import Database
from app.db.tables import AuditRow, DatasetRow, DeliveryRow, IdempotencyRow, JobRow, now
from app.errors import NotFound
from app.jobs import deletion, listing, repository, service
from app.jobs.states import Status
from app.lifecycle import expiry
from app.settings import Settings
from app.spec.data.sources import NewDataset
from app.storage.catalog import open_store
from app.storage.protocol import ArtifactStore
from tests.app.api.job_factories import (
    create_checkpoint,
    create_job_in_status,
    create_queued_job,
    create_running_job,
    finish_job,
    record_curve,
)
from tests.app.webhooks.factories import create_webhook

OLD = 1000.0
KEEP = dict.fromkeys(
    (
        "keep_jobs_seconds",
        "keep_checkpoints_seconds",
        "keep_events_seconds",
        "keep_uploads_seconds",
        "keep_audit_seconds",
    ),
    500.0,
)


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return open_store(str(tmp_path / "artifacts"), {})


def aged(database: Database, table: Any, **values: Any) -> None:
    database.run(lambda session: session.execute(update(table).values(**values)))


def ended(database: Database, store: ArtifactStore) -> tuple[str, str]:
    job = create_running_job(database)
    record_curve(database, job, 10)
    checkpoint = create_checkpoint(database, store, job, 5, {"model.py": b"x"})
    store.put_bytes(f"exports/{job.id}/{checkpoint}/1/model.onnx", b"y")
    return finish_job(database, job), checkpoint


def collect(database: Database, store: ArtifactStore, **chosen: float) -> None:
    expiry.remove_expired(database, store, Settings(**chosen))  # type: ignore[arg-type]


def count(database: Database, table: Any) -> int:
    return database.read(lambda session: session.scalar(select(func.count()).select_from(table)) or 0)


def test_by_default_jobs_are_kept_for_ever(database: Database, store: ArtifactStore) -> None:
    job_id, checkpoint = ended(database, store)
    aged(database, JobRow, finished_at=now() - 10 * 365 * 86_400)
    collect(database, store)
    assert database.read(repository.find, "anna", job_id).status == "succeeded"
    assert len(database.read(events.list_events, job_id, 0, 100)) > 3
    assert len(list(store.keys(""))) == 2
    assert database.read(checkpoints.find, "anna", checkpoint)


def test_old_jobs_are_deleted_and_later_removed_with_their_files(database: Database, store: ArtifactStore) -> None:
    old, _ = ended(database, store)
    aged(database, JobRow, finished_at=now() - OLD)
    young, _ = ended(database, store)
    waiting = create_queued_job(database)
    collect(database, store, keep_jobs_seconds=500)
    with pytest.raises(NotFound):
        database.read(repository.find, "anna", old)
    assert len(list(store.keys(f"jobs/{old}/"))) == 1
    database.run(deletion.restore, "anna", old)
    collect(database, store)
    database.run(deletion.delete, "anna", old)
    aged(database, JobRow, deleted_at=JobRow.deleted_at - 604_900)
    collect(database, store)
    with pytest.raises(NotFound):
        database.run(deletion.restore, "anna", old)
    assert {key.split("/")[1] for key in store.keys("")} == {young}
    for kept in (young, waiting):
        assert database.read(repository.find, "anna", kept).id == kept


def test_old_checkpoints_and_events_go_and_the_job_stays(database: Database, store: ArtifactStore) -> None:
    job_id, _ = ended(database, store)
    aged(database, JobRow, finished_at=now() - OLD)
    young, _ = ended(database, store)
    collect(database, store, keep_checkpoints_seconds=500, keep_events_seconds=500)
    assert database.read(checkpoints.list_checkpoints, job_id) == []
    assert {key.split("/")[1] for key in store.keys("")} == {young}
    kinds = [row.kind for row in database.read(events.list_events, job_id, 0, 100)]
    assert kinds == ["created", "status", "status"]
    assert len(database.read(checkpoints.list_checkpoints, young)) == 1
    assert "metrics" in [row.kind for row in database.read(events.list_events, young, 0, 100)]


def test_what_a_job_starts_from_is_not_taken(database: Database, store: ArtifactStore) -> None:
    job_id, checkpoint = ended(database, store)
    fork = create_queued_job(database, spec={"start_from": {"checkpoint": checkpoint}})
    aged(database, JobRow, finished_at=now() - OLD)
    for _ in range(2):
        collect(database, store, **KEEP)
        assert database.read(checkpoints.find, "anna", checkpoint).job_id == job_id
        assert len(list(store.keys("jobs/"))) == 1
    database.run(service.cancel, "anna", fork)
    collect(database, store, **KEEP)
    assert list(store.keys("")) == []


def test_uploads_without_an_end_go_after_their_last_piece(database: Database, store: ArtifactStore) -> None:
    new = NewDataset.model_validate({"name": "x", "source": {"kind": "upload", "format": "csv"}})
    row = database.run(registry.register, "anna", new)
    stored = store.put_bytes(f"datasets/{row.id}/parts/1", b"abc")
    database.run(uploads.append_part, "anna", row.id, 0, {"path": stored.key, "size": 3})
    aged(database, DatasetRow, created_at=now() - 604_900)
    collect(database, store)
    assert database.read(lookup.find, "anna", row.id).size == 3
    aged(database, DatasetRow, touched_at=now() - 604_900)
    builtin = NewDataset.model_validate({"name": "x", "source": {"kind": "builtin", "name": "iris"}})
    kept = database.run(registry.register, "anna", builtin)
    collect(database, store)
    with pytest.raises(NotFound):
        database.read(lookup.find, "anna", row.id)
    assert database.read(lookup.find, "anna", kept.id).name == "x"
    assert list(store.keys("")) == []


def test_answers_go_after_a_day_and_the_audit_when_it_is_old(database: Database, store: ArtifactStore) -> None:
    database.run(idempotency.run_once, idempotency.IdempotentRequest("anna", "key", "d"), lambda: (201, {}))
    database.run(audit.append, Actor("anna", None, "r", None), Action.JOB_CREATE, "job_1")
    collect(database, store)
    assert (count(database, IdempotencyRow), count(database, AuditRow)) == (1, 1)
    aged(database, IdempotencyRow, created_at=now() - 86_500)
    aged(database, AuditRow, at=now() - 91 * 86_400)
    collect(database, store, keep_audit_seconds=0)
    assert (count(database, IdempotencyRow), count(database, AuditRow)) == (0, 1)
    collect(database, store)
    assert count(database, AuditRow) == 0


def test_messages_go_after_the_days_of_their_log(database: Database, store: ArtifactStore) -> None:
    create_webhook(database)
    create_job_in_status(database, Status.CANCELLED)
    aged(database, DeliveryRow, created_at=now() - 29 * 86_400)
    collect(database, store)
    assert count(database, DeliveryRow) == 1
    aged(database, DeliveryRow, created_at=now() - 31 * 86_400)
    collect(database, store)
    assert count(database, DeliveryRow) == 0


def test_many_are_taken_batch_by_batch(database: Database, store: ArtifactStore) -> None:
    for _ in range(45):
        create_queued_job(database)
    aged(database, JobRow, status="cancelled", finished_at=now() - OLD)
    collect(database, store, keep_jobs_seconds=500)
    assert database.read(listing.page, "anna", 100)[0] == []
    assert len(database.read(listing.page, "anna", 100, deleted=True)[0]) == 45
