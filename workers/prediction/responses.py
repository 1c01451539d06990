"""The body of a response: a JSON document, or a table."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import orjson

from workers.prediction.formatting import OutputFormatter

MAX_SPREAD_WIDTH = 1000  # numbers of a row that get a column each; more stay one list
SPREAD_FIELDS = frozenset({"probabilities", "value", "raw"})
NAMED_FIELDS = frozenset({"probabilities", "value"})  # whose columns are called by the output's labels

RowPredictions = Mapping[str, Mapping[str, Any]]  # of a row: output → field → value


def render_json(head: Mapping[str, Any], predictions: Sequence[RowPredictions]) -> bytes:
    """Return a JSON document: the members of `head`, and the rows."""
    return orjson.dumps({**head, "predictions": predictions}, option=orjson.OPT_SERIALIZE_NUMPY)


def render_csv(
    predictions: Sequence[RowPredictions],
    formatters: Mapping[str, OutputFormatter],
    files: Sequence[str] = (),
    origins: Sequence[Mapping[str, Any]] | None = None,
) -> bytes:
    """Return a table with a header and a column for each field.

    `files` are the names of the rows, `origins` the series of forecasts and the times that they begin after.
    """
    columns: dict[str, Sequence[Any]] = {"file": files} if files else {}
    columns |= {field: [each[field] for each in origins or ()] for field in (origins or [{}])[0]}
    for output, formatter in formatters.items():
        for field in predictions[0][output]:
            columns |= _spread_columns(
                f"{output}.{field}", [row[output][field] for row in predictions], field, formatter
            )
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return text.getvalue().encode()


def _spread_columns(
    name: str, values: Sequence[Any], field: str, formatter: OutputFormatter
) -> dict[str, Sequence[Any]]:
    widths = {len(value) if _is_flat_list(value) else 0 for value in values}
    if field not in SPREAD_FIELDS or len(widths) > 1 or not 0 < max(widths) <= MAX_SPREAD_WIDTH:
        return {name: list(map(_format_cell, values))}
    is_named = field in NAMED_FIELDS and len(formatter.labels) == max(widths)
    labels = formatter.labels if is_named else range(max(widths))
    return {f"{name}.{label}": [value[place] for value in values] for place, label in enumerate(labels)}


def _is_flat_list(value: Any) -> bool:
    """Return whether a value is a list that is not nested."""
    if isinstance(value, np.ndarray):
        return value.ndim == 1
    return isinstance(value, list) and not any(isinstance(item, list) for item in value)


def _format_cell(value: Any) -> Any:
    if isinstance(value, list | np.ndarray):
        return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY).decode()
    return value
