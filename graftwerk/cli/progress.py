"""A job's progress: a bar on a terminal, plain lines elsewhere."""

import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from graftwerk.jobs import Job
from graftwerk.types import TERMINAL_STATUSES, Event, parse_number

LINE_INTERVAL_SECONDS = 2.0  # between two plain lines of the same phase
# Kind of event → what is printed of its data.
EDIT_EVENTS: Mapping[str, str] = {
    "edit_applied": "edit {edit} is applied before step {step}: revision {revision}",
    "edit_rejected": "edit {edit} is rejected; `graftwerk edits` says why",
    "edit_withdrawn": "edit {edit} is withdrawn",
    "rolled_back": "back to revision {to} at step {step}: revision {revision}",
}


class ProgressView(Protocol):
    """Shows a job's progress."""

    def show(self, state: str, progress: Mapping[str, Any]) -> None:
        """Show the state (a status or phase) and the progress."""
        ...

    def note(self, line: str) -> None:
        """Print a line that stays."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *error: object) -> None: ...


class ProgressBarView:
    """A progress bar."""

    def __init__(self, console: Console) -> None:
        columns = ("{task.description:<10}", "{task.fields[epoch]}", BarColumn(), "{task.fields[words]}")
        self._bar = Progress(
            *(TextColumn(item) if isinstance(item, str) else item for item in columns), console=console
        )
        self._task = self._bar.add_task("", total=None, epoch="", words="")

    def show(self, state: str, progress: Mapping[str, Any]) -> None:
        """Update the bar."""
        total = progress.get("total_steps")
        epoch, *rest = format_progress(progress, state in TERMINAL_STATUSES) or [""]
        words = "  ".join(rest)
        self._bar.update(
            self._task, description=state, total=total, completed=progress.get("step", 0), epoch=epoch, words=words
        )

    def note(self, line: str) -> None:
        """Print above the bar."""
        self._bar.console.print(line, markup=False)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.stop()


class ProgressLineView:
    """Plain lines, at intervals."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._state = ""
        self._line = ""  # the last one printed
        self._printed_at = 0.0
        self._pending = ""

    def show(self, state: str, progress: Mapping[str, Any]) -> None:
        """Print a line if the state has changed or the last line is old; else keep it for the end."""
        line = "  ".join([f"{state:<10}", *format_progress(progress, state in TERMINAL_STATUSES)]).rstrip()
        now = time.monotonic()
        if state == self._state and now - self._printed_at < LINE_INTERVAL_SECONDS:
            self._pending = line if line != self._line else ""
            return
        self._state, self._line, self._printed_at, self._pending = state, line, now, ""
        self._console.print(line, markup=False)

    def note(self, line: str) -> None:
        """Print the line."""
        self._console.print(line, markup=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._pending:
            self._console.print(self._pending, markup=False)


def format_progress(progress: Mapping[str, Any], ended: bool = False) -> list[str]:
    """Return epoch, step, latest values and rate, as far as they are known, and unless `ended` the remaining time."""
    step, total, per_epoch = (progress.get(name) for name in ("step", "total_steps", "steps_per_epoch"))
    if step is None:
        return []
    parts = []
    if per_epoch:
        epochs = f"/{-(-total // per_epoch)}" if total else ""
        parts.append(f"epoch {min(step, (total or step + 1) - 1) // per_epoch + 1}{epochs}")
    parts.append(f"step {step}/{total}" if total else f"step {step}")
    parts += [f"{name} {parse_number(value):.4g}" for name, value in (progress.get("latest") or {}).items()]
    rate = progress.get("rate")
    if rate:
        parts.append(f"{rate:.0f} steps/s")
        if total and step < total and not ended:
            parts.append(f"ETA {timedelta(seconds=round((total - step) / rate))}")
    return parts


def watch_progress(job: Job, console: Console) -> Job:
    """Show the job's progress until it has ended, and return it. An interruption does not stop the job."""
    view: ProgressView = ProgressBarView(console) if console.is_terminal else ProgressLineView(console)
    state, progress = job.phase or job.status, dict(job.progress)
    with view:
        view.show(state, progress)
        for event in job.stream(after=int(job.document.get("last_event") or 0)):
            state, progress = apply_event(state, progress, event)
            if note := format_edit_event(event):
                view.note(note)
            view.show(state, progress)
    return job.refresh()


def format_edit_event(event: Event) -> str:
    """Return what an event tells of an edit; nothing for other events."""
    form = EDIT_EVENTS.get(event.kind)
    return form.format_map(event.data) if form is not None else ""


def apply_event(state: str, progress: dict[str, Any], event: Event) -> tuple[str, dict[str, Any]]:
    """Return the state and progress after an event."""
    if event.kind == "status":
        return str(event.data["to"]), progress
    if event.kind == "done":
        return str(event.data.get("status", state)), progress
    if event.kind == "phase":
        return str(event.data["phase"]) or state, progress
    if event.kind == "metrics":
        return state, progress | (event.data.get("progress") or {})
    return state, progress
