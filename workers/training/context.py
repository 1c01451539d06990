"""The three capabilities the loop knows, and their in-memory twin."""

from dataclasses import dataclass, field
from typing import Protocol

from workers.protocol.messages import Command, ProgressReport, SavedCheckpoint, SeriesPoints


class Context(Protocol):
    """Everything the loop may do to the outside world."""

    def report(self, report: ProgressReport) -> None:
        """Tell where the training is and hand over new points. Never blocks for longer than a pipe write."""
        ...

    def save(self, saved: SavedCheckpoint) -> None:
        """Announce a checkpoint whose files are durable; also from another thread."""
        ...

    def commands(self) -> list[Command]:
        """Return what was asked since the last call, oldest first; cheap enough for every step."""
        ...


@dataclass
class MemoryContext:
    """The in-memory twin: keeps everything, and hands out commands at chosen calls.

    `script` maps the number of a `commands()` call (counted from 0) to the commands given then.
    """

    script: dict[int, list[Command]] = field(default_factory=dict)
    reports: list[ProgressReport] = field(default_factory=list)
    saved: list[SavedCheckpoint] = field(default_factory=list)
    calls: int = 0

    def report(self, report: ProgressReport) -> None:
        """Keep the report."""
        self.reports.append(report)

    def save(self, saved: SavedCheckpoint) -> None:
        """Keep the announcement."""
        self.saved.append(saved)

    def commands(self) -> list[Command]:
        """Return the scripted commands of this call."""
        self.calls += 1
        return self.script.get(self.calls - 1, [])

    def series(self, name: str) -> SeriesPoints:
        """Return every point reported for a series, joined."""
        joined = SeriesPoints([], [], [], [])
        for report in self.reports:
            block = report.series.get(name)
            if block is not None:
                joined.step.extend(block.step)
                joined.value.extend(block.value)
                joined.time.extend(block.time)
                joined.elapsed.extend(block.elapsed)
        return joined
