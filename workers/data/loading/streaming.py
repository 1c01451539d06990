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
from workers.data.columns import PreparedColumn
from workers.data.images.mixing import Mixing
from workers.data.loading.batch_source import BatchSource, WeightedBatch
from workers.data.loading.batches import InMemoryBatches, SampledBatches, row_keys
from workers.data.loading.examples import Batch as Slice
from workers.data.loading.examples import ExampleSet
from workers.data.loading.sampler import Sampler

PR_SET_PDEATHSIG = 1  # from linux/prctl.h
PREFETCH_FACTOR = 2  # steps that each process has ready
WORKER_DIED_PREFIX = "DataLoader worker (pid"  # how torch begins to tell of a process that has died


@dataclass(frozen=True)
class WorkerError:
    """An error on its way from another process: as an exception it would lose its parts."""

    detail: str
    pointer: str = ""
    hint: str = ""
    is_transient: bool = False  # of the machine, not of the data

    @classmethod
    def from_exception(cls, error: DataError | OSError) -> "WorkerError":
        """Pack an error."""
        if isinstance(error, DataError):
            return cls(error.detail, error.pointer, error.hint)
        return cls(f"{type(error).__name__}: {error}", is_transient=True)

    def to_exception(self) -> DataError | OSError:
        """Return it again."""
        return (
            OSError(self.detail) if self.is_transient else DataError(self.detail, pointer=self.pointer, hint=self.hint)
        )


WorkerResult = list[list[Tensor]] | WorkerError  # by batch, the bytes of each column of pictures


@dataclass(frozen=True)
class StepImageDataset(Dataset[WorkerResult]):
    """The pictures of a step."""

    rows: ExampleSet
    sampler: Sampler

    def __getitem__(self, step: int) -> WorkerResult:
        """Return the pictures of each batch of a step, as far as they stay bytes."""
        try:
            return [
                [
                    images.load_batch(indices, row_keys(self.rows, self.sampler, step, indices))
                    for images in self.rows.image_columns
                ]
                for indices, _ in self.sampler.batches(step)
            ]
        except (DataError, OSError) as error:
            return WorkerError.from_exception(error)


@dataclass(frozen=True)
class SliceImageDataset(Dataset[WorkerResult]):
    """The pictures of a slice of rows, in evaluation."""

    rows: ExampleSet
    indices: Sequence[Tensor]

    def __getitem__(self, place: int) -> WorkerResult:
        """Return the pictures of a slice, as far as they stay bytes."""
        try:
            return [[images.load_batch(self.indices[place], None) for images in self.rows.image_columns]]
        except (DataError, OSError) as error:
            return WorkerError.from_exception(error)


@dataclass
class StreamedBatches(SampledBatches):
    """Batches whose images other processes decode, in the order of the steps."""

    num_workers: int = 1
    end_step: int = 0  # the step before which it ends
    _next_step: int = -1
    _iterator: Iterator[list[list[Tensor]]] = field(default_factory=lambda: iter(()))

    def batches(self, step: int) -> list[WeightedBatch]:
        """Return the batches of optimizer step `step` (from 0). Raises `DataError` for images that cannot be read."""
        if step != self._next_step:
            self._iterator = load_in_processes(
                StepImageDataset(self.rows, self.sampler), range(step, self.end_step), self.num_workers, self.device
            )
        decoded = next(self._iterator)
        self._next_step = step + 1
        return self.gather(step, decoded)


@dataclass(frozen=True)
class StreamedExamples:
    """Rows that are passed through in evaluation, as `Rows` are."""

    rows: ExampleSet
    num_workers: int

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def inputs(self) -> Mapping[str, PreparedColumn]:
        """The inputs of all rows."""
        return self.rows.inputs

    @property
    def targets(self) -> Mapping[str, PreparedColumn]:
        """The targets of all rows."""
        return self.rows.targets

    def iter_batches(self, size: int, device: torch.device) -> Iterator[Slice]:
        """Yield all rows in order, `size` at a time, on a device. Raises `DataError`."""
        parts = self.rows.split_indices(size)
        coming = load_in_processes(SliceImageDataset(self.rows, parts), range(len(parts)), self.num_workers, device)
        for part, shaded in zip(parts, coming, strict=True):
            yield self.rows.batch(part, device, None, shaded[0])


EvaluationExamples = ExampleSet | StreamedExamples


@dataclass(frozen=True)
class LoadingStrategy:
    """Where pictures are made ready."""

    num_workers: int = 0  # processes beside the training
    always_stream: bool = False  # also for pictures in memory

    def batch_source(
        self, rows: ExampleSet, sampler: Sampler, device: torch.device, last: int, mixing: Mixing | None
    ) -> BatchSource:
        """Return what the steps before `last` see, from memory or from other processes."""
        if self._uses_processes(rows):
            return StreamedBatches(rows, sampler, device, mixing, self.num_workers, last)
        return InMemoryBatches(rows, sampler, device, mixing)

    def evaluation_examples(self, rows: ExampleSet | None) -> EvaluationExamples | None:
        """Return what is evaluated, from memory or from other processes."""
        return StreamedExamples(rows, self.num_workers) if rows is not None and self._uses_processes(rows) else rows

    def _uses_processes(self, rows: ExampleSet) -> bool:
        return bool(self.num_workers and rows.image_columns) and (self.always_stream or not rows.is_resident)


def load_in_processes(
    items: Dataset[WorkerResult], order: Sequence[int], loaders: int, device: torch.device
) -> Iterator[list[list[Tensor]]]:
    """Yield items in order, made by other processes a few ahead. Raises `DataError`; `OutOfMemory` if one is lost."""
    loader: DataLoader[Any] = DataLoader(
        items,
        batch_size=None,
        sampler=order,
        num_workers=loaders,
        collate_fn=_identity,
        prefetch_factor=PREFETCH_FACTOR,
        multiprocessing_context="fork",
        worker_init_fn=partial(_init_worker, os.getpid()),
        pin_memory=device.type == "cuda",
        generator=torch.Generator(),  # not the stream that dropout draws from
    )
    coming = iter(loader)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # torch's handler would raise wherever the training is just then
    for _ in order:
        try:
            shaded = next(coming)
        except (OSError, EOFError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and not str(error).startswith(WORKER_DIED_PREFIX):
                raise
            hint = "a smaller batch_size needs less memory; so do fewer GRAFTWERK_LOADERS; see also /dev/shm"
            detail = "a process that decodes pictures was lost"
            raise OutOfMemory(detail, pointer="/training/batch_size", hint=hint) from error
        if isinstance(shaded, WorkerError):
            raise shaded.to_exception()
        yield shaded


def _identity(item: Any) -> Any:
    return item


def _init_worker(parent: int, number: int) -> None:
    """Begin such a process: it ends with its parent, at once on Linux, elsewhere when it next looks after it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))
    if os.getppid() != parent:
        os._exit(os.EX_UNAVAILABLE)
