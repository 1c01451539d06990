"""The scaling of numbers, fitted on the training rows."""

from dataclasses import dataclass
from typing import NotRequired, Self, TypedDict

import numpy as np
import torch
from torch import Tensor

MAX_QUANTILES = 200
MIN_PROBABILITY = 1e-3  # of the tails: a value beyond those of train is about 3.1 deviations away


class ScalingState(TypedDict):
    """A scaling as JSON: numbers, nested as the shape of a row."""

    shift: object
    factor: object
    dtype: NotRequired[str]  # in which it is computed; float32, unless float64 has digits that the scaling needs


@dataclass(frozen=True)
class Scaling:
    """(x - shift) / factor, measured on the training rows alone; both broadcast over the rows.

    It is computed in the dtype of the numbers that it was fitted to: timestamps differ in digits that float32 lacks.
    """

    shift: Tensor
    factor: Tensor

    @classmethod
    def fit(cls, values: Tensor, scale: str | None, peak: float | None) -> Self | None:
        """Return the scaling of rows (n, …); `None` leaves them as they are.

        `peak` is the largest value that the source's own type can hold: its presence marks images of bytes.
        """
        if scale == "unit" or (scale is None and peak is not None):
            largest = peak or float(values.abs().nan_to_num().max()) or 1.0
            return cls(torch.tensor(0.0, dtype=values.dtype), torch.tensor(largest, dtype=values.dtype))
        if scale == "standard":
            shift, deviation = values.mean(0), values.std(0, correction=0)
            is_constant = deviation <= 4 * torch.finfo(values.dtype).eps * shift.abs()  # but for rounding of the mean
            factor = torch.where(is_constant, torch.ones_like(deviation), deviation)  # a constant stays 0
            return cls(shift, factor)
        return None

    @classmethod
    def load(cls, state: ScalingState | None, dtype: torch.dtype | None = None) -> Self | None:
        """Return the scaling of a stored state, in its own dtype unless `dtype` is given."""
        if state is None:
            return None
        dtype = dtype or (torch.float64 if state.get("dtype") == "float64" else torch.float32)
        return cls(torch.tensor(state["shift"], dtype=dtype), torch.tensor(state["factor"], dtype=dtype))

    def state(self) -> ScalingState:
        """Return the scaling as JSON, exactly."""
        state = ScalingState(shift=self.shift.tolist(), factor=self.factor.tolist())
        if self.shift.dtype == torch.float64:
            state["dtype"] = "float64"
        return state

    def __call__(self, values: Tensor) -> Tensor:
        """Return the values, scaled, in the dtype of the scaling."""
        return (values.to(self.shift.dtype) - self.shift) / self.factor

    def inverse_transform(self, values: Tensor) -> Tensor:
        """Return scaled values as they were before."""
        return values * self.factor.to(values.device) + self.shift.to(values.device)


def apply_scaling(scaling: Scaling | None, values: Tensor) -> Tensor:
    """Return the values, scaled unless `scaling` is `None`."""
    return values if scaling is None else scaling(values)


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
        scores: Tensor = torch.special.ndtri(ranks.clamp(MIN_PROBABILITY, 1 - MIN_PROBABILITY))
        return scores


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
