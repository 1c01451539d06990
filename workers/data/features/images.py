"""The preparer of pictures: what their transforms are, and how their bytes become numbers."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self

import torch
from torch import Tensor

from app.errors import DataError
from app.spec.data.columns import Column, DataSchema
from app.spec.data.image_shapes import stored_image_shape
from workers.data.columns import PreparedColumn, SplitColumns
from workers.data.features.numbers import Scaling, apply_scaling, column_schema, column_values
from workers.data.images.column import ImageColumn, TransformPipeline

MAX_BYTE = 255.0  # the largest value of a byte


@dataclass(frozen=True)
class ImagePreprocessor:
    """A column of pictures, or of tensors that are pictures."""

    name: str
    column: Column
    scaling: Scaling | None
    training: TransformPipeline
    evaluation: TransformPipeline

    @classmethod
    def fit(cls, name: str, part: Any, stored: DataSchema, split: SplitColumns) -> Self:
        """Measure the scale of numbers; that of bytes is known. Raises `DataError`."""
        column, values = column_schema(stored, part.column), column_values(split, part.column)
        numbers = values.float() if isinstance(values, Tensor) and column.peak is None else torch.empty(0)
        peak = MAX_BYTE if column.type == "image" else column.peak
        return cls.load(name, part, stored, None)._with_scaling(Scaling.fit(numbers, part.scale, peak))

    @classmethod
    def load(cls, name: str, part: Any, stored: DataSchema, fitted: Any) -> Self:
        """Take over what `fitted` returned."""
        recipes = (
            TransformPipeline.from_specs(part.transforms),
            TransformPipeline.from_specs(part.evaluation_transforms),
        )
        return cls(name, column_schema(stored, part.column), Scaling.load(fitted), *recipes)

    def _with_scaling(self, scaling: Scaling | None) -> Self:
        return replace(self, scaling=scaling)

    def fitted_state(self) -> Any:
        """Return the scaling as JSON."""
        return self.scaling.fitted_state() if self.scaling is not None else None

    def apply(self, split: SplitColumns) -> dict[str, PreparedColumn]:
        """Return the pictures: bytes as they are, anything else as scaled numbers. Raises `DataError`."""
        values = column_values(split, self.column.name)
        shape, scale = stored_image_shape(self.column.shape), partial(apply_scaling, self.scaling)
        if isinstance(values, Tensor) and tuple(values.shape[1:]) != tuple(self.column.shape):
            detail = f'column "{self.column.name}" has shape {list(values.shape[1:])} per example, the schema says'
            raise DataError(f"{detail} {list(self.column.shape)}", pointer="/data")
        if isinstance(values, Tensor) and not self._is_bytes(values):
            return {self.name: ImageColumn(scale(values.float()), self.training, self.evaluation, None, shape)}
        pixels = values.to(torch.uint8) if isinstance(values, Tensor) else values
        return {self.name: ImageColumn(pixels, self.training, self.evaluation, scale, shape)}

    def _is_bytes(self, values: Tensor) -> bool:
        """Say whether values are bytes; rows that are sent as numbers are so too, to be changed as in training."""
        if self.column.peak != MAX_BYTE:
            return False
        return values.dtype == torch.uint8 or bool((values == values.round()).all())
