"""Batches of pictures that are decoded and changed by processes beside the training, for what does not fit into memory.

The processes make of pictures what stays bytes, a few steps ahead; everything else happens where the training is, by
the same functions as for pictures in memory, so that the batches are the same bits. They are forked when training
begins, or goes on, at the step that it has reached, and end with the process that forked them, however it ends.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from app.errors import DataError, OutOfMemory
from workers.data.columns import Made
from workers.data.images.mixing import Mixing
from workers.data.loading.batches import Batch, Feed, Supply, mixed, row_keys
from workers.data.loading.sampler import Sampler
from workers.data.loading.tensors import Batch as Slice
from workers.data.loading.tensors import Rows

PR_SET_PDEATHSIG = 1  # from linux/prctl.h
AHEAD = 2  # steps that each process has ready
LOST = "DataLoader worker (pid"  # how torch begins to tell of a process that has died


@dataclass(frozen=True)
class Failed:
    """An error on its way from another process: as an exception it would lose its parts."""

    detail: str
    pointer: str = ""
    hint: str = ""
    passing: bool = False  # of the machine, not of the data

    @classmethod
    def of(cls, error: DataError | OSError) -> "Failed":
        """Pack an error."""
        if isinstance(error, DataError):
            return cls(error.detail, error.pointer, error.hint)
        return cls(f"{type(error).__name__}: {error}", passing=True)

    def unpacked(self) -> DataError | OSError:
        """Return it again."""
        return OSError(self.detail) if self.passing else DataError(self.detail, pointer=self.pointer, hint=self.hint)


Shaded = list[list[Tensor]] | Failed  # by batch, the bytes of each column of pictures


@dataclass(frozen=True)
class StepPictures(Dataset[Shaded]):
    """The pictures of a step."""

    rows: Rows
    sampler: Sampler

    def __getitem__(self, step: int) -> Shaded:
        """Return the pictures of each batch of a step, as far as they stay bytes."""
        try:
            return [[images.shaded(indices, row_keys(self.rows, self.sampler, step, indices))
                     for images in self.rows.pictures] for indices, _ in self.sampler.batches(step)]  # fmt: skip
        except (DataError, OSError) as error:
            return Failed.of(error)


@dataclass(frozen=True)
class SlicePictures(Dataset[Shaded]):
    """The pictures of a slice of rows, in evaluation."""

    rows: Rows
    parts: Sequence[Tensor]

    def __getitem__(self, place: int) -> Shaded:
        """Return the pictures of a slice, as far as they stay bytes."""
        try:
            return [[images.shaded(self.parts[place], None) for images in self.rows.pictures]]
        except (DataError, OSError) as error:
            return Failed.of(error)


@dataclass
class Stream:
    """What every optimizer step sees, in the order of the steps."""

    rows: Rows
    sampler: Sampler
    device: torch.device
    loaders: int  # processes
    last: int  # the step before which it ends
    mixing: Mixing | None = None
    _next: int = -1
    _coming: Iterator[list[list[Tensor]]] = field(default_factory=lambda: iter(()))

    @property
    def targets(self) -> Mapping[str, Made]:
        """The targets, see `Supply`."""
        return self.rows.targets if self.mixing is None else self.mixing.targets(self.rows.targets)

    def batches(self, step: int) -> list[Batch]:
        """Return the batches of optimizer step `step` (from 0). Raises `DataError` for pictures that cannot be read."""
        if step != self._next:
            self._coming = loaded(
                StepPictures(self.rows, self.sampler), range(step, self.last), self.loaders, self.device
            )
        shaded = next(self._coming)
        self._next = step + 1
        return mixed(self.mixing, step, [
            (*self.rows.at(indices, self.device, row_keys(self.rows, self.sampler, step, indices), each), share)
            for (indices, share), each in zip(self.sampler.batches(step), shaded, strict=True)])  # fmt: skip


@dataclass(frozen=True)
class Streamed:
    """Rows that are passed through in evaluation, as `Rows` are."""

    rows: Rows
    loaders: int

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def inputs(self) -> Mapping[str, Made]:
        """The inputs of all rows."""
        return self.rows.inputs

    @property
    def targets(self) -> Mapping[str, Made]:
        """The targets of all rows."""
        return self.rows.targets

    def slices(self, size: int, device: torch.device) -> Iterator[Slice]:
        """Yield all rows in order, `size` at a time, on a device. Raises `DataError`."""
        parts = self.rows.parts(size)
        coming = loaded(SlicePictures(self.rows, parts), range(len(parts)), self.loaders, device)
        for part, shaded in zip(parts, coming, strict=True):
            yield self.rows.at(part, device, None, shaded[0])


Held = Rows | Streamed


@dataclass(frozen=True)
class Loading:
    """Where pictures are made ready."""

    loaders: int = 0  # processes beside the training
    always: bool = False  # also for pictures in memory

    def supply(self, rows: Rows, sampler: Sampler, device: torch.device, last: int, mixing: Mixing | None) -> Supply:
        """Return what the steps before `last` see, from memory or from other processes."""
        if self._aside(rows):
            return Stream(rows, sampler, device, self.loaders, last, mixing)
        return Feed(rows, sampler, device, mixing)

    def held(self, rows: Rows | None) -> Held | None:
        """Return what is evaluated, from memory or from other processes."""
        return Streamed(rows, self.loaders) if rows is not None and self._aside(rows) else rows

    def _aside(self, rows: Rows) -> bool:
        return bool(self.loaders and rows.pictures) and (self.always or not rows.resident)


def loaded(
    items: Dataset[Shaded], order: Sequence[int], loaders: int, device: torch.device
) -> Iterator[list[list[Tensor]]]:
    """Yield items in order, made by other processes a few ahead. Raises `DataError`; `OutOfMemory` if one is lost."""
    loader: DataLoader[Any] = DataLoader(
        items, batch_size=None, sampler=order, num_workers=loaders, collate_fn=_same, prefetch_factor=AHEAD,
        multiprocessing_context="fork", worker_init_fn=partial(_begin, os.getpid()), pin_memory=device.type == "cuda",
        generator=torch.Generator(),  # not the stream that dropout draws from
    )  # fmt: skip
    coming = iter(loader)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # torch's handler would raise wherever the training is just then
    for _ in order:
        try:
            shaded = next(coming)
        except (OSError, EOFError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and not str(error).startswith(LOST):
                raise
            hint = "a smaller batch_size needs less memory; so do fewer GRAFTWERK_LOADERS; see also /dev/shm"
            detail = "a process that decodes pictures was lost"
            raise OutOfMemory(detail, pointer="/training/batch_size", hint=hint) from error
        if isinstance(shaded, Failed):
            raise shaded.unpacked()
        yield shaded


def _same(item: Any) -> Any:
    return item


def _begin(parent: int, number: int) -> None:
    """Begin such a process: it ends with its parent, at once on Linux, elsewhere when it next looks after it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))
    if os.getppid() != parent:
        os._exit(os.EX_UNAVAILABLE)
