"""What a running attempt is sent of the edits that users accept and withdraw meanwhile."""

from sqlalchemy.orm import Session

from app.db.session import Database
from app.db.tables import JobRow
from app.edits import outcomes
from tests.app.api.job_factories import create_running_job
from tests.app.edits.test_edits import accept
from workers.host.edit_sender import EditSender
from workers.protocol.messages import Command


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
