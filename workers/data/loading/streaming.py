"""Batches whose images are decoded by other processes, for images that do not fit into memory.

The processes decode images and apply the transforms of bytes, a few steps ahead; everything else happens in the
training process, by the same functions as for images in memory, so that batches have the same bits. They are forked
when training starts or resumes, and end with the process that forked them, however it ends.
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

from app.errors import DataError, LoaderDied
from workers.data.columns import PreparedColumn
from workers.data.images.mixing import Mixing
from workers.data.loading.batch_source import BatchSource, WeightedBatch
from workers.data.loading.batches import InMemoryBatches, SampledBatches, row_keys
from workers.data.loading.examples import Batch as Slice
from workers.data.loading.examples import ExampleSet
from workers.data.loading.sampler import Sampler

PR_SET_PDEATHSIG = 1  # from linux/prctl.h
PREFETCH_FACTOR = 2  # steps that each process has ready in advance
WORKER_DIED_PREFIX = "DataLoader worker (pid"  # of torch's message about a process that has died


@dataclass(frozen=True)
class WorkerError:
    """An error in another process, as data: an exception would lose its pointer and hint when it is pickled."""

    detail: str
    pointer: str = ""
    hint: str = ""
    is_transient: bool = False  # an error of the machine, not of the data

    @classmethod
    def from_exception(cls, error: DataError | OSError) -> "WorkerError":
        """Return the error as data."""
        if isinstance(error, DataError):
            return cls(error.detail, error.pointer, error.hint)
        return cls(f"{type(error).__name__}: {error}", is_transient=True)

    def to_exception(self) -> DataError | OSError:
        """Return the error as an exception."""
        return (
            OSError(self.detail) if self.is_transient else DataError(self.detail, pointer=self.pointer, hint=self.hint)
        )


WorkerResult = list[list[Tensor]] | WorkerError  # by batch, the images of each column, see `ImageColumn.load_batch`


@dataclass(frozen=True)
class StepImageDataset(Dataset[WorkerResult]):
    """The images of each step of training."""

    rows: ExampleSet
    sampler: Sampler

    def __getitem__(self, step: int) -> WorkerResult:
        """Return the images of each batch of a step, after the transforms of bytes."""
        try:
            return [
                [
                    images.load_batch(indices, row_keys(self.rows, self.sampler, step, indices, number))
                    for images in self.rows.image_columns
                ]
                for number, (indices, _) in enumerate(self.sampler.batches(step))
            ]
        except (DataError, OSError) as error:
            return WorkerError.from_exception(error)


@dataclass(frozen=True)
class SliceImageDataset(Dataset[WorkerResult]):
    """The images of each slice of rows of evaluation."""

    rows: ExampleSet
    indices: Sequence[Tensor]

    def __getitem__(self, position: int) -> WorkerResult:
        """Return the images of a slice, after the transforms of bytes."""
        try:
            return [[images.load_batch(self.indices[position], None) for images in self.rows.image_columns]]
        except (DataError, OSError) as error:
            return WorkerError.from_exception(error)


@dataclass
class StreamedBatches(SampledBatches):
    """Batches whose images other processes decode, in the order of the steps."""

    num_workers: int = 1
    end_step: int = 0  # the number of steps of the training
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
    """The rows of an evaluation, as `ExampleSet` has them."""

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
        """Yield all rows in order as batches of `size` on a device. Raises `DataError` for unreadable images."""
        slices = self.rows.split_indices(size)
        dataset = SliceImageDataset(self.rows, slices)
        loaded = load_in_processes(dataset, range(len(slices)), self.num_workers, device)
        for indices, decoded in zip(slices, loaded, strict=True):
            yield self.rows.batch(indices, device, None, decoded[0])


EvaluationExamples = ExampleSet | StreamedExamples


@dataclass(frozen=True)
class LoadingStrategy:
    """Where images are decoded."""

    num_workers: int = 0  # of other processes
    always_stream: bool = False  # even images in memory

    def batch_source(
        self, rows: ExampleSet, sampler: Sampler, device: torch.device, end_step: int, mixing: Mixing | None
    ) -> BatchSource:
        """Return the batches of the steps before `end_step`, from memory or from other processes."""
        if self._uses_processes(rows):
            return StreamedBatches(rows, sampler, device, mixing, self.num_workers, end_step)
        return InMemoryBatches(rows, sampler, device, mixing)

    def evaluation_examples(self, rows: ExampleSet | None, bucket: str | None = None) -> EvaluationExamples | None:
        """Return the rows of an evaluation, from memory or from other processes; of a bucket in order of length."""
        if rows is not None and bucket is not None:
            rows = rows.sorted_by_length(bucket)
        return StreamedExamples(rows, self.num_workers) if rows is not None and self._uses_processes(rows) else rows

    def _uses_processes(self, rows: ExampleSet) -> bool:
        return bool(self.num_workers and rows.image_columns) and (self.always_stream or not rows.is_resident)


def load_in_processes(
    dataset: Dataset[WorkerResult], order: Sequence[int], num_workers: int, device: torch.device
) -> Iterator[list[list[Tensor]]]:
    """Yield items in order, loaded ahead by other processes. Raises `DataError`; `LoaderDied` if a process dies."""
    loader: DataLoader[Any] = DataLoader(
        dataset,
        batch_size=None,
        sampler=order,
        num_workers=num_workers,
        collate_fn=_identity,
        prefetch_factor=PREFETCH_FACTOR,
        multiprocessing_context="fork",
        worker_init_fn=partial(_init_worker, os.getpid()),
        pin_memory=device.type == "cuda",
        generator=torch.Generator(),  # not the global stream, which dropout draws from
    )
    loaded = iter(loader)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # torch's handler would raise anywhere in the training
    for _ in order:
        try:
            item = next(loaded)
        except (OSError, EOFError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and not str(error).startswith(WORKER_DIED_PREFIX):
                raise
            hint = "reduce batch_size or GRAFTWERK_LOADERS, or enlarge /dev/shm"
            raise LoaderDied(pointer="/training/batch_size", hint=hint) from error
        if isinstance(item, WorkerError):
            raise item.to_exception()
        yield item


def _identity(item: Any) -> Any:
    return item


def _init_worker(parent: int, number: int) -> None:
    """Make a process end with its parent: at once on Linux, elsewhere if the parent has ended already."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))
    if os.getppid() != parent:
        os._exit(os.EX_UNAVAILABLE)
