"""Series: numbers over time, of any length."""

from dataclasses import dataclass
from typing import Any, Self

import torch

from app.errors import DataError
from app.spec.data.columns import DataSchema
from workers.data.columns import PreparedColumn, RaggedTensor, SplitColumns
from workers.data.features.numbers import Scaling, apply_scaling, column_schema, column_values


@dataclass(frozen=True)
class SeriesPreprocessor:
    """A column of series, scaled by all moments of the training rows."""

    name: str
    part: Any
    max_length: int
    scaling: Scaling | None

    @classmethod
    def fit(cls, name: str, part: Any, stored: DataSchema, split: SplitColumns) -> Self:
        """Measure the scale, if one is wanted. Raises `DataError`."""
        plain = cls.load(name, part, stored, None)
        return cls(name, part, plain.max_length, Scaling.fit(plain._raw(split).values, part.scale, None))

    @classmethod
    def load(cls, name: str, part: Any, stored: DataSchema, fitted: Any) -> Self:
        """Take over what `fitted` returned."""
        longest = part.max_length or max(1, column_schema(stored, part.column).longest or 1)
        return cls(name, part, longest, Scaling.load(fitted))

    def fitted_state(self) -> Any:
        """Return the scaling as JSON."""
        return self.scaling.fitted_state() if self.scaling is not None else None

    def apply(self, split: SplitColumns) -> dict[str, PreparedColumn]:
        """Return the moments, float32 (rows, length, …), and how many there are of each row: at least one.

        Raises `DataError`.
        """
        raw = self._raw(split)
        whole = RaggedTensor(apply_scaling(self.scaling, raw.values), raw.offsets)
        column = whole.truncate(
            self.max_length, self.max_length if self.part.pad == "max_length" else self.part.min_length
        )
        return {self.name: column, f"{self.name}_length": column.lengths}

    def _raw(self, split: SplitColumns) -> RaggedTensor:
        found: RaggedTensor = column_values(split, self.part.column)
        bad = ~found.values.isfinite()
        if bad.any():
            place = int(bad.nonzero()[0, 0])
            row = int(torch.searchsorted(found.offsets, torch.tensor(place), right=True))
            detail = f'"{self.part.column}" holds what is no finite number in row {row}'
            raise DataError(detail, pointer="/data", hint="fill it, or leave such rows out")
        return found.to(torch.float32)
