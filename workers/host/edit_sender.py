"""Sends a running attempt the edits that are accepted meanwhile, and the wishes to withdraw some."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict

from sqlalchemy.orm import Session

from app.db.session import Database
from app.edits import repository
from app.faultpoints import faultpoint
from workers.host.assignments import edit_ref
from workers.protocol.assignment import EditRef
from workers.protocol.messages import Command

Send = Callable[[Command], None]


class EditSender:
    """Sends each edit of a job once, in their order; `changes` counts the changes that the attempt knows of."""

    def __init__(self, db: Database, job_id: str, changes: int) -> None:
        self._db, self._job_id, self._changes = db, job_id, changes
        self._sent: set[int | None] = set()
        self._withdrawn: set[int | None] = set()

    def assign(self, edits: Iterable[EditRef]) -> None:
        """Note the edits that the attempt begins with."""
        self._sent.update(edit.number for edit in edits)

    def poll(self, changes: int, send: Send) -> None:
        """Send what is new if the edits have changed. Raises `Unavailable`."""
        if changes == self._changes:
            return
        pending = self._db.read(self._pending)
        with suppress(OSError):  # an attempt that has died gets them with its next assignment
            for ref, _ in pending:
                if ref.number not in self._sent:  # what is withdrawn already, too: only the attempt gives up an edit
                    self._sent.add(ref.number)
                    faultpoint("edit_found")
                    send(Command("edit", asdict(ref)))
            for ref, withdraw in reversed(pending):  # the last one first: none is applied without the one before it
                if withdraw and ref.number not in self._withdrawn:
                    self._withdrawn.add(ref.number)
                    send(Command("withdraw", {"number": ref.number}))
        self._changes = changes

    def _pending(self, session: Session) -> list[tuple[EditRef, bool]]:
        return [(edit_ref(row), row.withdraw_requested) for row in repository.pending(session, self._job_id)]
