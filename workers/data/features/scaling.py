"""The scaling of numbers, fitted on the training rows."""

from dataclasses import dataclass
from typing import Self, TypedDict

import torch
from torch import Tensor


class ScalingState(TypedDict):
    """A scaling as JSON: numbers, nested as the shape of a row."""

    shift: object
    factor: object


@dataclass(frozen=True)
class Scaling:
    """(x - shift) / factor, measured on the training rows alone; both broadcast over the rows."""

    shift: Tensor
    factor: Tensor

    @classmethod
    def fit(cls, values: Tensor, scale: str | None, peak: float | None) -> Self | None:
        """Return the scaling of rows (n, …); `None` leaves them as they are.

        `peak` is the largest value that the source's own type can hold: its presence marks images of bytes.
        """
        if scale == "unit" or (scale is None and peak is not None):
            largest = peak or float(values.abs().nan_to_num().max()) or 1.0
            return cls(torch.tensor(0.0), torch.tensor(largest))
        if scale == "standard":
            shift, deviation = values.mean(0), values.std(0, correction=0)
            factor = torch.where(deviation > 0, deviation, torch.ones_like(deviation))  # a constant stays 0
            return cls(shift, factor)
        return None

    @classmethod
    def load(cls, state: ScalingState | None, dtype: torch.dtype = torch.float32) -> Self | None:
        """Return the scaling of a stored state."""
        if state is None:
            return None
        return cls(torch.tensor(state["shift"], dtype=dtype), torch.tensor(state["factor"], dtype=dtype))

    def state(self) -> ScalingState:
        """Return the scaling as JSON, exactly."""
        return {"shift": self.shift.tolist(), "factor": self.factor.tolist()}

    def __call__(self, values: Tensor) -> Tensor:
        """Return the values, scaled."""
        return (values - self.shift) / self.factor

    def inverse_transform(self, values: Tensor) -> Tensor:
        """Return scaled values as they were before."""
        return values * self.factor.to(values.device) + self.shift.to(values.device)


def apply_scaling(scaling: Scaling | None, values: Tensor) -> Tensor:
    """Return the values, scaled unless `scaling` is `None`."""
    return values if scaling is None else scaling(values)
