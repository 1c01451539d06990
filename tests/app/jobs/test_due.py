"""What holds a waiting job back, when the clock of the database is set meanwhile."""

import pytest
from sqlalchemy import update

from app.db.clock import database_time
from app.db.session import Database
from app.db.tables import JobRow
from app.jobs import service
from app.jobs.queue import has_claimable_job
from tests.app.jobs.test_repository import LOST, claim, submit

HOUR = 3600.0


def move_rows(database: Database, seconds: float) -> None:
    """Move the job's times, as if the clock had been set the other way."""
    moved = {name: getattr(JobRow, name) + seconds for name in ("not_before", "queued_at", "created_at")}
    database.run(lambda session: session.execute(update(JobRow).values(**moved)))


@pytest.mark.parametrize("seconds", [-HOUR, HOUR, 365 * 24 * HOUR])
def test_the_pause_after_a_loss_does_not_last_as_long_as_the_clock_was_moved(
    database: Database, seconds: float
) -> None:
    job_id = submit(database, spec={"retries": 5})
    for fence in (1, 2, 3):
        claim(database)
        database.run(service.record_loss, job_id, fence, LOST, 5)
        database.run(lambda session: session.execute(update(JobRow).values(not_before=JobRow.queued_at + 60)))
        assert not database.run(has_claimable_job, ["default"])
        move_rows(database, seconds)
        assert database.run(has_claimable_job, ["default"])


@pytest.mark.parametrize("seconds", [-HOUR, HOUR])
def test_a_time_that_the_spec_names_is_that_of_the_clock(database: Database, seconds: float) -> None:
    start = database.read(database_time) + HOUR / 2
    submit(database, not_before=start)
    assert not database.run(has_claimable_job, ["default"])
    move_rows(database, seconds)
    assert database.run(has_claimable_job, ["default"]) == (seconds < 0)
