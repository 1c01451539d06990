"""The preparer of pictures: what their transforms are, and how their bytes become numbers."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self

import torch
from torch import Tensor

from app.errors import DataError
from app.spec.data.columns import Column, DataSchema
from app.spec.data.image_shapes import pictured
from workers.data.columns import Made, Split
from workers.data.features.numbers import Scaling, column_of, scaled, stored_column
from workers.data.images.column import Images, Recipe

BYTES = 255.0  # the largest value of a byte


@dataclass(frozen=True)
class PictureColumn:
    """A column of pictures, or of tensors that are pictures."""

    name: str
    column: Column
    scaling: Scaling | None
    training: Recipe
    evaluation: Recipe

    @classmethod
    def fit(cls, name: str, part: Any, stored: DataSchema, split: Split) -> Self:
        """Measure the scale of numbers; that of bytes is known. Raises `DataError`."""
        column, values = column_of(stored, part.column), stored_column(split, part.column)
        numbers = values.float() if isinstance(values, Tensor) and column.peak is None else torch.empty(0)
        peak = BYTES if column.type == "image" else column.peak
        return cls.load(name, part, stored, None)._with(Scaling.measured(numbers, part.scale, peak))

    @classmethod
    def load(cls, name: str, part: Any, stored: DataSchema, fitted: Any) -> Self:
        """Take over what `fitted` returned."""
        recipes = (Recipe.of(part.transforms), Recipe.of(part.evaluation_transforms))
        return cls(name, column_of(stored, part.column), Scaling.load(fitted), *recipes)

    def _with(self, scaling: Scaling | None) -> Self:
        return replace(self, scaling=scaling)

    def fitted(self) -> Any:
        """Return the scaling as JSON."""
        return self.scaling.fitted() if self.scaling is not None else None

    def apply(self, split: Split) -> dict[str, Made]:
        """Return the pictures: bytes as they are, anything else as scaled numbers. Raises `DataError`."""
        values = stored_column(split, self.column.name)
        shape, scale = pictured(self.column.shape), partial(scaled, self.scaling)
        if isinstance(values, Tensor) and tuple(values.shape[1:]) != tuple(self.column.shape):
            detail = f'column "{self.column.name}" has shape {list(values.shape[1:])} per example, the schema says'
            raise DataError(f"{detail} {list(self.column.shape)}", pointer="/data")
        if isinstance(values, Tensor) and not self._of_bytes(values):
            return {self.name: Images(scale(values.float()), self.training, self.evaluation, None, shape)}
        pixels = values.to(torch.uint8) if isinstance(values, Tensor) else values
        return {self.name: Images(pixels, self.training, self.evaluation, scale, shape)}

    def _of_bytes(self, values: Tensor) -> bool:
        """Say whether values are bytes; rows that are sent as numbers are so too, to be changed as in training."""
        if self.column.peak != BYTES:
            return False
        return values.dtype == torch.uint8 or bool((values == values.round()).all())
