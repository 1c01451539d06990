"""The base class of preprocessors, which make the tensors of one feature of its stored columns."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Generic, Self, TypeVar

from app.errors import DataError
from app.spec.data.base_feature import BaseFeature
from app.spec.data.columns import Column, DataSchema
from workers.data.columns import ParsedColumn, PreparedColumn, SplitColumns
from workers.data.features.scaling import BaseScaling

FeatureType = TypeVar("FeatureType", bound=BaseFeature)
StateType = TypeVar("StateType")


@dataclass(frozen=True)
class Preprocessor(ABC, Generic[FeatureType, StateType]):
    """A feature with what was fitted on the training rows, which is JSON of `StateType`."""

    name: str
    feature: FeatureType

    @classmethod
    @abstractmethod
    def fit(cls, name: str, feature: FeatureType, stored: DataSchema, split: SplitColumns) -> Self:
        """Fit a feature on the training rows. Raises `DataError`."""

    @classmethod
    @abstractmethod
    def load(cls, name: str, feature: FeatureType, stored: DataSchema, state: StateType) -> Self:
        """Return the preprocessor of a stored state. Raises `DataError`."""

    @abstractmethod
    def state(self) -> StateType:
        """Return what was fitted, as JSON, exactly."""

    @abstractmethod
    def transform(self, split: SplitColumns) -> dict[str, PreparedColumn]:
        """Return the columns of the feature by name, each (rows, …). Raises `DataError`."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns that it makes."""
        return self.feature.column_names(self.name)

    @property
    def target_scaling(self) -> BaseScaling | None:
        """The scaling to undo in predictions of this feature, if there is one."""
        return None


def column_schema(stored: DataSchema, name: str) -> Column:
    """Return a stored column's description. Raises `DataError` if there is none."""
    column = stored.column(name)
    if column is None:
        raise DataError(f'the data has no column "{name}"', pointer="/data")
    return column


def column_values(split: SplitColumns, name: str) -> ParsedColumn:
    """Return a stored column. Raises `DataError` if there is none."""
    if name not in split:
        raise DataError(f'the data has no column "{name}"', pointer="/data")
    return split[name]
