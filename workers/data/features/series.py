"""Series: numbers over time, of any length."""

from typing import cast

import torch

from app.errors import DataError
from app.spec.data.sequence_features import SeriesFeature
from workers.data.columns import PreparedColumn, RaggedTensor, SplitColumns
from workers.data.features.preprocessor import column_values
from workers.data.features.scaling import BaseScaling, apply_scaling, check_logarithms, fit_scaling
from workers.data.features.tensors import ScaledPreprocessor


class SeriesPreprocessor(ScaledPreprocessor[SeriesFeature]):
    """A column of series, scaled by all time steps of the training rows."""

    def fit_scaling(self, split: SplitColumns) -> BaseScaling | None:
        """Return the scaling of all time steps. Raises `DataError`."""
        return fit_scaling(self._values(split).values, self.feature.scale, None)

    def transform(self, split: SplitColumns) -> dict[str, PreparedColumn]:
        """Return the values, float32 (rows, length, …), and the number of time steps, int64 (rows), at least 1.

        Raises `DataError` for a value that is not finite.
        """
        series, lengths = self._values(split), self.feature.batch_lengths(self.column.max_length)
        scaled = RaggedTensor(apply_scaling(self.scaling, series.values).float(), series.offsets)
        column = scaled.truncate(lengths.max_length, lengths.min_batch_length)
        return dict(zip(self.columns, (column, column.lengths), strict=True))

    def _values(self, split: SplitColumns) -> RaggedTensor:
        series = cast(RaggedTensor, column_values(split, self.feature.column))
        invalid = ~series.values.isfinite()
        if invalid.any():
            position = torch.tensor(int(invalid.nonzero()[0, 0]))
            row = int(torch.searchsorted(series.offsets, position, right=True))
            detail = f'"{self.feature.column}" holds a value that is not finite in row {row}'
            raise DataError(detail, pointer="/data", hint="fill it, or leave such rows out")
        check_logarithms(self.feature.scale, series.values, (self.feature.column,))
        return series  # float64, if float32 has not all digits: it is scaled first
