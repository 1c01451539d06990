"""What a sweeper heals although somebody is in its way, on PostgreSQL: SQLite has one lock for all."""

import pytest
from sqlalchemy import update

from app.db.session import Database
from app.db.tables import JobRow, now
from app.jobs import repository
from app.settings import Settings
from app.storage.protocol import ArtifactStore
from tests.workers.host.test_worker import RecordingWaker, claim_job
from workers.host.duties import LeaseRecovery
from workers.host.worker import Worker


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_job_whose_worker_stopped_in_the_middle_of_a_write_keeps_no_other_waiting(
    database_url: str, database: Database, store: ArtifactStore
) -> None:
    stopped, lost = claim_job(database).id, claim_job(database).id
    database.run(lambda session: session.execute(update(JobRow).values(lease_until=now() - 1)))
    impatient = Database(database_url, lock_seconds=0.1)
    with database.begin() as session:
        repository.lock_for_attempt(session, stopped, 1)
        recovery = LeaseRecovery(Worker(Settings(slots=1), impatient, store, RecordingWaker(), ["default"]))
        recovery._trust_at = 0.0
        recovery.requeue_expired()
        assert database.run(repository.find, "anna", lost).status == "queued"
    assert database.run(repository.find, "anna", stopped).status == "running"
    impatient.close()
