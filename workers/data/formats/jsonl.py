"""JSONL: an object in every line, whose keys are the columns."""

import json
from collections.abc import Sequence
from typing import Any

from app.errors import Problem
from workers.data.files.column_names import MAX_COLUMNS, check_column_names
from workers.data.files.content import Content, Upload
from workers.data.files.problems import ProblemCollector, RowLocations, line_problem
from workers.data.files.split_files import SplitFile, split_files
from workers.data.types.table import Table, TableOptions, build_content
from workers.data.types.values import compact, compact_if_valid, parse_json


def read_jsonl(upload: Upload) -> Content:
    """Read objects, one in each line. A key that an object lacks is a missing value. Raises `InvalidInput`."""
    table = read_jsonl_table(split_files(upload), TableOptions.from_upload(upload))
    check_column_names(table.names)
    return build_content(table, upload)


def read_jsonl_table(files: Sequence[SplitFile], options: TableOptions) -> Table:
    """Read the values of objects, one in each line. Raises `InvalidInput` with every line that is not an object."""
    reader = _TableReader(options)
    for each in files:
        reader.read(each)
    reader.problems.raise_if_any()
    splits = [each.split for each in files]
    return Table(list(reader.names), reader.columns, reader.locations, splits, warnings=options.warnings.warnings)


class _TableReader:
    """The columns of all files, side by side."""

    def __init__(self, options: TableOptions) -> None:
        self.names: dict[str, None] = {}  # ordered
        self.columns: dict[str, list[Any]] = {}
        self.locations, self.problems = RowLocations(), ProblemCollector()
        self._options = options

    def read(self, part: SplitFile) -> None:
        """Read a file."""
        self.locations.start_file(part.name)
        rows = len(self.locations)
        for number, line in enumerate(part.read_text(self._options.warnings), start=1):
            if not line.strip():
                continue
            members = _parse_line(line, number, part.name)
            if isinstance(members, Problem):
                self.problems.add(members)
                continue
            for name, value in members.items():
                self._add(name, value, rows, number, part.name)
            self.locations.add([number])
            rows += 1
            self._options.check_row_count(rows)
        for values in self.columns.values():
            values.extend([None] * (rows - len(values)))

    def _add(self, name: str, value: object, row: int, number: int, file: str) -> None:
        if name not in self.names:
            self.names[name] = None
            if len(self.names) > MAX_COLUMNS:
                check_column_names(list(self.names), file)
            if self._options.infer or name in self._options.types:
                self.columns[name] = []
        values = self.columns.get(name)
        if values is None:
            return
        values.extend([None] * (row - len(values)))
        if not self._options.infer:
            values.append(compact_if_valid(value))
            return
        try:
            values.append(compact(value))
        except ValueError as error:
            self.problems.add(line_problem(file, number, "unsupported_value", f'column "{name[:40]}": {error}'))
            values.append(None)


def _parse_line(line: str, number: int, name: str) -> dict[str, Any] | Problem:
    try:
        value = parse_json(line.rstrip())
    except json.JSONDecodeError as error:
        detail = f"{error.msg} at column {error.colno}"
        return line_problem(name, number, "not_json", detail, "every line is one JSON object")
    except ValueError as error:
        return line_problem(name, number, "not_json", str(error))
    if not isinstance(value, dict):
        detail = f"expected an object, got {'a list' if isinstance(value, list) else 'a value'}"
        return line_problem(name, number, "not_an_object", detail, 'write it as {"name": value, …}')
    return value
