"""Sampling: how often the rows of train are trained on."""

from collections.abc import Iterator, Mapping
from typing import Literal

from pydantic import Field

from app.errors import Problem
from app.spec.base import Size, SpecModel
from app.spec.data.columns import Column, ColumnName, DataSchema
from app.spec.hints.names import did_you_mean

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


def _column_problems(sampler: Sampling, name: str, stored: DataSchema) -> Iterator[Problem]:
    column, place = stored.column(name), f"{PLACE}/column"
    types = ("number", "tensor") if sampler.kind == "weighted" else CLASS_TYPES
    if column is None:
        choices = [each.name for each in stored.columns if each.type in types]
        hint = did_you_mean(name, choices) or "one of: " + ", ".join(choices[:50])
        yield Problem(place, "unknown_column", f'the data has no column "{name}"', hint)
    elif column.type not in types or column.shape not in ((), (1,)):
        detail = f'"{name}" is a column of type {column.type}{list(column.shape) or ""}'
        what = "numbers from 0 on" if sampler.kind == "weighted" else "one word or number per row"
        yield Problem(place, "wrong_column_type", detail, f"name a column of {what}")
    elif column.missing:
        detail = f'"{name}" is missing in {column.missing:,} rows, which then have no weight'
        yield Problem(place, "missing_values", detail, "fill it, or leave these rows out")
    elif sampler.kind == "weighted" and _least(column) < 0:
        detail = f'"{name}" is {_least(column):g} in some row, which is no weight'
        yield Problem(place, "out_of_range", detail, "use numbers from 0 on")


def _least(column: Column) -> float:
    statistics: Mapping[str, object] = column.statistics or {}
    least = statistics.get("min", 0.0)
    return float(least) if isinstance(least, int | float) else 0.0
