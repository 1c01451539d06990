"""Examples as resident tensors: split, prepared, and cut into batches without copying more than the batch."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from app.errors import DataError
from app.spec.data.columns import DataSchema
from app.spec.data.feature_schema import ResolvedFeatures
from app.spec.data.sources import Split as SplitSpec
from workers.data.columns import PreparedColumn, RaggedTensor, SplitColumns, select_rows
from workers.data.features.preparation import Preparation
from workers.data.images.column import ImageColumn
from workers.data.loading.sources import SourceData
from workers.data.rng import stream_seed

SPLIT_STREAM = 0x5B117  # keeps the draw of the held-out rows apart from the epochs' orders

Batch = tuple[dict[str, Tensor], dict[str, Tensor]]  # inputs and targets by name
TargetCast = tuple[str, Callable[[Any], Any]]  # the name of a target, and what is made of it


@dataclass(frozen=True)
class ExampleSet:
    """Examples: the network's inputs and the targets by name, each (rows, …), all on one device.

    `order` is that in which all rows are passed through, if it is not their own.
    """

    inputs: Mapping[str, PreparedColumn]
    targets: Mapping[str, PreparedColumn]
    order: Tensor | None = None

    def __len__(self) -> int:
        return len(self.columns[0])

    @property
    def columns(self) -> tuple[PreparedColumn, ...]:
        """All columns, inputs first."""
        return (*self.inputs.values(), *self.targets.values())

    @property
    def device(self) -> torch.device:
        """Where the examples lie."""
        return self.columns[0].device

    @property
    def is_dense(self) -> bool:
        """Whether all rows are alike in shape and at hand, so that batches can be cut out of larger ones."""
        return self.is_resident and not any(isinstance(column, RaggedTensor) for column in self.columns)

    @property
    def image_columns(self) -> tuple[ImageColumn, ...]:
        """The different columns of pictures."""
        found = {id(column): column for column in self.columns if isinstance(column, ImageColumn)}
        return tuple(found.values())

    @property
    def is_resident(self) -> bool:
        """Whether nothing has to be read from files."""
        return all(images.is_resident for images in self.image_columns)

    def batch(
        self, indices: Tensor, device: torch.device, keys: Tensor | None = None, shaded: Sequence[Tensor] = ()
    ) -> Batch:
        """Return the batch of these rows on a device: in training if they have keys.

        `shaded` is what has been made elsewhere of these rows' pictures, see `Images.shaded`.
        """
        made = dict(zip(map(id, self.image_columns), shaded, strict=True)) if shaded else {}

        def cut(column: PreparedColumn) -> Tensor:
            if not isinstance(column, ImageColumn):
                return column.index_select(0, indices).to(device)
            bytes_ = made[id(column)] if made else column.load_batch(indices, keys)
            return column.finish_batch(bytes_.to(device, non_blocking=True), keys)

        return (
            {name: cut(column) for name, column in self.inputs.items()},
            {name: cut(column) for name, column in self.targets.items()},
        )

    def iter_batches(self, size: int, device: torch.device) -> Iterator[Batch]:
        """Yield all rows in order, `size` at a time, on a device."""
        for start in range(0, len(self), size):
            part = slice(start, start + size)
            if self.order is not None:
                yield self.batch(self.order[part], device)
                continue
            yield (
                {name: column[part].to(device) for name, column in self.inputs.items()},
                {name: column[part].to(device) for name, column in self.targets.items()},
            )

    def lengths(self, name: str) -> Tensor:
        """Return how long each row of an input is: int64 (rows), on the CPU."""
        column = self.inputs[name]
        if not isinstance(column, RaggedTensor):
            raise TypeError(f"{name} has rows of equal length")
        return column.lengths.cpu()

    def sorted_by_length(self, name: str) -> "ExampleSet":
        """Return the same rows, to be passed through from the shortest to the longest, which pads least."""
        return replace(self, order=self.lengths(name).argsort(stable=True).to(self.device))

    def split_indices(self, size: int) -> tuple[Tensor, ...]:
        """Return the rows of all slices."""
        order = torch.arange(len(self), device=self.device) if self.order is None else self.order
        parts: tuple[Tensor, ...] = order.split(size)
        return parts

    def materialize(self, training: bool, limit: int) -> "ExampleSet":
        """Return the same rows with pictures that are decoded, as far as `limit` bytes allow, see `Images.settled`."""
        settled = {id(images): images.materialize(training, limit) for images in self.image_columns}
        inputs, targets = (
            {name: settled.get(id(column), column) for name, column in columns.items()}
            for columns in (self.inputs, self.targets)
        )
        return replace(self, inputs=inputs, targets=targets)

    def to(self, device: torch.device) -> "ExampleSet":
        """Return the same rows on a device; what is read from files stays where it is, and so does all beside it."""
        if not self.is_resident:
            return self
        return ExampleSet(
            {name: column.to(device) for name, column in self.inputs.items()},
            {name: column.to(device) for name, column in self.targets.items()},
        )

    def cast(self, casts: Mapping[str, TargetCast]) -> "ExampleSet":
        """Return the same rows with targets as their losses want them, by new names: each of a target of now."""
        return replace(self, targets={key: function(self.targets[name]) for key, (name, function) in casts.items()})

    def size(self) -> int:
        """Return the size in bytes."""
        return sum(column.nbytes for column in self.columns)


@dataclass(frozen=True)
class TrainingData:
    """What is trained on, and what is held out (nothing, where the job has no validation)."""

    train: ExampleSet
    validation: ExampleSet | None
    preparation: Preparation

    def vocabulary_reports(self) -> Iterator[dict[str, object]]:
        """Yield, of each text that the network reads, the tokens known and the shares unknown and truncated."""
        validation = self.validation.inputs if self.validation is not None else {}
        for name, texts in self.preparation.text_preprocessors().items():
            columns = {"train": self.train.inputs.get(name), "validation": validation.get(name)}
            shares = {
                split: texts.coverage(column) if isinstance(column, RaggedTensor) else None
                for split, column in columns.items()
            }
            if shares["train"] is not None:
                yield {"feature": name, "tokens": texts.tokenizer.get_vocab_size(), **shares}

    def cast(self, casts: Mapping[str, TargetCast]) -> "TrainingData":
        """Return the data with targets as their losses want them, see `Rows.cast`."""
        held = self.validation
        return replace(self, train=self.train.cast(casts), validation=held.cast(casts) if held is not None else None)

    def materialize(self, limit: int) -> "TrainingData":
        """Return the same data with pictures that are decoded, as far as `limit` bytes allow: of both together."""
        train = self.train.materialize(True, limit)
        held = self.validation
        left = limit - sum(images.nbytes for images in train.image_columns)
        return replace(self, train=train, validation=held.materialize(False, left) if held is not None else None)

    def to_device_if_fits(self, device: torch.device, room: int) -> "TrainingData":
        """Return the data on the device if it takes at most `room` bytes there, else as it is: batches move then."""
        held = self.validation
        if self.train.size() + (held.size() if held is not None else 0) > room:
            return self
        return replace(self, train=self.train.to(device), validation=held.to(device) if held is not None else None)


def build_training_data(
    loaded: SourceData,
    stored: DataSchema,
    seen: ResolvedFeatures,
    *,
    inputs: tuple[str, ...],
    targets: tuple[str, ...],
    split: SplitSpec | None = None,
    seed: int = 0,
    preparation: Preparation | None = None,
) -> TrainingData:
    """Cut what a source holds into training and held-out rows, as the view says.

    Without `split` a "test" split is held out where there is one. Everything is fitted on the training rows, unless a
    `preparation` is given. Raises `DataError`.
    """
    train = loaded.splits["train"]
    parts: list[SplitColumns] = [train]
    if split is not None and split.fraction is not None:
        kept, held = random_split(len(next(iter(train.values()))), split.fraction, seed)
        parts = [{name: select_rows(column, rows) for name, column in train.items()} for rows in (kept, held)]
    elif "test" in loaded.splits:
        parts.append(loaded.splits["test"])
    names = (*inputs, *targets)
    if preparation is None:
        preparation = Preparation.fit(seen, names, stored, parts[0])
    train_rows, *held_rows = [_example_set(preparation.transform(part, names), inputs, targets) for part in parts]
    return TrainingData(train_rows, held_rows[0] if held_rows else None, preparation)


def _example_set(made: Mapping[str, PreparedColumn], inputs: tuple[str, ...], targets: tuple[str, ...]) -> ExampleSet:
    return ExampleSet({name: made[name] for name in inputs}, {name: made[name] for name in targets})


def random_split(rows: int, fraction: float, seed: int) -> tuple[Tensor, Tensor]:
    """Return (kept, held out): sorted row numbers; both sides get a row. Raises `DataError` for a single row."""
    if rows < 2:
        raise DataError("a single row cannot be split", pointer="/data/validation", hint="remove validation")
    count = min(max(1, round(fraction * rows)), rows - 1)
    order = torch.randperm(rows, generator=torch.Generator().manual_seed(stream_seed(seed, SPLIT_STREAM)))
    return order[count:].sort().values, order[:count].sort().values
