"""The scaling of numbers, fitted on the training rows."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NotRequired, Self, TypedDict

import numpy as np
import torch
from torch import Tensor

from app.errors import DataError

MAX_QUANTILES = 200
MIN_PROBABILITY = 1e-3  # of the tails: a value beyond those of train is about 3.1 deviations away
EXACT_PROBABILITY = 1e-7  # the same where the scaling is undone: scikit-learn's, about 5.2 deviations
Quantiles = np.ndarray[tuple[int], np.dtype[np.float64]]


class ScalingState(TypedDict):
    """A scaling as JSON: numbers, nested as the shape of a row."""

    shift: NotRequired[object]
    factor: NotRequired[object]
    dtype: NotRequired[str]  # in which it is computed; float32, unless float64 has digits that the scaling needs
    function: NotRequired[str]  # "log1p", which comes first
    quantiles: NotRequired[object]  # (quantiles, numbers of a row), instead of shift and factor
    shape: NotRequired[list[int]]  # of a row with quantiles
    distribution: NotRequired[str]  # "normal" or "uniform"


class BaseScaling(ABC):
    """A map of rows of numbers that can be undone."""

    @property
    @abstractmethod
    def shape(self) -> torch.Size:
        """The shape of a row; it broadcasts over rows."""

    @property
    @abstractmethod
    def dtype(self) -> torch.dtype:
        """The dtype in which it is computed."""

    @abstractmethod
    def __call__(self, values: Tensor) -> Tensor:
        """Return the values, scaled, in the dtype of the scaling."""

    @abstractmethod
    def inverse_transform(self, values: Tensor) -> Tensor:
        """Return scaled values as they were before."""

    def of_variance(self) -> "Scaling | None":
        """Return the scaling of variances of such numbers; `None` if they have none in the units of the data."""
        return None

    @abstractmethod
    def state(self) -> ScalingState:
        """Return the scaling as JSON, exactly."""


@dataclass(frozen=True)
class Scaling(BaseScaling):
    """(x - shift) / factor, measured on the training rows alone; both broadcast over the rows.

    It is computed in the dtype of the numbers that it was fitted to: timestamps differ in digits that float32 lacks.
    With `is_log`, x is log(1 + value), as NumPy's `log1p` has it.
    """

    shift: Tensor
    factor: Tensor
    is_log: bool = False

    @property
    def shape(self) -> torch.Size:
        """The shape of a row."""
        return self.factor.shape

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the numbers that it was fitted to."""
        return self.factor.dtype

    def __call__(self, values: Tensor) -> Tensor:
        """Return the values, scaled, in the dtype of the scaling."""
        values = values.to(self.shift.dtype)
        return ((values.log1p() if self.is_log else values) - self.shift) / self.factor

    def inverse_transform(self, values: Tensor) -> Tensor:
        """Return scaled values as they were before."""
        values = values * self.factor.to(values.device) + self.shift.to(values.device)
        return values.expm1() if self.is_log else values

    def of_variance(self) -> "Scaling | None":
        """Return the scaling by the square of the factor; `None` of logarithms."""
        return None if self.is_log else Scaling(torch.zeros_like(self.shift), self.factor**2)

    def state(self) -> ScalingState:
        """Return the scaling as JSON, exactly."""
        state = ScalingState(shift=self.shift.tolist(), factor=self.factor.tolist())
        if self.shift.dtype == torch.float64:
            state["dtype"] = "float64"
        if self.is_log:
            state["function"] = "log1p"
        return state


