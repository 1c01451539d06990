"""Types of Arrow: what a column's type says of its meaning, and its values without a loss."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import numpy as np

from app.spec.data.columns import MAX_LABELS, ColumnType
from workers.data.types.base import BaseColumnType
from workers.data.types.texts import TextType
from workers.data.types.values import MAX_EXACT_INTEGER, Values, as_list

UNITS_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def metadata_types(schema: Any, columns: Mapping[str, Values]) -> dict[str, ColumnType]:
    """Return the types that a schema of Arrow, and the metadata of pandas in it, give to columns."""
    pandas = {column["name"]: column["pandas_type"] for column in (schema.pandas_metadata or {}).get("columns", ())}
    found: dict[str, ColumnType] = {}
    for field in schema:
        if field.name in columns:
            is_categorical = pandas.get(field.name) == "categorical"
            kind = _metadata_type(field.type, is_categorical, columns[field.name])
            found |= {field.name: kind} if kind is not None else {}
    return found


def _metadata_type(arrow: Any, is_categorical: bool, values: Values) -> ColumnType | None:
    """Return the type of dates, and of categories as far as they are few; `None` if Arrow's type says nothing."""
    from pyarrow import types  # noqa: PLC0415 - half a second, and few uploads are Parquet

    if types.is_timestamp(arrow) or types.is_date(arrow):
        return "datetime"
    is_category = is_categorical or types.is_dictionary(arrow)
    return "category" if is_category and len(set(as_list(values))) <= MAX_LABELS else None


def has_time_zone(arrow: Any) -> bool:
    """Return whether a type is of times with a zone, which are seconds since 1970 in UTC."""
    from pyarrow import types  # noqa: PLC0415

    return bool(types.is_timestamp(arrow)) and arrow.tz is not None


def index_columns(schema: Any) -> frozenset[str]:
    """Return the columns of the index of pandas, as far as it is stored in columns."""
    metadata = schema.pandas_metadata or {}
    return frozenset(name for name in metadata.get("index_columns", ()) if isinstance(name, str))


def seconds(chunk: Any, kind: type[BaseColumnType] | None) -> Values:
    """Return seconds since 1970, float64 (N), NaN for missing dates; of a column of words, dates in ISO 8601."""
    from pyarrow import types  # noqa: PLC0415

    if kind is not None and issubclass(kind, TextType):
        return [None if value is None else value.isoformat() for value in chunk.to_pylist()]
    unit = chunk.type.unit if types.is_timestamp(chunk.type) else "ms"
    counts = chunk.cast("timestamp[ms]").cast("int64") if types.is_date(chunk.type) else chunk.cast("int64")
    whole, fraction = np.divmod(counts.fill_null(0).to_numpy(zero_copy_only=False), UNITS_PER_SECOND[unit])
    result = whole + fraction / UNITS_PER_SECOND[unit]
    return np.where(chunk.is_valid().to_numpy(zero_copy_only=False), result, np.nan)


def exact_numbers(chunk: Any, kind: type[BaseColumnType] | None) -> Values:
    """Return whole numbers, decimals or booleans: float64 (N) if that holds all digits, else the integers themselves.

    Of a column of words they are Python's own integers and booleans, for a word has all digits.
    """
    from pyarrow import types  # noqa: PLC0415

    if kind is not None and issubclass(kind, TextType):
        return [as_integer(value) for value in chunk.to_pylist()]
    numbers = np.array(
        (chunk.cast("uint8") if types.is_boolean(chunk.type) else chunk)
        .cast("float64", safe=False)
        .to_numpy(zero_copy_only=False)
    )
    if kind is None and (np.abs(numbers) >= MAX_EXACT_INTEGER).any():
        values = [as_integer(value) for value in chunk.to_pylist()]
        if any(isinstance(value, int) and int(float(value)) != value for value in values):
            return values
    return numbers


def as_integer(value: Any) -> Any:
    """Return a decimal or a large float without a fraction as an integer, and anything else as it is."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    is_large = isinstance(value, float) and abs(value) >= MAX_EXACT_INTEGER and value.is_integer()
    return int(value) if is_large else value
