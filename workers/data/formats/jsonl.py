"""JSONL: an object in every line, whose keys are the columns."""

import json
from typing import Any

from app.errors import Problem
from workers.data.files.content import Content, Upload
from workers.data.files.lines import lines
from workers.data.files.parts import Part, parts
from workers.data.files.problems import Findings, Places, placed
from workers.data.types.table import MOST_COLUMNS, assembled, checked_names, learned
from workers.data.types.values import compact, parsed


def read_jsonl(upload: Upload) -> Content:
    """Read objects, one a line. A key that an object lacks is a missing value. Raises `InvalidInput`."""
    files = parts(upload)
    columns: dict[str, list[Any]] = {}
    places, findings = Places(), Findings()
    for each in files:
        _read(each, columns, places, findings)
    findings.end()
    checked_names(list(columns))
    target = learned(list(columns), upload.source, last=False)
    return assembled(columns, [each.split for each in files], places, upload.source, target=target)


def _read(part: Part, columns: dict[str, list[Any]], places: Places, findings: Findings) -> None:
    places.begin(part.name)
    with part.open() as file:
        rows = len(places)
        for number, line in enumerate(lines(file, part.name), start=1):
            if not line.strip():
                continue
            found = _parsed(line, number, part.name)
            if isinstance(found, Problem):
                findings.add(found)
                continue
            for name, value in found.items():
                cells = columns.get(name)
                if cells is None:
                    cells = columns[name] = []
                    if len(columns) > MOST_COLUMNS:
                        checked_names(list(columns), part.name)
                if len(cells) < rows:
                    cells.extend([None] * (rows - len(cells)))
                try:
                    cells.append(compact(value))
                except ValueError as error:
                    findings.add(placed(part.name, number, "unsupported_value", f'column "{name[:40]}": {error}'))
                    cells.append(None)
            places.add([number])
            rows += 1
        for cells in columns.values():
            cells.extend([None] * (rows - len(cells)))


def _parsed(line: str, number: int, name: str) -> dict[str, Any] | Problem:
    try:
        found = parsed(line.rstrip())
    except json.JSONDecodeError as error:
        hint = "every line is one JSON object"
        return placed(name, number, "not_json", f"{error.msg} at column {error.colno}", hint)
    except ValueError as error:
        return placed(name, number, "not_json", str(error))
    if not isinstance(found, dict):
        hint = 'write it as {"name": value, …}'
        return placed(name, number, "not_an_object", f"it holds {_named(found)}, and not an object", hint)
    return found


def _named(value: Any) -> str:
    return "a list" if isinstance(value, list) else "a value"
