"""Columns that are scaled and nothing else: tensors, and the base class of series and images."""

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Self, TypeVar

import torch
from torch import Tensor

from app.errors import DataError
from app.spec.data.base_feature import ColumnFeature
from app.spec.data.columns import Column, DataSchema
from app.spec.data.features import TensorFeature
from workers.data.columns import PreparedColumn, SplitColumns
from workers.data.features.preprocessor import Preprocessor, column_schema, column_values
from workers.data.features.scaling import (
    BaseScaling,
    ScalingState,
    apply_scaling,
    check_logarithms,
    fit_scaling,
    load_scaling,
)

ScaledType = TypeVar("ScaledType", bound=ColumnFeature)


@dataclass(frozen=True)
class ScaledPreprocessor(Preprocessor[ScaledType, ScalingState | None]):
    """One column, of which the scaling is fitted."""

    column: Column
    scaling: BaseScaling | None

    @classmethod
    def fit(cls, name: str, feature: ScaledType, stored: DataSchema, split: SplitColumns) -> Self:
        """Fit the scaling on the training rows. Raises `DataError`."""
        unscaled = cls.load(name, feature, stored, None)
        return replace(unscaled, scaling=unscaled.fit_scaling(split))

    @classmethod
    def load(cls, name: str, feature: ScaledType, stored: DataSchema, state: ScalingState | None) -> Self:
        """Return the preprocessor of a stored state. Raises `DataError`."""
        return cls(name, feature, column_schema(stored, feature.column), load_scaling(state))

    def state(self) -> ScalingState | None:
        """Return the scaling as JSON, exactly."""
        return self.scaling.state() if self.scaling is not None else None

    @property
    def target_scaling(self) -> BaseScaling | None:
        """The scaling to undo in predictions of this feature, if there is one."""
        return self.scaling

    @abstractmethod
    def fit_scaling(self, split: SplitColumns) -> BaseScaling | None:
        """Return the scaling of the training rows. Raises `DataError`."""


class TensorPreprocessor(ScaledPreprocessor[TensorFeature]):
    """A column that is a tensor already: (rows, …), of the schema's shape and dtype."""

    def fit_scaling(self, split: SplitColumns) -> BaseScaling | None:
        """Return the scaling of floating-point numbers; other types are never scaled. Raises `DataError`."""
        values = self._values(split)
        check_logarithms(self.feature.scale, values, (self.column.name,))
        return fit_scaling(values, self.feature.scale, self.column.peak) if values.is_floating_point() else None

    def transform(self, split: SplitColumns) -> dict[str, PreparedColumn]:
        """Return the column, scaled, of the schema's dtype. Raises `DataError` if its shape is not the schema's."""
        values = self._values(split)
        check_logarithms(self.feature.scale, values, (self.column.name,))
        return {self.name: apply_scaling(self.scaling, values).to(self._dtype)}

    @property
    def _dtype(self) -> torch.dtype:
        dtype: torch.dtype = getattr(torch, self.column.dtype)
        return dtype

    def _values(self, split: SplitColumns) -> Tensor:
        column, values = self.column, column_values(split, self.column.name)
        if not isinstance(values, Tensor):
            raise shape_error(column, "another type")
        if tuple(values.shape[1:]) != column.shape:
            raise shape_error(column, list(values.shape[1:]))
        is_exact = values.dtype == torch.float64 and self._dtype == torch.float32
        return values if is_exact else values.to(self._dtype)  # float64 is scaled first


def shape_error(column: Column, shape: object) -> DataError:
    """Return the error of a column whose rows have another shape than the schema says."""
    detail = f'column "{column.name}" has shape {shape} per example, the schema says {list(column.shape)}'
    return DataError(detail, pointer="/data")
