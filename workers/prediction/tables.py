"""Tables of rows, as files of a data set have them; read by the types that its columns are known to have."""

import json
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from app.errors import InvalidInput, Problem
from app.spec.data.columns import Column
from app.spec.problems import nearest, pointer
from workers.data.files.lines import lines
from workers.data.files.problems import Findings, placed, refuse
from workers.data.formats.delimited import MISSING, names_of, rows_of
from workers.data.types.table import checked_names
from workers.data.types.values import TRUTHS, parsed
from workers.prediction.columns import Values
from workers.prediction.requests import Body

Columns = Mapping[str, Values]
Known = Mapping[str, Column]

UNPACKED = 1 << 30  # bytes of a file that is packed
IN_JSON = frozenset({"words", "series", "tensor", "tree"})  # types whose values are JSON where cells are text


def read_csv(body: Body, known: Known) -> Columns:
    """Read a table whose cells stand between commas, or semicolons. Raises `InvalidInput`, `TooLarge`."""
    return _delimited(body, known, "")


def read_tsv(body: Body, known: Known) -> Columns:
    """Read a table whose cells stand between tabs. Raises `InvalidInput`, `TooLarge`."""
    return _delimited(body, known, "\t")


def _delimited(body: Body, known: Known, delimiter: str) -> Columns:
    findings, kept = Findings(), list[list[str]]()
    with body.path.open("rb") as file:
        rows = rows_of(file, "", delimiter)
        names = names_of(next(rows, (1, []))[1])
        checked_names(names)
        for line, cells in rows:
            if len(cells) == len(names):
                kept.append(cells)
                body.check(len(kept))
            elif cells:  # no blank line
                detail = f"has {len(cells)} cells, the header has {len(names)}"
                findings.add(placed("", line, "columns_differ", detail, "perhaps a comma needs quotes"))
    findings.end()
    columns: Sequence[Sequence[str]] = list(zip(*kept, strict=True)) if kept else [()] * len(names)
    return {name: texts(cells, known.get(name)) for name, cells in zip(names, columns, strict=True)}


def texts(cells: Sequence[Any], column: Column | None) -> list[Any]:
    """Return the values that cells of text stand for, by the column's type; what stands for none stays as it is."""
    if column is None:
        return list(cells)
    read = _number if column.type == "number" else _json if column.type in IN_JSON else _word
    return [read(cell) if isinstance(cell, str) else cell for cell in cells]


def _number(cell: str) -> Any:
    word = cell.strip()
    if word.lower() in MISSING:
        return None
    try:
        return TRUTHS[word.lower()] if word.lower() in TRUTHS else cell if "_" in word else float(word)
    except ValueError:
        return cell


def _word(cell: str) -> str | None:
    return cell.strip() or None


def _json(cell: str) -> Any:
    try:
        return parsed(cell) if cell.strip() else None
    except ValueError:
        return cell


def read_jsonl(body: Body, known: Known) -> Columns:
    """Read objects, one a line; a key that some of them lack is a missing value. Raises `InvalidInput`, `TooLarge`."""
    findings, rows = Findings(), list[dict[str, Any]]()
    with body.path.open("rb") as file:
        for number, line in enumerate(lines(file), start=1):
            if not line.strip():
                continue
            try:
                row = parsed(line)
            except json.JSONDecodeError as error:
                detail = f"{error.msg} at column {error.colno}"
                findings.add(placed("", number, "not_json", detail, "every line is one JSON object"))
                continue
            except ValueError as error:
                findings.add(placed("", number, "not_json", str(error)))
                continue
            if not isinstance(row, dict):
                findings.add(placed("", number, "not_an_object", "it holds no object", 'such as {"x": 1.5}'))
                continue
            rows.append(row)
            body.check(len(rows))
    findings.end()
    body.check(len(rows))
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def read_parquet(body: Body, known: Known) -> Columns:
    """Read a table of Arrow. Raises `InvalidInput`, `TooLarge`."""
    import pyarrow  # noqa: PLC0415 - half a second, and few bodies are Parquet
    from pyarrow import parquet, types  # noqa: PLC0415

    pyarrow.set_cpu_count(1)
    try:
        table = parquet.ParquetFile(body.path, pre_buffer=False)
        body.check(table.metadata.num_rows)
        groups = [table.metadata.row_group(number) for number in range(table.metadata.num_row_groups)]
        if sum(group.total_byte_size for group in groups) > UNPACKED:
            refuse("too_large", f"the file unpacks to more than {UNPACKED} bytes", "send fewer rows")
        found = {}
        for name in table.schema_arrow.names:
            column = table.read([name], use_threads=False).column(0)
            if types.is_decimal(column.type) or types.is_floating(column.type):
                column = column.cast("float64")
            values = [None if each != each else each for each in column.to_pylist()]  # noqa: PLR0124 - NaN
            found[name] = texts(values, known.get(name))
    except (pyarrow.ArrowException, OSError, OverflowError) as error:
        message = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        refuse("unreadable", f"the file cannot be read as parquet: {message}", "is it whole?")
    return found


def check_names(columns: Columns, known: Known, wanted: Sequence[str]) -> None:
    """Refuse columns that the data set does not have, and files without those that the network reads.

    Raises `InvalidInput`.
    """
    problems = []
    for name in islice((name for name in columns if name not in known), 20):
        hint = nearest(name, known) or "there are: " + ", ".join(list(known)[:20])
        detail = f'"{name[:200]}" is no column of the data set'
        problems.append(Problem(pointer([name[:200]]), "unknown_column", detail, hint))
    for name in wanted:
        if name not in columns:
            detail = f'"{name}" is a column that the network reads'
            problems.append(Problem(pointer([name]), "missing_column", detail, "add it"))
    if problems:
        raise InvalidInput(problems)
