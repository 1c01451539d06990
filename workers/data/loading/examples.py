"""Examples as columns of tensors: split, preprocessed, and gathered into batches."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from app.spec.data.columns import DataSchema
from workers.data.columns import PreparedColumn, RaggedTensor, SplitColumns
from workers.data.features.preparation import Preparation
from workers.data.images.column import ImageColumn

MAX_STORED_ROWS = 100_000  # held-out rows that are kept as they are stored, beside what is made of them

Batch = tuple[dict[str, Tensor], dict[str, Tensor]]  # inputs and targets by name
TargetCasts = Mapping[str, tuple[str, Callable[[PreparedColumn], PreparedColumn]]]  # new name → target, its conversion


@dataclass(frozen=True)
class StoredRows:
    """Where examples come from: rows of a split of the data, for people."""

    split: str
    numbers: Tensor  # of the rows in the split, from 0 on: int64 (rows)
    columns: SplitColumns  # of these rows alone, as they are stored; empty where there are too many of them to be kept
    schema: DataSchema

    @classmethod
    def of(cls, split: str, columns: SplitColumns, schema: DataSchema, numbers: Tensor | None = None) -> "StoredRows":
        """Return rows by their numbers; without numbers, all rows of the split."""
        count = len(next(iter(columns.values())))
        numbers = torch.arange(count) if numbers is None else numbers
        return cls(split, numbers, columns if count <= MAX_STORED_ROWS else {}, schema)


@dataclass(frozen=True)
class ExampleSet:
    """Examples: the network's inputs and the targets by name, each (rows, …), all on one device.

    `order`, int64 (rows), is the order of evaluation, if it is not that of the rows.
    """

    inputs: Mapping[str, PreparedColumn]
    targets: Mapping[str, PreparedColumn]
    order: Tensor | None = None
    stored: StoredRows | None = None  # of held-out examples

    def __len__(self) -> int:
        return len(self.columns[0]) if self.columns else 0

    @property
    def columns(self) -> tuple[PreparedColumn, ...]:
        """All columns, inputs first."""
        return (*self.inputs.values(), *self.targets.values())

    @property
    def device(self) -> torch.device:
        """The device of the examples."""
        return self.columns[0].device

    @property
    def is_dense(self) -> bool:
        """Whether all rows are in memory and of one shape, so that batches can be cut out of larger ones."""
        return self.is_resident and not any(isinstance(column, RaggedTensor) for column in self.columns)

    @property
    def image_columns(self) -> tuple[ImageColumn, ...]:
        """The distinct columns of images."""
        columns = {id(column): column for column in self.columns if isinstance(column, ImageColumn)}
        return tuple(columns.values())

    @property
    def is_resident(self) -> bool:
        """Whether all rows are in memory."""
        return all(images.is_resident for images in self.image_columns)

    def batch(
        self, indices: Tensor, device: torch.device, keys: Tensor | None = None, decoded: Sequence[Tensor] = ()
    ) -> Batch:
        """Return these rows as a batch on a device, with keys for training, without for evaluation.

        `decoded` are the results of `ImageColumn.load_batch` for each of `image_columns`, if other processes have them.
        """
        loaded = dict(zip(map(id, self.image_columns), decoded, strict=True)) if decoded else {}

        def gather(column: PreparedColumn) -> Tensor:
            if not isinstance(column, ImageColumn):
                return column.index_select(0, indices).to(device)
            images = loaded[id(column)] if loaded else column.load_batch(indices, keys)
            return column.finish_batch(images.to(device, non_blocking=True), keys)

        return (
            {name: gather(column) for name, column in self.inputs.items()},
            {name: gather(column) for name, column in self.targets.items()},
        )

    def iter_batches(self, size: int, device: torch.device) -> Iterator[Batch]:
        """Yield all rows in order as batches of `size` on a device, for evaluation."""
        for start in range(0, len(self), size):
            rows = slice(start, start + size)
            if self.order is not None:
                yield self.batch(self.order[rows], device)
                continue
            yield (
                {name: column[rows].to(device) for name, column in self.inputs.items()},
                {name: column[rows].to(device) for name, column in self.targets.items()},
            )

    def lengths(self, name: str) -> Tensor:
        """Return the length of each row of an input: int64 (rows), on the CPU. Raises `TypeError` if it has none."""
        column = self.inputs[name]
        if not isinstance(column, RaggedTensor):
            raise TypeError(f"{name} has rows of one length")
        return column.lengths.cpu()

    def sorted_by_length(self, name: str) -> "ExampleSet":
        """Return the same rows in the order of an input's lengths, which needs the least padding."""
        return replace(self, order=self.lengths(name).argsort(stable=True).to(self.device))

    def split_indices(self, size: int) -> tuple[Tensor, ...]:
        """Return the rows of all batches of `size`, in order: int64 each."""
        order = torch.arange(len(self), device=self.device) if self.order is None else self.order
        slices: tuple[Tensor, ...] = order.split(size)
        return slices

    def materialize(self, training: bool, limit: int) -> "ExampleSet":
        """Return the same rows with decoded images, each column within `limit` bytes; see `ImageColumn.materialize`."""
        decoded = {id(images): images.materialize(training, limit) for images in self.image_columns}
        inputs, targets = (
            {name: decoded.get(id(column), column) for name, column in columns.items()}
            for columns in (self.inputs, self.targets)
        )
        return replace(self, inputs=inputs, targets=targets)

    def to(self, device: torch.device) -> "ExampleSet":
        """Return the same rows on a device, or unchanged if images are read from files."""
        if not self.is_resident:
            return self
        inputs, targets = (
            {name: column.to(device) for name, column in columns.items()} for columns in (self.inputs, self.targets)
        )
        return replace(self, inputs=inputs, targets=targets)

    def cast(self, casts: TargetCasts) -> "ExampleSet":
        """Return the same rows with converted targets: new name → (name of a target, function)."""
        return replace(self, targets={key: function(self.targets[name]) for key, (name, function) in casts.items()})

    def size(self) -> int:
        """Return the size in bytes."""
        return sum(column.nbytes for column in self.columns)


