"""Images: how their bytes become numbers, and which transforms they go through."""

from functools import partial
from typing import cast

import torch
from torch import Tensor

from app.spec.data.images.feature import ImageFeature
from app.spec.data.images.shapes import stored_image_shape
from workers.data.columns import PreparedColumn, SplitColumns
from workers.data.features.preprocessor import column_values
from workers.data.features.scaling import BaseScaling, apply_scaling, fit_scaling
from workers.data.features.tensors import ScaledPreprocessor, shape_error
from workers.data.images.column import ImageColumn, LazyImages, TransformPipeline

MAX_BYTE = 255.0  # the largest value of a byte


class ImagePreprocessor(ScaledPreprocessor[ImageFeature]):
    """A column of images, or of tensors that are images."""

    def fit_scaling(self, split: SplitColumns) -> BaseScaling | None:
        """Return the scaling of numbers; that of bytes is known. Raises `DataError`."""
        values, peak = column_values(split, self.column.name), self.column.peak
        numbers = values.float() if isinstance(values, Tensor) and peak is None else torch.empty(0)
        return fit_scaling(numbers, self.feature.scale, MAX_BYTE if self.column.type == "image" else peak)

    def transform(self, split: SplitColumns) -> dict[str, PreparedColumn]:
        """Return the images (rows, channels, height, width): uint8 as they are, anything else as scaled float32.

        Raises `DataError` if their shape is not the schema's.
        """
        values = column_values(split, self.column.name)
        pipelines = (
            TransformPipeline.from_specs(self.feature.transforms or ()),
            TransformPipeline.from_specs(self.feature.evaluation_transforms or ()),
        )
        shape, scale = stored_image_shape(self.column.shape), partial(apply_scaling, self.scaling)
        if not isinstance(values, Tensor):
            return {self.name: ImageColumn(cast(LazyImages, values), *pipelines, scale, shape)}
        if tuple(values.shape[1:]) != self.column.shape:
            raise shape_error(self.column, list(values.shape[1:]))
        if self._is_bytes(values):
            return {self.name: ImageColumn(values.to(torch.uint8), *pipelines, scale, shape)}
        return {self.name: ImageColumn(scale(values.float()), *pipelines, None, shape)}

    def _is_bytes(self, values: Tensor) -> bool:
        """Say whether values are bytes; rows that are sent as numbers are so too, to be changed as in training."""
        if self.column.peak != MAX_BYTE:
            return False
        return values.dtype == torch.uint8 or bool((values == values.round()).all())
