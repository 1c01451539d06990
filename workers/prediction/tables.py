"""Tables of rows, in the formats of data sets; cells are parsed by the known types of the columns."""

import json
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from app.errors import InvalidInput, Problem, first_line
from app.spec.data.columns import Column
from app.spec.problems import did_you_mean, json_pointer
from workers.data.files.lines import read_lines
from workers.data.files.problems import ProblemCollector, line_problem, refuse
from workers.data.formats.delimited import MISSING_VALUES, column_names, read_rows
from workers.data.types.table import check_column_names
from workers.data.types.values import BOOLEAN_VALUES, parse_json
from workers.prediction.requests import RequestBody
from workers.prediction.required_columns import ColumnValues

ValuesByColumn = Mapping[str, ColumnValues]
KnownColumns = Mapping[str, Column]

MAX_UNPACKED_BYTES = 1 << 30  # of a compressed file
# Types whose values are JSON in cells of text.
JSON_ENCODED_TYPES = frozenset({"words", "series", "tensor", "tree"})


def read_csv(body: RequestBody, known: KnownColumns) -> ValuesByColumn:
    """Read cells separated by commas, or semicolons. Raises `InvalidInput`, `ContentTooLarge`."""
    return _read_delimited(body, known, "")


def read_tsv(body: RequestBody, known: KnownColumns) -> ValuesByColumn:
    """Read cells separated by tabs. Raises `InvalidInput`, `ContentTooLarge`."""
    return _read_delimited(body, known, "\t")


def _read_delimited(body: RequestBody, known: KnownColumns, delimiter: str) -> ValuesByColumn:
    problems, kept = ProblemCollector(), list[list[str]]()
    with body.path.open("rb") as file:
        rows = read_rows(file, "", delimiter)
        names = column_names(next(rows, (1, []))[1])
        check_column_names(names)
        for line, cells in rows:
            if len(cells) == len(names):
                kept.append(cells)
                body.check_row_count(len(kept))
            elif cells:  # not a blank line
                detail = f"has {len(cells)} cells, the header has {len(names)}"
                problems.add(line_problem("", line, "columns_differ", detail, "quote cells with a delimiter"))
    problems.raise_if_any()
    columns: Sequence[Sequence[str]] = list(zip(*kept, strict=True)) if kept else [()] * len(names)
    return {name: parse_cells(cells, known.get(name)) for name, cells in zip(names, columns, strict=True)}


def parse_cells(cells: Sequence[Any], column: Column | None) -> list[Any]:
    """Return the values of cells by the column's type; a cell without a valid value stays text."""
    if column is None:
        return list(cells)
    read = (
        _parse_number if column.type == "number" else _parse_json if column.type in JSON_ENCODED_TYPES else _parse_word
    )
    return [read(cell) if isinstance(cell, str) else cell for cell in cells]


def _parse_number(cell: str) -> Any:
    word = cell.strip()
    if word.lower() in MISSING_VALUES:
        return None
    try:
        return BOOLEAN_VALUES[word.lower()] if word.lower() in BOOLEAN_VALUES else cell if "_" in word else float(word)
    except ValueError:
        return cell


def _parse_word(cell: str) -> str | None:
    return cell.strip() or None


def _parse_json(cell: str) -> Any:
    try:
        return parse_json(cell) if cell.strip() else None
    except ValueError:
        return cell


def read_jsonl(body: RequestBody, known: KnownColumns) -> ValuesByColumn:
    """Read one object a line; a key that a line lacks is a missing value. Raises `InvalidInput`, `ContentTooLarge`."""
    problems, rows = ProblemCollector(), list[dict[str, Any]]()
    with body.path.open("rb") as file:
        for number, line in enumerate(read_lines(file), start=1):
            if not line.strip():
                continue
            try:
                row = parse_json(line)
            except json.JSONDecodeError as error:
                detail = f"{error.msg} at column {error.colno}"
                problems.add(line_problem("", number, "not_json", detail, "write one JSON object a line"))
                continue
            except ValueError as error:
                problems.add(line_problem("", number, "not_json", str(error)))
                continue
            if not isinstance(row, dict):
                problems.add(line_problem("", number, "not_an_object", "it is not a JSON object", 'such as {"x": 1.5}'))
                continue
            rows.append(row)
            body.check_row_count(len(rows))
    problems.raise_if_any()
    body.check_row_count(len(rows))
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def read_parquet(body: RequestBody, known: KnownColumns) -> ValuesByColumn:
    """Read Parquet. Raises `InvalidInput`, `ContentTooLarge`."""
    import pyarrow  # noqa: PLC0415 - half a second, and few bodies are Parquet
    from pyarrow import parquet, types  # noqa: PLC0415

    pyarrow.set_cpu_count(1)
    try:
        table = parquet.ParquetFile(body.path, pre_buffer=False)
        body.check_row_count(table.metadata.num_rows)
        groups = [table.metadata.row_group(number) for number in range(table.metadata.num_row_groups)]
        if sum(group.total_byte_size for group in groups) > MAX_UNPACKED_BYTES:
            refuse("too_large", f"the file unpacks to more than {MAX_UNPACKED_BYTES} bytes", "send fewer rows")
        columns = {}
        for name in table.schema_arrow.names:
            column = table.read([name], use_threads=False).column(0)
            if types.is_decimal(column.type) or types.is_floating(column.type):
                column = column.cast("float64")
            values = [None if value != value else value for value in column.to_pylist()]  # noqa: PLR0124 - NaN
            columns[name] = parse_cells(values, known.get(name))
    except (pyarrow.ArrowException, OSError, OverflowError) as error:
        detail = f"the file cannot be read as Parquet: {first_line(error)[:200]}"
        refuse("unreadable", detail, "check that it is complete")
    return columns


def check_columns(columns: ValuesByColumn, known: KnownColumns, required: Sequence[str]) -> None:
    """Raise `InvalidInput` for columns that the data set does not have, and for missing ones that the network reads."""
    problems = []
    for name in islice((name for name in columns if name not in known), 20):
        hint = did_you_mean(name, known) or "one of: " + ", ".join(list(known)[:20])
        detail = f'"{name[:200]}" is not a column of the data set'
        problems.append(Problem(json_pointer([name[:200]]), "unknown_column", detail, hint))
    for name in required:
        if name not in columns:
            detail = f'"{name}" is missing, and the network reads it'
            problems.append(Problem(json_pointer([name]), "missing_column", detail, "add the column"))
    if problems:
        raise InvalidInput(problems)
