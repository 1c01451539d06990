"""The base classes of features: what each kind says of itself, and what it takes its defaults from."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, Self, TypeVar

from app.errors import Problem
from app.spec.base import SpecModel
from app.spec.data.columns import Column, ColumnName, ColumnType, DataSchema, Dtype
from app.spec.data.images.transforms import BaseTransform

Scale = Literal["none", "unit", "standard", "log", "min_max", "robust", "quantile", "quantile_uniform"]
SCALE_DESCRIPTION = (
    "Scaling of numbers, fitted on train. none; unit: divided by the largest value, so images lie in 0..1; element by "
    "element standard: zero mean and unit variance; log: log(1 + x), then standard; min_max: to 0..1; robust: the "
    "median and the range between the quartiles; quantile, quantile_uniform: by rank to the standard normal "
    "distribution, or to 0..1. Default: unit for images of bytes, else none."
)
PadMode = Literal["batch", "max_length"]
LENGTH_SUFFIX = "_length"  # of the column beside a sequence
FeatureType = TypeVar("FeatureType", bound="BaseFeature")


class BaseFeature(SpecModel):
    """A feature reads stored columns of certain types and becomes columns of tensors, the first of its own name."""

    column_types: ClassVar[tuple[ColumnType, ...]]  # types of stored columns that it can read
    requires_labels: ClassVar[bool] = False  # whether the schema must list the different words of its column
    is_own_target: ClassVar[bool] = False  # whether an autoencoder's target is the feature that it reads

    kind: str

    @classmethod
    def as_input(cls, column: Column) -> Self | None:
        """Return the feature that reads a column by default, or `None` if that is of another class."""
        return None

    @classmethod
    def as_target(cls, column: Column) -> Self | None:
        """Return the feature that a loss compares with by default, or `None` if that is of another class."""
        return None

    @property
    @abstractmethod
    def source_columns(self) -> tuple[str, ...]:
        """The stored columns that it reads."""

    @property
    def requires_values(self) -> bool:
        """Whether a missing value is an error."""
        return False

    @property
    def length_source(self) -> str:
        """The stored column whose values are as long as its own, if it is a sequence."""
        return self.source_columns[0]

    @abstractmethod
    def source_pointer(self, position: int) -> str:
        """Return where the feature names its source column at `position`: a JSON Pointer."""

    def column_names(self, name: str) -> tuple[str, ...]:
        """Return the names of its columns, the first of them its own: lengths and children come behind."""
        return (name,)

    def target_names(self, name: str) -> tuple[str, ...]:
        """Return the names of those of its columns that losses compare with, beside what a network reads."""
        return ()

    @abstractmethod
    def network_columns(self, name: str, stored: DataSchema) -> list[Column]:
        """Return its columns as a network reads them. Raises `KeyError` for a source column that does not exist."""

    def max_input_length(self, column: Column) -> int | None:
        """Return the largest length of a value to predict from; `None` if longer ones are truncated."""
        return column.longest

    def sequence_lengths(self, stored: DataSchema) -> "SequenceLengths | None":
        """Return the lengths that tags of its elements share with it; `None` if it has no elements to tag."""
        return None

    def resolve(self, name: str, context: "FeatureContext") -> "BaseFeature":
        """Return the feature with every default filled in."""
        return self

    def problems(self, name: str, context: "FeatureContext") -> Iterator[Problem]:
        """Yield what is wrong with a resolved feature, beside its source columns."""
        return iter(())

    def _with_scale(self, own: Scale | None, context: "FeatureContext") -> Self:
        return self if own is not None else self.model_copy(update={"scale": context.data.scale})


def log_problems(
    name: str, scale: Scale | None, sources: Sequence[str], context: "FeatureContext"
) -> Iterator[Problem]:
    """Yield the columns of numbers of -1 or less, of which the scale takes the logarithm of 1 + x."""
    for source in sources if scale == "log" else ():
        column = context.stored.column(source)
        statistics = column.statistics or {} if column is not None else {}
        least = statistics.get("values", statistics).get("min")
        if isinstance(least, int | float) and least <= -1:
            detail = f'"{source}" is {least:g} in some row, and 1 + x has no logarithm there'
            hint = 'use "scale": "robust" or "quantile", or leave such rows out'
            yield Problem(context.pointer(name, "/scale"), "out_of_range", detail, hint)


class ColumnFeature(BaseFeature):
    """A feature of one stored column."""

    input_types: ClassVar[tuple[ColumnType, ...]] = ()  # types of columns that it reads by default
    target_types: ClassVar[tuple[ColumnType, ...]] = ()  # types of columns that it is the target of by default

    column: ColumnName

    @classmethod
    def as_input(cls, column: Column) -> Self | None:
        """Return the feature that reads a column by default, or `None` if that is of another class."""
        return cls.model_validate({"column": column.name}) if column.type in cls.input_types else None

    @classmethod
    def as_target(cls, column: Column) -> Self | None:
        """Return the feature that a loss compares with by default, or `None` if that is of another class."""
        return cls.model_validate({"column": column.name}) if column.type in cls.target_types else None

    @property
    def source_columns(self) -> tuple[str, ...]:
        """The stored column that it reads."""
        return (self.column,)

    def source_pointer(self, position: int) -> str:
        """Return where the feature names its column."""
        return "/column"


@dataclass(frozen=True, slots=True)
class SequenceLengths:
    """The lengths of a sequence column in batches."""

    column: str
    max_length: int
    min_length: int = 1
    pad: PadMode = "batch"

    @property
    def min_batch_length(self) -> int:
        """The length that the rows of every batch are at least padded to."""
        return self.max_length if self.pad == "max_length" else self.min_length


class DataSettings(Protocol):
    """The settings for all features, of the data section of a job."""

    @property
    def scale(self) -> Scale | None:
        """The scale of features that have none of their own."""
        ...

    @property
    def transforms(self) -> Sequence[BaseTransform] | None:
        """The transforms of images in training."""
        ...

    @property
    def evaluation_transforms(self) -> Sequence[BaseTransform] | None:
        """The transforms of images in evaluation."""
        ...


@dataclass(frozen=True, slots=True)
class FeatureContext:
    """What the defaults of a feature depend on."""

    stored: DataSchema
    data: DataSettings
    declared: Mapping[str, BaseFeature]  # as the job has them
    sequences: Sequence[SequenceLengths] = ()  # what tags may belong to, the default first

    def declaration(self, name: str, feature: FeatureType) -> FeatureType | None:
        """Return a feature as the job declares it; `None` if it follows from a column's type."""
        declared = self.declared.get(name)
        return declared if isinstance(declared, type(feature)) else None

    def pointer(self, name: str, field: str) -> str:
        """Return the place of a feature's setting, where `field` is a JSON Pointer; /data of an undeclared one."""
        return f"/data/features/{name}{field}" if name in self.declared else "/data"


def sequence_column(
    name: str, lengths: SequenceLengths, *shape: int, dtype: Dtype = "float32", **fields: Any
) -> Column:
    """Return a column (length, …), padded to the longest row of a batch or to the maximum."""
    return Column(
        name=name,
        shape=(lengths.max_length, *shape),
        dtype=dtype,
        ragged=lengths.pad == "batch",
        padded=True,
        shortest=min(lengths.min_length, lengths.max_length),
        **fields,
    )


def with_length(sequence: Column) -> list[Column]:
    """Return a column of sequences, and that of their lengths."""
    return [sequence, Column(name=sequence.name + LENGTH_SUFFIX, dtype="int64")]


def min_length_problems(name: str, min_length: int, max_length: int, context: FeatureContext) -> Iterator[Problem]:
    """Yield a minimum length of batches that no row has."""
    if min_length > max_length:
        detail = f"batches cannot have a length of at least {min_length}: no row is longer than {max_length}"
        yield Problem(context.pointer(name, "/min_length"), "contradiction", detail, f"use at most {max_length}")
