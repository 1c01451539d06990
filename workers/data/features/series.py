"""Series: numbers over time, of any length."""

from dataclasses import dataclass
from typing import Any, Self

import torch

from app.errors import DataError
from app.spec.data.columns import DataSchema
from workers.data.columns import Made, Ragged, Split
from workers.data.features.numbers import Scaling, column_of, scaled, stored_column


@dataclass(frozen=True)
class Series:
    """A column of series, scaled by all moments of the training rows."""

    name: str
    part: Any
    longest: int
    scaling: Scaling | None

    @classmethod
    def fit(cls, name: str, part: Any, stored: DataSchema, split: Split) -> Self:
        """Measure the scale, if one is wanted. Raises `DataError`."""
        plain = cls.load(name, part, stored, None)
        return cls(name, part, plain.longest, Scaling.measured(plain._raw(split).values, part.scale, None))

    @classmethod
    def load(cls, name: str, part: Any, stored: DataSchema, fitted: Any) -> Self:
        """Take over what `fitted` returned."""
        longest = part.max_length or max(1, column_of(stored, part.column).longest or 1)
        return cls(name, part, longest, Scaling.load(fitted))

    def fitted(self) -> Any:
        """Return the scaling as JSON."""
        return self.scaling.fitted() if self.scaling is not None else None

    def apply(self, split: Split) -> dict[str, Made]:
        """Return the moments, float32 (rows, length, …), and how many there are of each row: at least one.

        Raises `DataError`.
        """
        raw = self._raw(split)
        whole = Ragged(scaled(self.scaling, raw.values), raw.offsets)
        column = whole.shortened(self.longest, self.longest if self.part.pad == "max_length" else self.part.min_length)
        return {self.name: column, f"{self.name}_length": column.lengths}

    def _raw(self, split: Split) -> Ragged:
        found: Ragged = stored_column(split, self.part.column)
        bad = ~found.values.isfinite()
        if bad.any():
            place = int(bad.nonzero()[0, 0])
            row = int(torch.searchsorted(found.offsets, torch.tensor(place), right=True))
            detail = f'"{self.part.column}" holds what is no finite number in row {row}'
            raise DataError(detail, pointer="/data", hint="fill it, or leave such rows out")
        return found.to(torch.float32)
