"""A context without a pipe, for attempts in the process of their supervisor."""

from dataclasses import dataclass, replace

from app.db.session import Database
from app.jobs import repository
from workers.host.attempt import Attempt
from workers.protocol.messages import Command, EditMessage, ProgressReport, SavedCheckpoint


@dataclass
class DirectContext:
    """A context without a pipe: what the loop tells is written at once, by the real supervisor."""

    attempt: Attempt
    db: Database

    def report(self, report: ProgressReport) -> None:
        self._write(report)

    def save(self, saved: SavedCheckpoint) -> None:
        self._write(saved)

    def _write(self, message: ProgressReport | SavedCheckpoint | EditMessage) -> None:
        self.attempt._backlog.append(replace(message, job_id=self.attempt.job.id))
        while self.attempt._backlog:
            self.attempt._write()

    def commands(self) -> list[Command]:
        requests, found = (
            self.db.run(repository.find_requests, self.attempt.job.id, self.attempt.fence),
            list[Command](),
        )
        self.attempt._edits.poll(requests.edit_changes, found.append)
        return [*found, *([Command("cancel" if requests.verb == "cancel" else "pause")] if requests.verb else [])]

    def report_edit(self, message: EditMessage) -> None:
        self._write(message)

    def has_ending_command(self) -> bool:
        return False