@dataclass(frozen=True)
class QuantileScaling(BaseScaling):
    """A monotone map to a uniform or the standard normal distribution, as scikit-learn's `QuantileTransformer` has it.

    Between quantiles it is linear; where several quantiles are equal, the middle of their ranks is taken, also of the
    least and of the greatest, which scikit-learn takes for 0 and 1. Values beyond those of train become 0 and 1.
    """

    values: Tensor  # float64 (quantiles, columns), each column in ascending order
    is_normal: bool = True
    min_probability: float = MIN_PROBABILITY  # of the normal distribution: what the tails end at
    row_shape: torch.Size | None = None  # of a row, if it has not one dimension

    @classmethod
    def fit(cls, values: Tensor, is_normal: bool = True, min_probability: float = MIN_PROBABILITY) -> Self:
        """Return the map of rows, (n, …)."""
        probabilities = np.linspace(0, 1, max(1, min(MAX_QUANTILES, len(values))))
        rows = values.double().reshape(len(values), values[0].numel() if len(values) else 1)
        quantiles = np.maximum.accumulate(np.quantile(rows.numpy(), probabilities, axis=0))
        return cls(torch.from_numpy(quantiles), is_normal, min_probability, values.shape[1:])

    @property
    def shape(self) -> torch.Size:
        """The shape of a row."""
        return self.values.shape[1:] if self.row_shape is None else self.row_shape

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the quantiles."""
        return self.values.dtype

    def __call__(self, values: Tensor) -> Tensor:
        """Return the values as ranks in 0..1, or as normal scores: float64, of the same shape."""
        probabilities = np.linspace(0, 1, len(self.values))
        rows = values.double().reshape(-1, self.values.shape[1])
        columns = [
            _interpolate(column, quantiles, probabilities)
            for column, quantiles in zip(rows.numpy().T, self.values.numpy().T, strict=True)
        ]
        ranks = torch.from_numpy(np.stack(columns, 1)) if columns else rows
        if self.is_normal:
            ranks = torch.special.ndtri(ranks.clamp(self.min_probability, 1 - self.min_probability))
        return ranks.reshape(values.shape)

    def inverse_transform(self, values: Tensor) -> Tensor:
        """Return ranks or normal scores as they were before; those beyond the tails as the least or greatest value."""
        rows = values.double().reshape(-1, self.values.shape[1])
        ranks = torch.special.ndtr(rows) if self.is_normal else rows
        if self.is_normal:  # the ends themselves, which were cut to the least probability
            edge = self.min_probability * (1 + 1e-5)  # float32 scores differ in so much
            ranks = torch.where(ranks <= edge, 0.0, torch.where(ranks >= 1 - edge, 1.0, ranks))
        place = ranks.clamp(0, 1) * (len(self.values) - 1)
        lower = place.floor().nan_to_num(0.0).long().clamp(max=max(0, len(self.values) - 2))
        quantiles = self.values.to(values.device)
        below = quantiles.gather(0, lower)
        above = quantiles.gather(0, (lower + 1).clamp(max=len(self.values) - 1))
        return torch.lerp(below, above, place - lower).reshape(values.shape)

    def state(self) -> ScalingState:
        """Return the quantiles as JSON, exactly."""
        return ScalingState(
            quantiles=self.values.tolist(),
            shape=list(self.shape),
            distribution="normal" if self.is_normal else "uniform",
        )


def check_logarithms(scale: str | None, values: Tensor, names: Sequence[str]) -> None:
    """Raise `DataError` if a scale takes the logarithm of 1 + x, and x is -1 or less in some row of (rows, …).

    `names` are those of the columns: of each number of a row, or one for all.
    """
    if scale != "log" or not (values <= -1).any():
        return
    place = (values <= -1).nonzero()[0].tolist()
    name = names[place[1]] if len(names) > 1 else names[0]
    detail = f'"{name}" is {values[tuple(place)].item():g} in row {place[0] + 1}, and 1 + x has no logarithm there'
    raise DataError(detail, pointer="/data", hint='use "scale": "robust" or "quantile", or leave such rows out')


def _standard(values: Tensor) -> Scaling:
    shift, deviation = values.mean(0), values.std(0, correction=0)
    is_constant = deviation <= 4 * torch.finfo(values.dtype).eps * shift.abs()  # but for rounding of the mean
    return Scaling(shift, torch.where(is_constant, torch.ones_like(deviation), deviation))  # a constant stays 0


def _log(values: Tensor) -> Scaling:
    logarithms = _standard(values.double().log1p())
    return Scaling(logarithms.shift, logarithms.factor, is_log=True)


def _min_max(values: Tensor) -> Scaling:
    least = values.amin(0)
    return Scaling(least, _nonzero(values.amax(0) - least))


def _robust(values: Tensor) -> Scaling:
    percentiles = np.percentile(values.numpy(), (25.0, 50.0, 75.0), axis=0)
    lower, middle, upper = (torch.as_tensor(each, dtype=values.dtype) for each in percentiles)
    return Scaling(middle, _nonzero(upper - lower))


def _nonzero(widths: Tensor) -> Tensor:
    """Return widths to divide by: 1 where there is none, so that a constant is 0."""
    return torch.where(widths > 0, widths, torch.ones_like(widths))


# Scale → the scaling of rows (n, …), element by element.
SCALINGS: Mapping[str, Callable[[Tensor], BaseScaling]] = {
    "standard": _standard,
    "log": _log,
    "min_max": _min_max,
    "robust": _robust,
    "quantile": lambda values: QuantileScaling.fit(values, True, EXACT_PROBABILITY),
    "quantile_uniform": lambda values: QuantileScaling.fit(values, False, EXACT_PROBABILITY),
}


def fit_scaling(values: Tensor, scale: str | None, peak: float | None) -> BaseScaling | None:
    """Return the scaling of rows (n, …); `None` leaves them as they are.

    `peak` is the largest value that the source's own type can hold: its presence marks images of bytes. Numbers of
    which logarithms are taken are checked by `check_logarithms`.
    """
    if scale == "unit" or (scale is None and peak is not None):
        largest = peak or float(values.abs().nan_to_num().max()) or 1.0
        return Scaling(torch.tensor(0.0, dtype=values.dtype), torch.tensor(largest, dtype=values.dtype))
    return SCALINGS[scale](values) if scale is not None and scale in SCALINGS else None


def load_scaling(state: ScalingState | None, dtype: torch.dtype | None = None) -> BaseScaling | None:
    """Return the scaling of a stored state, in its own dtype unless `dtype` is given."""
    if state is None:
        return None
    if "quantiles" in state:
        quantiles = torch.tensor(state["quantiles"], dtype=torch.float64)
        is_normal = state["distribution"] == "normal"
        return QuantileScaling(quantiles, is_normal, EXACT_PROBABILITY, torch.Size(state["shape"]))
    dtype = dtype or (torch.float64 if state.get("dtype") == "float64" else torch.float32)
    shift, factor = (torch.tensor(numbers, dtype=dtype) for numbers in (state["shift"], state["factor"]))
    return Scaling(shift, factor, state.get("function") == "log1p")


def apply_scaling(scaling: BaseScaling | None, values: Tensor) -> Tensor:
    """Return the values, scaled unless `scaling` is `None`."""
    return values if scaling is None else scaling(values)


def _interpolate(column: Quantiles, quantiles: Quantiles, probabilities: Quantiles) -> Quantiles:
    """Return the probabilities of values; of equal quantiles the middle, so it looks from both sides."""
    upper = np.interp(column, quantiles, probabilities)
    lower = -np.interp(-column, -quantiles[::-1], -probabilities[::-1])
    middle: Quantiles = (upper + lower) / 2
    return middle