@dataclass(frozen=True)
class TrainingData:
    """The training examples, and those of the validation and of the test if the job has any."""

    train: ExampleSet
    validation: ExampleSet | None
    preparation: Preparation
    test: ExampleSet | None = None
    weights: Tensor | None = None  # float64 (rows of train): how likely each is drawn; `None`: each once in an epoch

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

    def split_report(self) -> dict[str, object]:
        """Return the number of rows of each role."""
        roles = {"train": self.train, "validation": self.validation, "test": self.test}
        return {role: len(examples) for role, examples in roles.items() if examples is not None}

    def cast(self, casts: TargetCasts) -> "TrainingData":
        """Return the data with converted targets, see `ExampleSet.cast`."""
        data = self._map(lambda examples: examples.cast(casts))
        return replace(data, test=self.test.cast(casts) if self.test is not None else None)

    def materialize(self, limit: int) -> "TrainingData":
        """Return the data with decoded images, as far as both sets together fit into `limit` bytes.

        The test, which is evaluated once, is decoded when it is.
        """
        train = self.train.materialize(True, limit)
        remaining = limit - sum(images.nbytes for images in train.image_columns)
        validation = self.validation.materialize(False, remaining) if self.validation is not None else None
        return replace(self, train=train, validation=validation)

    def to_device_if_fits(self, device: torch.device, limit: int) -> "TrainingData":
        """Return the data on the device if it takes at most `limit` bytes there, else unchanged: batches move then.

        So do those of the test.
        """
        size = self.train.size() + (self.validation.size() if self.validation is not None else 0)
        return self if size > limit else self._map(lambda examples: examples.to(device))

    def _map(self, function: Callable[[ExampleSet], ExampleSet]) -> "TrainingData":
        validation = function(self.validation) if self.validation is not None else None
        return replace(self, train=function(self.train), validation=validation)
