"""The scaling of numbers, fitted on the training rows."""

from dataclasses import dataclass
from typing import NotRequired, Self, TypedDict

import torch
from torch import Tensor


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
            factor = torch.where(deviation > 0, deviation, torch.ones_like(deviation))  # a constant stays 0
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
        return values * self.factor + self.shift


def apply_scaling(scaling: Scaling | None, values: Tensor) -> Tensor:
    """Return the values, scaled unless `scaling` is `None`."""
    return values if scaling is None else scaling(values)
