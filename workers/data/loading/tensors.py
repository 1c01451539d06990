"""Examples as resident tensors: split, prepared, and cut into batches without copying more than the batch."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from app.errors import DataError
from app.spec.data.columns import DataSchema
from app.spec.data.feature_schema import View
from app.spec.data.sources import Split as SplitSpec
from workers.data.columns import Made, Ragged, Split, taken
from workers.data.features.preparation import Preparation
from workers.data.images.column import Images
from workers.data.loading.sampler import stream_seed
from workers.data.loading.sources import Loaded

SPLIT_STREAM = 0x5B117  # keeps the draw of the held-out rows apart from the epochs' orders

Batch = tuple[dict[str, Tensor], dict[str, Tensor]]  # inputs and targets by name
Cast = tuple[str, Callable[[Any], Any]]  # the name of a target, and what is made of it


@dataclass(frozen=True)
class Rows:
    """Examples: the network's inputs and the targets by name, each (rows, …), all on one device.

    `order` is that in which all rows are passed through, if it is not their own.
    """

    inputs: Mapping[str, Made]
    targets: Mapping[str, Made]
    order: Tensor | None = None

    def __len__(self) -> int:
        return len(self.columns[0])

    @property
    def columns(self) -> tuple[Made, ...]:
        """All columns, inputs first."""
        return (*self.inputs.values(), *self.targets.values())

    @property
    def device(self) -> torch.device:
        """Where the examples lie."""
        return self.columns[0].device

    @property
    def even(self) -> bool:
        """Whether all rows are alike in shape and at hand, so that batches can be cut out of larger ones."""
        return self.resident and not any(isinstance(column, Ragged) for column in self.columns)

    @property
    def pictures(self) -> tuple[Images, ...]:
        """The different columns of pictures."""
        found = {id(column): column for column in self.columns if isinstance(column, Images)}
        return tuple(found.values())

    @property
    def resident(self) -> bool:
        """Whether nothing has to be read from files."""
        return all(images.resident for images in self.pictures)

    def at(
        self, indices: Tensor, device: torch.device, keys: Tensor | None = None, shaded: Sequence[Tensor] = ()
    ) -> Batch:
        """Return the batch of these rows on a device: in training if they have keys.

        `shaded` is what has been made elsewhere of these rows' pictures, see `Images.shaded`.
        """
        made = dict(zip(map(id, self.pictures), shaded, strict=True)) if shaded else {}

        def cut(column: Made) -> Tensor:
            if not isinstance(column, Images):
                return column.index_select(0, indices).to(device)
            bytes_ = made[id(column)] if made else column.shaded(indices, keys)
            return column.finished(bytes_.to(device, non_blocking=True), keys)

        return ({name: cut(column) for name, column in self.inputs.items()},
                {name: cut(column) for name, column in self.targets.items()})  # fmt: skip

    def slices(self, size: int, device: torch.device) -> Iterator[Batch]:
        """Yield all rows in order, `size` at a time, on a device."""
        for start in range(0, len(self), size):
            part = slice(start, start + size)
            if self.order is not None:
                yield self.at(self.order[part], device)
                continue
            yield (
                {name: column[part].to(device) for name, column in self.inputs.items()},
                {name: column[part].to(device) for name, column in self.targets.items()},
            )

    def lengths(self, name: str) -> Tensor:
        """Return how long each row of an input is: int64 (rows), on the CPU."""
        column = self.inputs[name]
        if not isinstance(column, Ragged):
            raise TypeError(f"{name} has rows of equal length")
        return column.lengths.cpu()

    def by_length(self, name: str) -> "Rows":
        """Return the same rows, to be passed through from the shortest to the longest, which pads least."""
        return replace(self, order=self.lengths(name).argsort(stable=True).to(self.device))

    def parts(self, size: int) -> tuple[Tensor, ...]:
        """Return the rows of all slices."""
        order = torch.arange(len(self), device=self.device) if self.order is None else self.order
        parts: tuple[Tensor, ...] = order.split(size)
        return parts

    def settled(self, training: bool, limit: int) -> "Rows":
        """Return the same rows with pictures that are decoded, as far as `limit` bytes allow, see `Images.settled`."""
        settled = {id(images): images.settled(training, limit) for images in self.pictures}
        inputs, targets = ({name: settled.get(id(column), column) for name, column in columns.items()}
                           for columns in (self.inputs, self.targets))  # fmt: skip
        return replace(self, inputs=inputs, targets=targets)

    def moved(self, device: torch.device) -> "Rows":
        """Return the same rows on a device; what is read from files stays where it is, and so does all beside it."""
        if not self.resident:
            return self
        return Rows(
            {name: column.to(device) for name, column in self.inputs.items()},
            {name: column.to(device) for name, column in self.targets.items()},
        )

    def cast(self, casts: Mapping[str, Cast]) -> "Rows":
        """Return the same rows with targets as their losses want them, by new names: each of a target of now."""
        return replace(self, targets={key: function(self.targets[name]) for key, (name, function) in casts.items()})

    def size(self) -> int:
        """Return the size in bytes."""
        return sum(column.nbytes for column in self.columns)


@dataclass(frozen=True)
class Tensors:
    """What is trained on, and what is held out (nothing, where the job has no validation)."""

    train: Rows
    validation: Rows | None
    preparation: Preparation

    def cast(self, casts: Mapping[str, Cast]) -> "Tensors":
        """Return the data with targets as their losses want them, see `Rows.cast`."""
        held = self.validation
        return replace(self, train=self.train.cast(casts), validation=held.cast(casts) if held is not None else None)

    def settled(self, limit: int) -> "Tensors":
        """Return the same data with pictures that are decoded, as far as `limit` bytes allow: of both together."""
        train = self.train.settled(True, limit)
        held = self.validation
        left = limit - sum(images.nbytes for images in train.pictures)
        return replace(self, train=train, validation=held.settled(False, left) if held is not None else None)

    def resident(self, device: torch.device, room: int) -> "Tensors":
        """Return the data on the device if it takes at most `room` bytes there, else as it is: batches move then."""
        held = self.validation
        if self.train.size() + (held.size() if held is not None else 0) > room:
            return self
        return replace(
            self, train=self.train.moved(device), validation=held.moved(device) if held is not None else None
        )


def tensors(
    loaded: Loaded,
    stored: DataSchema,
    seen: View,
    *,
    inputs: tuple[str, ...],
    targets: tuple[str, ...],
    split: SplitSpec | None = None,
    seed: int = 0,
    preparation: Preparation | None = None,
) -> Tensors:
    """Cut what a source holds into training and held-out rows, as the view says.

    Without `split` a "test" split is held out where there is one. Everything is fitted on the training rows, unless a
    `preparation` is given. Raises `DataError`.
    """
    train = loaded.splits["train"]
    parts: list[Split] = [train]
    if split is not None and split.fraction is not None:
        kept, held = drawn(len(next(iter(train.values()))), split.fraction, seed)
        parts = [{name: taken(column, rows) for name, column in train.items()} for rows in (kept, held)]
    elif "test" in loaded.splits:
        parts.append(loaded.splits["test"])
    names = (*inputs, *targets)
    if preparation is None:
        preparation = Preparation.fit(seen, names, stored, parts[0])
    train_rows, *held_rows = [_rows(preparation.apply(part, names), inputs, targets) for part in parts]
    return Tensors(train_rows, held_rows[0] if held_rows else None, preparation)


def _rows(made: Mapping[str, Made], inputs: tuple[str, ...], targets: tuple[str, ...]) -> Rows:
    return Rows({name: made[name] for name in inputs}, {name: made[name] for name in targets})


def drawn(rows: int, fraction: float, seed: int) -> tuple[Tensor, Tensor]:
    """Return (kept, held out): sorted row numbers; both sides get a row. Raises `DataError` for a single row."""
    if rows < 2:
        raise DataError("a single row cannot be split", pointer="/data/validation", hint="remove validation")
    count = min(max(1, round(fraction * rows)), rows - 1)
    order = torch.randperm(rows, generator=torch.Generator().manual_seed(stream_seed(seed, SPLIT_STREAM)))
    return order[count:].sort().values, order[:count].sort().values
