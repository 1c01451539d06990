"""Columns with one value in every row, by which rows are ordered, told apart or drawn."""

from collections.abc import Iterator, Sequence

from app.errors import Problem
from app.spec.data.columns import DataSchema
from app.spec.hints.names import did_you_mean

MIN_CLASS_ROWS = 5  # that a class has on average, for what is counted of each to mean something


def rare_class_warnings(stored: DataSchema, name: str, place: str, rows: int | None) -> Iterator[Problem]:
    """Yield a warning for a column of so many values that hardly two rows have the same: no classes to be balanced."""
    column = stored.column(name)
    if column is None:
        return
    classes = len(column.labels) if column.labels is not None else column.classes
    hint = "balance by a column of few values, or do not balance"
    if classes is None and column.type == "number":
        detail = f'each of the many different numbers of "{name}" counts as a class of its own'
        yield Problem(place, "many_classes", detail, hint)
    elif classes is not None and rows is not None and classes > 1 and rows < MIN_CLASS_ROWS * classes:
        detail = f'"{name}" has {classes:,} classes in {rows:,} rows: too few of each to be balanced'
        yield Problem(place, "many_classes", detail, hint)


def row_value_problems(
    stored: DataSchema, name: str, place: str, types: Sequence[str], values: str, lack: str
) -> Iterator[Problem]:
    """Yield why a column has not one value of some types in every row.

    `values` says what the column should have, `lack` what rows are that miss it.
    """
    column = stored.column(name)
    if column is None:
        choices = [each.name for each in stored.columns if each.type in types]
        hint = did_you_mean(name, choices) or "one of: " + ", ".join(choices[:50])
        yield Problem(place, "unknown_column", f'the data has no column "{name}"', hint)
    elif column.type not in types or column.shape not in ((), (1,)):
        detail = f'"{name}" is a column of type {column.type}{list(column.shape) or ""}'
        yield Problem(place, "wrong_column_type", detail, f"name a column of {values}")
    elif column.missing:
        detail = f'"{name}" is missing in {column.missing:,} rows, which then {lack}'
        yield Problem(place, "missing_values", detail, "fill it, or leave these rows out")
