"""Tables for pandas and Polars, which are optional: `graftwerk[pandas]`, `graftwerk[polars]`."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from graftwerk.errors import MissingPackage

if TYPE_CHECKING:
    import pandas
    import polars

Columns = Mapping[str, Sequence[Any]]  # of equal length


def to_pandas(columns: Columns) -> "pandas.DataFrame":
    """Return columns as a DataFrame. Raises `MissingPackage` without pandas."""
    try:
        found = import_module("pandas")
    except ImportError as error:
        raise MissingPackage("pandas") from error
    frame: pandas.DataFrame = found.DataFrame(dict(columns))
    return frame


def to_polars(columns: Columns) -> "polars.DataFrame":
    """Return columns as a DataFrame; whole numbers and fractions of one column are fractions.

    Raises `MissingPackage` without Polars.
    """
    try:
        found = import_module("polars")
    except ImportError as error:
        raise MissingPackage("polars") from error
    frame: polars.DataFrame = found.DataFrame(dict(columns), strict=False)
    return frame


def columns_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Return rows as columns; a value that a row does not have is `None`."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}
