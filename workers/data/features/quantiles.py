"""Quantile scaling: numbers become normally distributed by their rank among the training rows."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor

MAX_QUANTILES = 200
MIN_PROBABILITY = 1e-3  # of the tails: a value beyond those of train is about 3.1 deviations away


@dataclass(frozen=True)
class QuantileScaling:
    """A monotone map to the standard normal distribution, as scikit-learn's `QuantileTransformer` has it.

    Between quantiles it is linear; where several quantiles are equal, the middle of their ranks is taken.
    """

    values: Tensor  # float64 (quantiles, columns), each column in ascending order

    @classmethod
    def fit(cls, values: Tensor) -> Self:
        """Return the map of rows, float64 (n, columns)."""
        probabilities = np.linspace(0, 1, min(MAX_QUANTILES, len(values)))
        return cls(torch.from_numpy(np.quantile(values.numpy(), probabilities, axis=0)))

    def __call__(self, values: Tensor) -> Tensor:
        """Return the values as normal scores, float64 (n, columns)."""
        probabilities = np.linspace(0, 1, len(self.values))
        columns = [
            _interpolate(column, quantiles, probabilities)
            for column, quantiles in zip(values.numpy().T, self.values.numpy().T, strict=True)
        ]
        ranks = torch.from_numpy(np.stack(columns, 1)) if columns else values
        return torch.special.ndtri(ranks.clamp(MIN_PROBABILITY, 1 - MIN_PROBABILITY))


def _interpolate(
    column: np.ndarray[tuple[int], np.dtype[np.float64]],
    quantiles: np.ndarray[tuple[int], np.dtype[np.float64]],
    probabilities: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return the probabilities of values; of equal quantiles the middle, so it looks from both sides."""
    upper = np.interp(column, quantiles, probabilities)
    lower = -np.interp(-column, -quantiles[::-1], -probabilities[::-1])
    middle: np.ndarray[tuple[int], np.dtype[np.float64]] = (upper + lower) / 2
    return middle
