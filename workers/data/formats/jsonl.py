"""JSONL: an object in every line, whose keys are the columns."""

import json
from typing import Any

from app.errors import Problem
from workers.data.files.content import Content, Upload
from workers.data.files.lines import read_lines
from workers.data.files.problems import ProblemCollector, RowLocations, line_problem
from workers.data.files.split_files import SplitFile, split_files
from workers.data.types.table import MAX_COLUMNS, build_content, check_column_names, target_column
from workers.data.types.values import compact, parse_json


def read_jsonl(upload: Upload) -> Content:
    """Read objects, one a line. A key that an object lacks is a missing value. Raises `InvalidInput`."""
    files = split_files(upload)
    columns: dict[str, list[Any]] = {}
    places, findings = RowLocations(), ProblemCollector()
    for each in files:
        _read(each, columns, places, findings)
    findings.raise_if_any()
    check_column_names(list(columns))
    target = target_column(list(columns), upload.source, last=False)
    return build_content(columns, [each.split for each in files], places, upload.source, target=target)


def _read(part: SplitFile, columns: dict[str, list[Any]], places: RowLocations, findings: ProblemCollector) -> None:
    places.start_file(part.name)
    with part.open() as file:
        rows = len(places)
        for number, line in enumerate(read_lines(file, part.name), start=1):
            if not line.strip():
                continue
            found = _parse_line(line, number, part.name)
            if isinstance(found, Problem):
                findings.add(found)
                continue
            for name, value in found.items():
                cells = columns.get(name)
                if cells is None:
                    cells = columns[name] = []
                    if len(columns) > MAX_COLUMNS:
                        check_column_names(list(columns), part.name)
                if len(cells) < rows:
                    cells.extend([None] * (rows - len(cells)))
                try:
                    cells.append(compact(value))
                except ValueError as error:
                    findings.add(line_problem(part.name, number, "unsupported_value", f'column "{name[:40]}": {error}'))
                    cells.append(None)
            places.add([number])
            rows += 1
        for cells in columns.values():
            cells.extend([None] * (rows - len(cells)))


def _parse_line(line: str, number: int, name: str) -> dict[str, Any] | Problem:
    try:
        found = parse_json(line.rstrip())
    except json.JSONDecodeError as error:
        hint = "every line is one JSON object"
        return line_problem(name, number, "not_json", f"{error.msg} at column {error.colno}", hint)
    except ValueError as error:
        return line_problem(name, number, "not_json", str(error))
    if not isinstance(found, dict):
        hint = 'write it as {"name": value, …}'
        return line_problem(
            name, number, "not_an_object", f"it holds {_describe_value(found)}, and not an object", hint
        )
    return found


def _describe_value(value: Any) -> str:
    return "a list" if isinstance(value, list) else "a value"
