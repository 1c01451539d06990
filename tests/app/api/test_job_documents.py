"""Jobs as responses, built once for each version."""

from typing import Any

import pytest
from sqlalchemy import event

from app.api import job_documents
from app.api.job_documents import JobDocuments
from app.db.session import Database
from app.errors import NotFound
from app.jobs import deletion, service
from app.jobs.states import Status
from tests.app.api.job_factories import create_job_in_status


@pytest.fixture
def statements(database: Database) -> list[str]:
    """The statements of the database so far, but for those around transactions."""
    found: list[str] = []

    def record(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if statement.startswith("SELECT"):
            found.append(statement)

    event.listen(database.engine, "before_cursor_execute", record)
    return found


def test_a_version_is_built_once(database: Database, statements: list[str]) -> None:
    documents = JobDocuments(database, 0)
    job = create_job_in_status(database, Status.SUCCEEDED)
    first = documents.read("anna", job)
    statements.clear()
    assert documents.read("anna", job) is first
    assert len(statements) == 1


def test_another_version_is_another_document(database: Database) -> None:
    documents = JobDocuments(database, 0, position_seconds=3600.0)
    job = create_job_in_status(database, Status.QUEUED)
    queued = documents.read("anna", job)
    database.run(service.cancel, "anna", job)
    cancelled = documents.read("anna", job)
    assert (queued.status, cancelled.status) == (Status.QUEUED, Status.CANCELLED)
    assert cancelled.version > queued.version
    assert b'"cancelled"' in cancelled.content
    database.run(deletion.delete, "anna", job)
    with pytest.raises(NotFound):
        documents.read("anna", job)


def test_another_owner_s_is_not_found(database: Database) -> None:
    documents = JobDocuments(database, 0)
    job = create_job_in_status(database, Status.SUCCEEDED)
    documents.read("anna", job)
    with pytest.raises(NotFound):
        documents.read("bert", job)


def test_a_position_is_looked_up_again_after_a_while_or_a_change(database: Database) -> None:
    documents = JobDocuments(database, 0, position_seconds=3600.0)
    first, second = (create_job_in_status(database, Status.QUEUED) for _ in range(2))
    assert [documents.read("anna", job).etag.strip('"').partition(".")[2] for job in (first, second)] == ["1", "2"]
    database.run(service.cancel, "anna", first)
    assert documents.read("anna", second).etag.endswith('.2"')
    documents.forget_positions()
    assert documents.read("anna", second).etag.endswith('.1"')


def test_what_is_kept_is_bounded(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    documents = JobDocuments(database, 0)
    jobs = [create_job_in_status(database, Status.SUCCEEDED) for _ in range(4)]
    size = len(documents.read("anna", jobs[0]).content)
    monkeypatch.setattr(job_documents, "MAX_BYTES", 2 * size + size // 2)
    for job in jobs:
        documents.read("anna", job)
    assert list(documents._documents) == jobs[2:]
    assert documents._nbytes == sum(len(kept.content) for kept in documents._documents.values())
