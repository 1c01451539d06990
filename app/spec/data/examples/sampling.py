"""Sampling: how often the rows of train are trained on."""

from collections.abc import Iterator, Mapping
from typing import Literal

from pydantic import Field

from app.errors import Problem
from app.spec.base import Size, SpecModel
from app.spec.data.columns import Column, ColumnName, DataSchema
from app.spec.data.examples.row_values import rare_class_warnings, row_value_problems

MAX_SAMPLED_ROWS = 1 << 24  # that `torch.multinomial` can tell apart
CLASS_TYPES = ("category", "number", "text", "tensor")  # with one value per row
PLACE = "/data/sampler"


class Sampling(SpecModel):
    """Rows of train that are drawn by their weights, as torch's `WeightedRandomSampler` does."""

    kind: Literal["weighted", "balanced"] = Field(
        description="weighted: by a column of weights, which is no input then; balanced: each class as often, so that "
        "rows of rare ones are drawn again and again."
    )
    column: ColumnName | None = Field(
        None, description="Of weights (numbers from 0 on), or of classes. Default: the classes that are learned."
    )
    replacement: bool = Field(
        True, description="Whether a row may be drawn again in an epoch; without it, samples must be fewer than rows."
    )
    samples: Size | None = Field(None, description="Rows of an epoch. Default: as many as train has.")


def sampling_problems(
    sampler: Sampling | None, stored: DataSchema, classes: str | None, rows: int | None, has_windows: bool
) -> Iterator[Problem]:
    """Yield why rows cannot be drawn. `classes` is the column that is learned, `rows` those of train if known."""
    if sampler is None:
        return
    name = sampler.column or (classes if sampler.kind == "balanced" else None)
    if has_windows:
        detail = "examples are windows, which have no weight or class of their own"
        yield Problem(PLACE, "contradiction", detail, "remove the sampler")
    elif name is None:
        what = "name a column of weights" if sampler.kind == "weighted" else "name a column of classes"
        detail = f"it is not said by which column rows are {sampler.kind}"
        yield Problem(f"{PLACE}/column", "missing", detail, what)
    else:
        yield from _column_problems(sampler, name, stored)
    if not sampler.replacement and (sampler.samples is None or (rows is not None and sampler.samples >= rows)):
        detail = "without replacement an epoch of all rows has each of them once, whatever it weighs"
        count = f"fewer than {rows:,}" if rows is not None else "fewer than train has"
        yield Problem(f"{PLACE}/samples", "contradiction", detail, f"draw {count}, or with replacement")
    if rows is not None and rows > MAX_SAMPLED_ROWS:
        detail = f"{rows:,} rows are more than can be drawn by weight ({MAX_SAMPLED_ROWS:,})"
        yield Problem(
            PLACE, "too_many_rows", detail, 'remove the sampler; "weight": "balanced" in the loss weighs classes'
        )


def sampling_warnings(
    sampler: Sampling | None, stored: DataSchema, classes: str | None, rows: int | None
) -> Iterator[Problem]:
    """Yield a warning for classes that are too many to be balanced."""
    name = sampler.column or classes if sampler is not None and sampler.kind == "balanced" else None
    if name is not None:
        yield from rare_class_warnings(stored, name, f"{PLACE}/column", rows)


def _column_problems(sampler: Sampling, name: str, stored: DataSchema) -> Iterator[Problem]:
    place, is_weighted = f"{PLACE}/column", sampler.kind == "weighted"
    types = ("number", "tensor") if is_weighted else CLASS_TYPES
    values = "numbers from 0 on" if is_weighted else "one word or number per row"
    problems = list(row_value_problems(stored, name, place, types, values, "have no weight"))
    yield from problems
    column = stored.column(name)
    if is_weighted and column is not None and not problems and _least(column) < 0:
        detail = f'"{name}" is {_least(column):g} in some row, which is no weight'
        yield Problem(place, "out_of_range", detail, "use numbers from 0 on")


def _least(column: Column) -> float:
    statistics: Mapping[str, object] = column.statistics or {}
    least = statistics.get("min", 0.0)
    return float(least) if isinstance(least, int | float) else 0.0
