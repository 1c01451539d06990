"""A job's progress: a bar on a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Protocol

import anyio
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn

from graftwerk.errors import GraftwerkClientError
from graftwerk.jobs import AsyncJob, Job
from graftwerk.jobs.document import JobDocument
from graftwerk.numbers import parse_number
from graftwerk.types import TERMINAL_STATUSES, Event

LINE_INTERVAL_SECONDS = 2.0  # between two plain lines of the same phase
RETURN_SUFFIX = "/return"  # of the series that tell how well an agent acts; where there are any, losses are not shown
# Kind of event → what is printed of its data.
NOTED_EVENTS: Mapping[str, str] = {
    "initial_weights": "{taken} tensors of {from} taken, {left_out} left out; {begun_anew} of the network begin anew",
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

    def close(self) -> None:
        """Show what has not been shown yet."""
        ...


def make_bars(console: Console) -> Progress:
    """Return bars on a terminal, one below the other."""
    columns = ("{task.fields[label]}", "{task.description:<10}", "{task.fields[epoch]}", "{task.fields[words]}")
    texts = [TextColumn(column) for column in columns]
    return Progress(*texts[:3], BarColumn(), texts[3], console=console)


class ProgressBarView:
    """A progress bar of one job."""

    def __init__(self, bars: Progress, label: str = "") -> None:
        self._bars = bars
        self._task = bars.add_task("", total=None, epoch="", words="", label=escape(label))

    def show(self, state: str, progress: Mapping[str, Any]) -> None:
        """Update the bar."""
        total = progress.get("total_steps")
        epoch, *rest = format_progress(progress, state in TERMINAL_STATUSES) or [""]
        words = "  ".join(rest)
        self._bars.update(
            self._task, description=state, total=total, completed=progress.get("step", 0), epoch=epoch, words=words
        )

    def note(self, line: str) -> None:
        """Print above the bars."""
        self._bars.console.print(line, markup=False)

    def close(self) -> None:
        """Leave the bar as it is."""


class ProgressLineView:
    """Plain lines, at intervals."""

    def __init__(self, console: Console, label: str = "") -> None:
        self._console = console
        self._label = f"{label}  " if label else ""
        self._state = ""
        self._line = ""  # the last one printed
        self._printed_at = 0.0
        self._pending = ""

    def show(self, state: str, progress: Mapping[str, Any]) -> None:
        """Print a line if the state has changed or the last line is old; else keep it for the end."""
        line = (
            self._label + "  ".join([f"{state:<10}", *format_progress(progress, state in TERMINAL_STATUSES)]).rstrip()
        )
        now = time.monotonic()
        if state == self._state and now - self._printed_at < LINE_INTERVAL_SECONDS:
            self._pending = line if line != self._line else ""
            return
        self._state, self._line, self._printed_at, self._pending = state, line, now, ""
        self._console.print(line, markup=False)

    def note(self, line: str) -> None:
        """Print the line."""
        self._console.print(self._label + line, markup=False)

    def close(self) -> None:
        """Print the last line."""
        if self._pending:
            self._console.print(self._pending, markup=False)


def format_progress(progress: Mapping[str, Any], ended: bool = False) -> list[str]:
    """Return epoch, step, latest values and rate, as far as they are known, and unless `ended` the remaining time.

    Of a job with environments, the values are the returns of episodes.
    """
    step, total, per_epoch = (progress.get(name) for name in ("step", "total_steps", "steps_per_epoch"))
    if step is None:
        return []
    parts = []
    if per_epoch and per_epoch != total:  # one epoch is the whole run, as in an environment
        epochs = f"/{-(-total // per_epoch)}" if total else ""
        parts.append(f"epoch {min(step, (total or step + 1) - 1) // per_epoch + 1}{epochs}")
    parts.append(f"step {step}/{total}" if total else f"step {step}")
    latest = progress.get("latest") or {}
    returns = {name: value for name, value in latest.items() if name.endswith(RETURN_SUFFIX)}
    parts += [f"{name} {parse_number(value):.4g}" for name, value in (returns or latest).items()]
    rate = progress.get("rate")
    if rate:
        parts.append(f"{rate:.0f} steps/s")
        if total and step < total and not ended:
            parts.append(f"ETA {timedelta(seconds=round((total - step) / rate))}")
    return parts


def watch_progress(job: Job, console: Console) -> Job:
    """Show the job's progress until it has ended, and return it. An interruption does not stop the job."""
    with show_views(console, [""]) as (view,):
        history = ProgressHistory(job, view)
        for event in job.stream(after=job.last_event):
            history.add(event)
    return job.refresh()


async def watch_jobs(jobs: Sequence[AsyncJob], console: Console) -> list[GraftwerkClientError]:
    """Show the progress of several jobs, a bar or lines for each, until all have ended; return what has failed."""
    with show_views(console, job_labels(jobs)) as views:
        histories = {job.id: ProgressHistory(job, view) for job, view in zip(jobs, views, strict=True)}
        return await follow_jobs(jobs, lambda job, event: histories[job.id].add(event))


async def follow_jobs(
    jobs: Sequence[AsyncJob], on_event: Callable[[AsyncJob, Event], None]
) -> list[GraftwerkClientError]:
    """Pass on the new events of several jobs until all have ended, and read them again; return what has failed."""
    failures: list[GraftwerkClientError] = []

    async def follow(job: AsyncJob) -> None:
        try:
            async for event in job.stream(after=job.last_event):
                on_event(job, event)
            await job.refresh()
        except GraftwerkClientError as error:
            failures.append(error)

    async with anyio.create_task_group() as tasks:
        for job in jobs:
            tasks.start_soon(follow, job)
    return failures


def job_labels(jobs: Sequence[AsyncJob]) -> list[str]:
    """Return the names of jobs, or where they have the same, their ids."""
    names = [job.name for job in jobs]
    return names if len(set(names)) == len(names) else [job.id for job in jobs]


@contextmanager
def show_views(console: Console, labels: Sequence[str]) -> Iterator[Sequence[ProgressView]]:
    """Show a view for each label: bars on a terminal, else lines."""
    views: list[ProgressView]
    if console.is_terminal:
        bars = make_bars(console)
        with bars:
            yield [ProgressBarView(bars, label) for label in labels]
        return
    views = [ProgressLineView(console, label) for label in labels]
    try:
        yield views
    finally:
        for view in views:
            view.close()


class ProgressHistory:
    """A job's state and progress, from its document and then from its events, in a view."""

    def __init__(self, job: JobDocument, view: ProgressView) -> None:
        self._state, self._progress = job.phase or job.status, dict(job.progress)
        self._view = view
        view.show(self._state, self._progress)

    def add(self, event: Event) -> None:
        """Show an event."""
        self._state, self._progress = apply_event(self._state, self._progress, event)
        if note := format_event(event):
            self._view.note(note)
        self._view.show(self._state, self._progress)


def format_event(event: Event) -> str:
    """Return what an event tells of edits and initial weights; nothing for other events."""
    form = NOTED_EVENTS.get(event.kind)
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
