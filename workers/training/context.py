"""The interface between a training and its process: reports, checkpoints and commands; and a fake of it in memory."""

from dataclasses import dataclass, field
from typing import Protocol

from workers.protocol.messages import Command, EditMessage, ProgressReport, SavedCheckpoint, SeriesPoints


class Context(Protocol):
    """Everything that a training may do to the outside world."""

    def report(self, report: ProgressReport) -> None:
        """Send progress, new points and events. Blocks no longer than a write to a pipe."""
        ...

    def save(self, saved: SavedCheckpoint) -> None:
        """Announce a checkpoint whose files are durable. May be called from another thread."""
        ...

    def commands(self) -> list[Command]:
        """Return the commands since the last call, oldest first. Cheap enough for every step."""
        ...

    def has_ending_command(self) -> bool:
        """Return whether `commands` would return one to end: within an evaluation, which is given up then."""
        ...

    def report_edit(self, message: EditMessage) -> None:
        """Say what became of an edit, after everything that was reported before."""
        ...


@dataclass
class MemoryContext:
    """A context that keeps everything in memory, for tests.

    `script` maps the number of a `commands()` call (counted from 0) to the commands that it returns, and
    `evaluation_script` such a number and that of a batch (from 1) of the evaluation after it.
    """

    script: dict[int, list[Command]] = field(default_factory=dict)
    reports: list[ProgressReport] = field(default_factory=list)
    saved: list[SavedCheckpoint] = field(default_factory=list)
    edits: list[EditMessage] = field(default_factory=list)
    evaluation_script: dict[tuple[int, int], list[Command]] = field(default_factory=dict)  # by (call, batch)
    calls: int = 0
    batches: int = 0  # evaluated since the last call of `commands`

    def report(self, report: ProgressReport) -> None:
        """Append to `reports`."""
        self.reports.append(report)

    def save(self, saved: SavedCheckpoint) -> None:
        """Append to `saved`."""
        self.saved.append(saved)

    def commands(self) -> list[Command]:
        """Return the commands that the script has for this call."""
        self.calls, self.batches = self.calls + 1, 0
        return self.script.get(self.calls - 1, [])

    def report_edit(self, message: EditMessage) -> None:
        """Append to `edits`."""
        self.edits.append(message)

    def has_ending_command(self) -> bool:
        """Return whether `evaluation_script` has commands for this batch; the next call of `commands` returns them."""
        self.batches += 1
        commands = self.evaluation_script.pop((self.calls - 1, self.batches), None)
        if commands is not None:
            self.script[self.calls] = commands
        return commands is not None

    def series(self, name: str) -> SeriesPoints:
        """Return all reported points of a series."""
        joined = SeriesPoints([], [], [], [])
        for report in self.reports:
            block = report.series.get(name)
            if block is not None:
                joined.step.extend(block.step)
                joined.value.extend(block.value)
                joined.time.extend(block.time)
                joined.elapsed.extend(block.elapsed)
        return joined
