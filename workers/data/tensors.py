"""Examples as resident tensors: split, scaled, and cut into batches without copying more than the batch."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from app.errors import DataError
from app.spec.data import DataSchema
from app.spec.data import Split as SplitSpec
from workers.data.sampler import stream_seed
from workers.data.sources import Loaded

SPLIT_STREAM = 0x5B117  # keeps the draw of the held-out rows apart from the epochs' orders


@dataclass(frozen=True)
class Rows:
    """Examples: the network's inputs by name, each (rows, …), and the target (rows, …), all on one device."""

    inputs: Mapping[str, Tensor]
    target: Tensor

    def __len__(self) -> int:
        return len(self.target)

    @property
    def device(self) -> torch.device:
        """Where the examples lie."""
        return self.target.device

    def at(self, indices: Tensor, device: torch.device) -> tuple[dict[str, Tensor], Tensor]:
        """Return the batch of these rows on a device."""
        inputs = {name: column.index_select(0, indices).to(device) for name, column in self.inputs.items()}
        return inputs, self.target.index_select(0, indices).to(device)

    def slices(self, size: int, device: torch.device) -> Iterator[tuple[dict[str, Tensor], Tensor]]:
        """Yield all rows in order, `size` at a time, on a device."""
        for start in range(0, len(self), size):
            part = slice(start, start + size)
            yield {name: column[part].to(device) for name, column in self.inputs.items()}, self.target[part].to(device)

    def moved(self, device: torch.device) -> "Rows":
        """Return the same rows on a device."""
        inputs = {name: column.to(device) for name, column in self.inputs.items()}
        return replace(self, inputs=inputs, target=self.target.to(device))

    def size(self) -> int:
        """Return the size in bytes."""
        return sum(column.nbytes for column in (*self.inputs.values(), self.target))


@dataclass(frozen=True)
class Tensors:
    """What is trained on, and what is held out (nothing, where the job has no validation)."""

    train: Rows
    validation: Rows | None

    def cast(self, function: Callable[[Tensor], Tensor]) -> "Tensors":
        """Return the data with every target as a loss wants it."""
        held = self.validation
        train = replace(self.train, target=function(self.train.target))
        return Tensors(train, replace(held, target=function(held.target)) if held is not None else None)

    def resident(self, device: torch.device, room: int) -> "Tensors":
        """Return the data on the device if it takes at most `room` bytes there, else as it is: batches move then."""
        if self.train.size() + (self.validation.size() if self.validation else 0) > room:
            return self
        return Tensors(self.train.moved(device), self.validation.moved(device) if self.validation else None)


def tensors(
    loaded: Loaded,
    schema: DataSchema,
    *,
    inputs: Sequence[str],
    target: str,
    split: SplitSpec | None = None,
    scale: str | None = None,
    seed: int = 0,
) -> Tensors:
    """Cut what a source holds into training and held-out rows, of the schema's dtypes.

    `scale` is none, unit or standard; by default bytes with a shape (images) are divided by their largest value.
    Without `split` a "test" split is held out where there is one. Raises `DataError`.
    """
    names = (*inputs, target)
    train = {name: _typed(loaded.splits["train"], schema, name) for name in names}
    parts = [train]
    if split is not None and split.fraction is not None:
        kept, held = drawn(len(train[target]), split.fraction, seed)
        parts = [{name: column[rows] for name, column in train.items()} for rows in (kept, held)]
    elif "test" in loaded.splits:
        parts.append({name: _typed(loaded.splits["test"], schema, name) for name in names})
    for name in inputs:
        if parts[0][name].dtype == torch.float32:
            shift, factor = _scaling(parts[0][name], scale, loaded.peaks.get(name))
            for part in parts:
                part[name] = (part[name] - shift) / factor
    train_rows, *held_rows = [Rows({name: part[name] for name in inputs}, part[target]) for part in parts]
    return Tensors(train_rows, held_rows[0] if held_rows else None)


def drawn(rows: int, fraction: float, seed: int) -> tuple[Tensor, Tensor]:
    """Return (kept, held out): sorted row numbers; both sides get a row. Raises `DataError` for a single row."""
    if rows < 2:
        raise DataError("a single row cannot be split", pointer="/data/validation", hint="remove validation")
    count = min(max(1, round(fraction * rows)), rows - 1)
    order = torch.randperm(rows, generator=torch.Generator().manual_seed(stream_seed(seed, SPLIT_STREAM)))
    return order[count:].sort().values, order[:count].sort().values


def _typed(split: Mapping[str, Tensor], schema: DataSchema, name: str) -> Tensor:
    column = schema.column(name)
    if column is None or name not in split:
        raise DataError(f'the data has no column "{name}"', pointer="/data")
    if tuple(split[name].shape[1:]) != tuple(column.shape):
        found, wanted = list(split[name].shape[1:]), list(column.shape)
        raise DataError(f'column "{name}" has shape {found} per example, the schema says {wanted}', pointer="/data")
    return split[name].to(getattr(torch, column.dtype))


def _scaling(column: Tensor, scale: str | None, peak: float | None) -> tuple[Tensor | float, Tensor | float]:
    """Return (shift, factor) for (x - shift) / factor, measured on the training rows alone.

    `peak` is the largest value that the source's own type can hold: its presence marks images of bytes.
    """
    if scale == "unit" or (scale is None and peak is not None):
        return 0.0, peak or float(column.abs().max()) or 1.0
    if scale == "standard":
        shift, deviation = column.mean(0), column.std(0, correction=0)
        return shift, torch.where(deviation > 0, deviation, torch.ones_like(deviation))  # a constant stays 0
    return 0.0, 1.0
