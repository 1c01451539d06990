"""The weights by which rows of train are drawn."""

import torch
from torch import Tensor

from app.errors import DataError
from app.spec.data.examples.sampling import PLACE, Sampling
from workers.data.columns import SplitColumns
from workers.data.loading.splits import value_codes


def sampling_weights(sampler: Sampling, columns: SplitColumns, classes: str | None) -> Tensor:
    """Return a weight for each row: float64 (rows), of sum 1. `classes` is the column that is learned, if there is one.

    Raises
    ------
    DataError
        For a weight that is missing, negative or infinite, for weights that are all 0, and if fewer rows have a weight
        than are drawn without replacement.
    """
    name, place = sampler.column or classes or "", f"{PLACE}/column"
    if name not in columns:
        raise DataError(f'the data has no column "{name}"', pointer=place)
    values = columns[name]
    rows = torch.arange(len(values))
    if sampler.kind == "balanced":
        codes = value_codes(values, name, place, rows)
        weights = torch.bincount(codes).double().reciprocal()[codes]
    else:
        weights = _column_weights(values, name, place)
    available = int((weights > 0).sum())
    if available == 0:
        raise DataError(f'"{name}" is 0 in every row of train', pointer=place, hint="give some rows a weight")
    if not sampler.replacement and (sampler.samples or len(weights)) > available:
        detail = f"{available:,} rows of train have a weight, and {sampler.samples or len(weights):,} are to be drawn"
        raise DataError(detail, pointer=f"{PLACE}/samples", hint=f"draw at most {available:,}, or with replacement")
    return weights / weights.sum()


def _column_weights(values: object, name: str, place: str) -> Tensor:
    if not isinstance(values, Tensor):
        raise DataError(f'"{name}" has no numbers', pointer=place, hint="name a column of numbers from 0 on")
    weights = values.reshape(len(values)).double()
    invalid = ~(weights.isfinite() & (weights >= 0))
    if invalid.any():
        row = int(invalid.nonzero()[0, 0])
        detail = f'"{name}" is {float(weights[row]):g} in row {row + 1} of train, which is no weight'
        raise DataError(detail, pointer=place, hint="use finite numbers from 0 on")
    return weights
