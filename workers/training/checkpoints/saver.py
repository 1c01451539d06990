"""When checkpoints are saved, and how: tensors are copied at the step, and written while the training continues."""

import json
import time
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Self

import torch
from torch import Tensor

from app.errors import StorageFull, Unavailable
from app.faultpoints import faultpoint
from app.spec.training.checkpointing import Checkpointing
from app.storage.protocol import ArtifactStore
from workers.protocol.messages import ProgressReport, SavedCheckpoint, SavedFile
from workers.training.checkpoints.files import CheckpointSnapshot, ExportFunction, ReportFunction, write_checkpoint
from workers.training.checkpoints.segments import StoredSegments
from workers.training.context import Context
from workers.training.optim.schedules import JsonState
from workers.training.state import TrainState

RETRYABLE_ERRORS = (StorageFull, Unavailable)
RETRY_SECONDS = 5.0  # minimum after a checkpoint that could not be stored
RETRY_TIMEOUT_SECONDS = 300.0  # for a checkpoint that must be stored
WARNING_INTERVAL_SECONDS = 600.0  # between two warnings
MAX_HELD_BYTES = 256 << 20  # of a state that waits in memory for the next checkpoint


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A copy of a state on its way to the store."""

    content: CheckpointSnapshot
    export: ExportFunction  # of the revision's network
    copied: torch.cuda.Event | None  # to wait for until a GPU has made the copy


def _new_executor() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, "checkpoint")


@dataclass
class CheckpointSaver:
    """Stores the checkpoints of an attempt, one at a time. `prefix` is unique to the attempt: nothing is overwritten.

    After an edit they belong to another revision: a step may have one of each. Leaving its context waits for the
    checkpoints that are being written.
    """

    store: ArtifactStore
    context: Context
    prefix: str  # jobs/<job>/<fence>
    workdir: Path
    export: ExportFunction
    revision: int = 1
    saved_at: float = field(default_factory=time.monotonic)  # when the latest write ended
    write_seconds: float = 0.0  # duration of the latest write
    last_write_failed: bool = False
    retry_timeout_seconds: float = RETRY_TIMEOUT_SECONDS
    saved: list[SavedCheckpoint] = field(default_factory=list)  # those of this attempt, oldest first
    _last_warning_at: float = float("-inf")
    _cpu_copies: dict[str, Tensor] = field(default_factory=dict)  # reused, which is several times as fast
    _segments: StoredSegments = field(default_factory=StoredSegments)
    _newest: tuple[int, int] | None = None  # step and revision of the newest announced checkpoint
    _queued: tuple[int, int] | None = None  # of the last one that a thread was asked to write
    _held: Snapshot | None = None  # the best state, if it came too soon after a checkpoint to be saved at once
    _pending_writes: deque[Future[None]] = field(default_factory=deque)
    _executor: ThreadPoolExecutor = field(default_factory=_new_executor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._executor.shutdown()

    @property
    def saved_step(self) -> int | None:
        """The step of the newest announced checkpoint, if it is of this revision."""
        return self._newest[0] if self._newest is not None and self._newest[1] == self.revision else None

    def resume_at(self, step: int, segments: Sequence[SavedFile] = ()) -> None:
        """Begin at a step that has a checkpoint of this revision; `segments` are files of it, if it is of this job."""
        self._newest = (step, self.revision)
        self._segments.update(segments)

    @property
    def is_writing(self) -> bool:
        """Whether a checkpoint is being written."""
        return bool(self._pending_writes)

    def begin_revision(self, revision: int, export: ExportFunction) -> None:
        """Begin with the checkpoints of another revision; `export` writes the files of its network."""
        self.revision, self.export = revision, export

    def go_back(self, step: int) -> None:
        """Forget the states after a step, to which the training has gone back."""
        self._held = None
        self.saved = [saved for saved in self.saved if saved.step <= step]

    def poll(self, wait: bool = False) -> None:
        """Collect the results of writes that have ended. A retryable error becomes a warning, another one is raised."""
        while self._pending_writes and (wait or self._pending_writes[0].done()):
            try:
                self._pending_writes.popleft().result()
            except RETRYABLE_ERRORS as error:
                self._queued = None
                self._warn(error)

    def save(
        self,
        state: TrainState,
        epoch: float,
        values: Mapping[str, float],
        report: ReportFunction | None = None,
        at_once: bool = False,
    ) -> None:
        """Start to store a checkpoint, unless this step has one; wait first if one is being written.

        With `at_once` there is no waiting, but the copy takes memory of its own. `report` returns the report of the
        step's evaluation, if there was one. Without room there is a warning, and no checkpoint. Raises the error of the
        checkpoint before, unless it is retryable.
        """
        self.poll(wait=not at_once)
        place = (state.counters.step, self.revision)
        if place != self._newest and not (self.is_writing and place == self._queued):
            snapshot = self._snapshot(state, epoch, values, report, False, reuse=not at_once)
            self._queued = place
            self._pending_writes.append(self._executor.submit(self._write_after_held, snapshot, self._held))

    def hold(
        self, state: TrainState, epoch: float, values: Mapping[str, float], report: ReportFunction | None = None
    ) -> None:
        """Keep a copy of the best state in memory, to be stored before the next checkpoint; the one before is dropped.

        Of a state of more than `MAX_HELD_BYTES` nothing is kept.
        """
        self._held = None
        if sum(tensor.nbytes for tensor in state.state_tensors().values()) <= MAX_HELD_BYTES:
            self._held = self._snapshot(state, epoch, values, report, False, reuse=False)

    def drop_held(self) -> None:
        """Forget the held state, since a better one is stored."""
        self._held = None

    def save_held(self, step: int) -> None:
        """Store the held state, if there is one that is not of this `step`. A retryable error becomes a warning."""
        self.poll(wait=True)
        try:
            self._write_held(step, self._held)
        except RETRYABLE_ERRORS as error:
            self._warn(error)

    def save_and_wait(
        self,
        state: TrainState,
        epoch: float,
        values: Mapping[str, float],
        report: ReportFunction | None = None,
        final: bool = False,
        test_report: JsonState | None = None,
    ) -> None:
        """Store a checkpoint that the attempt must not end without, and wait for it.

        A final one is stored even if the step has one. Retries for `retry_timeout_seconds`. Raises `StorageFull` and
        `Unavailable`.
        """
        self.poll(wait=True)
        if state.counters.step == self.saved_step and not final:
            return None
        if final:
            faultpoint("final_checkpoint")
        snapshot = self._snapshot(state, epoch, values, report, final, test_report=test_report)
        until = time.monotonic() + self.retry_timeout_seconds
        while True:
            try:
                return self._write_after_held(snapshot, self._held)
            except RETRYABLE_ERRORS as error:
                self._warn(error)
                if time.monotonic() + RETRY_SECONDS > until:
                    raise
            time.sleep(RETRY_SECONDS)

    def _snapshot(
        self,
        state: TrainState,
        epoch: float,
        values: Mapping[str, float],
        report: ReportFunction | None,
        final: bool,
        reuse: bool = True,
        test_report: JsonState | None = None,
    ) -> Snapshot:
        """Copy the state, into the memory of the copy before if it may be reused."""
        copies, on_gpu, parts = {}, False, state.segments()
        segmented = {name for part in parts for name in part.tensors}
        segments = [self._segments.copy(part) for part in parts]
        for name, value in state.state_tensors().items():
            if name in segmented:
                continue
            copy = self._cpu_copies.get(name) if reuse else None
            if copy is None or (copy.shape, copy.dtype) != (value.shape, value.dtype):
                copy = torch.empty(value.shape, dtype=value.dtype, pin_memory=value.is_cuda)
            copies[name] = copy.copy_(value, non_blocking=value.is_cuda)
            on_gpu = on_gpu or value.is_cuda
        if reuse:
            self._cpu_copies = copies
        copied = torch.cuda.Event() if on_gpu else None
        if copied is not None:
            copied.record()
        numbers, step = json.dumps(state.state_json()), state.counters.step
        place = (test_report, self.revision, segments)
        content = CheckpointSnapshot(step, epoch, values, copies, numbers, report, final, *place)
        return Snapshot(content, self.export, copied)

    def _write_after_held(self, snapshot: Snapshot, held: Snapshot | None) -> None:
        self._write_held(snapshot.content.step, held)
        self._write(snapshot)

    def _write_held(self, step: int, held: Snapshot | None) -> None:
        """Write a state, if it is still the one that is held: one that came since is of a later step."""
        if held is None or self._held is not held:
            return
        if held.content.step != step:
            self._write(held)
        if self._held is held:
            self._held = None

    def _write(self, snapshot: Snapshot) -> None:
        began, content = time.monotonic(), snapshot.content
        try:
            if snapshot.copied is not None:
                snapshot.copied.synchronize()
            saved = write_checkpoint(content, snapshot.export, self.store, self.prefix, self.workdir, self._segments)
            self._segments.update(saved.files)
            self.context.save(replace(saved, seconds=time.monotonic() - began))
            self.saved.append(saved)
            self._newest, self.last_write_failed = (content.step, content.revision), False
        except RETRYABLE_ERRORS:
            self.last_write_failed = True
            raise
        finally:
            self.saved_at = time.monotonic()
            self.write_seconds = self.saved_at - began

    def _warn(self, error: StorageFull | Unavailable) -> None:
        if time.monotonic() - self._last_warning_at < WARNING_INTERVAL_SECONDS:
            return
        self._last_warning_at = time.monotonic()
        hint = error.hint or "make room for artifacts; the training continues, and will retry"
        warning = {"code": error.code, "detail": error.detail, "hint": hint}
        self.context.report(ProgressReport(events=(("warning", warning),)))


@dataclass(frozen=True)
class CheckpointPolicy:
    """Decides when a checkpoint is due."""

    plan: Checkpointing

    def is_due(self, saver: CheckpointSaver, step: int, improved: bool) -> bool:
        """Say whether to save after `step`: by count, by time, or because it is the best so far.

        The best are saved at most once a second, and only while saving takes at most a twentieth of the time. While
        one is being written, only the count makes the next one due.
        """
        if step in (0, saver.saved_step):
            return False
        waited = time.monotonic() - saver.saved_at
        if saver.last_write_failed and waited < RETRY_SECONDS:
            return False
        by_count = self.plan.every_steps is not None and step % self.plan.every_steps == 0
        if saver.is_writing:
            return by_count
        if improved and self.plan.keep_best and waited > max(1.0, 20 * saver.write_seconds):
            return True
        return by_count or (self.plan.every_seconds is not None and waited >= self.plan.every_seconds)
