"""A running attempt gets every edit once, and is asked to give up those that are to be withdrawn."""

from sqlalchemy.orm import Session

from app.db.session import Database
from app.db.tables import JobRow
from app.edits import outcomes
from app.settings import Settings
from tests.app.api.job_factories import create_running_job
from tests.app.edits.test_edits import accept
from workers.host.assignments import EditSender, build_assignment
from workers.protocol.messages import Command


def changes(database: Database, job: JobRow) -> int:
    return database.read(lambda session: session.get_one(JobRow, job.id)).edit_changes


def poll(database: Database, job: JobRow, sender: EditSender) -> list[tuple[str, int]]:
    """Return what a look at the edits sends."""
    sent: list[Command] = []
    sender.poll(changes(database, job), sent.append)
    return [(command.verb, command.payload["number"]) for command in sent]


def test_each_edit_is_sent_once(database: Database) -> None:
    job = create_running_job(database)
    accept(database, job.id)
    sender = EditSender(database, job.id, job.edit_changes)
    sender.assign(database.read(build_assignment, job, Settings(), ()).edits)
    assert poll(database, job, sender) == []  # which it has begun with
    accept(database, job.id)
    accept(database, job.id)
    assert poll(database, job, sender) == [("edit", 2), ("edit", 3)]
    assert poll(database, job, sender) == []
    database.run(lambda session: outcomes.withdraw(session, session.get_one(JobRow, job.id), 3))
    assert poll(database, job, sender) == [("withdraw", 3)]
    assert poll(database, job, sender) == []


def test_one_that_is_withdrawn_at_once_is_sent_with_the_wish(database: Database) -> None:
    job = create_running_job(database)
    sender = EditSender(database, job.id, job.edit_changes)
    accept(database, job.id)
    database.run(lambda session: outcomes.withdraw(session, session.get_one(JobRow, job.id), 1))
    assert poll(database, job, sender) == [("edit", 1), ("withdraw", 1)]


def test_withdrawals_come_the_last_edit_first(database: Database) -> None:
    """Otherwise the attempt could apply an edit between the two, without the one that it was checked behind."""
    job = create_running_job(database)
    sender, sent = EditSender(database, job.id, job.edit_changes), list[Command]()
    later = {"operations": [{"op": "remove", "node": "relu"}], "at": {"step": 10**6}}
    for _ in range(2):
        accept(database, job.id, later)

    def withdraw(session: Session) -> None:
        row = session.get_one(JobRow, job.id)
        for number in (2, 1):
            outcomes.withdraw(session, row, number)

    database.run(withdraw)
    for _ in range(2):
        sender.poll(job.edit_changes + 1, sent.append)
    commands = [(command.verb, command.payload["number"]) for command in sent]
    assert commands == [("edit", 1), ("edit", 2), ("withdraw", 2), ("withdraw", 1)]
