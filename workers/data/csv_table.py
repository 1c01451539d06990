"""CSV: a header, numeric columns that become one input "x", and one column that is learned."""

import csv
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from re import fullmatch

import torch
from torch import Tensor

from app.errors import InvalidInput, Problem
from app.spec.base import NAME_PATTERN
from app.spec.problems import nearest

MOST_PROBLEMS = 20
FEW = 20  # so many distinct whole numbers are classes, more are quantities


@dataclass(frozen=True)
class Table:
    """`columns` has x: float32 (rows, features), and `target`: int64 (rows) for classes, float32 (rows, 1) for numbers.

    `target` is the name in the header, or "target" where that is no name of the language or "x". `labels` are the
    words, or the numbers as text, that the classes stand for; empty where the classes are 0, 1, 2…
    """

    columns: dict[str, Tensor]
    target: str
    labels: tuple[str, ...] = ()
    classes: int | None = None


def read_csv(path: Path, target: str | None, limit: int) -> Table:
    """Read a table; `target` names the column that is learned (default: the last one). Raises `InvalidInput`."""
    if path.stat().st_size > limit:
        raise InvalidInput([Problem("", "too_large", f"{path.stat().st_size} bytes, at most {limit} are allowed")])
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _table(csv.reader(file, strict=True), target)
    except (UnicodeDecodeError, csv.Error) as error:
        hint = "store it as UTF-8, separated by commas"
        raise InvalidInput([Problem("", "unreadable", f"the file cannot be read as csv: {error}", hint)]) from None


def _table(lines: Iterator[list[str]], target: str | None) -> Table:
    header = [name.strip() for name in next(lines, [])]
    if len(header) < 2:
        raise InvalidInput([Problem("", "no_columns", "a table has a header and at least two columns",
                                    "separate columns by commas")])  # fmt: skip
    if target is not None and target not in header:
        hint = nearest(target, header) or "one of: " + ", ".join(header)
        raise InvalidInput([Problem("", "unknown_column", f'the table has no column "{target}"', hint)])
    place = header.index(target) if target is not None else len(header) - 1
    features, words, problems = array("d"), [], []
    rows = 0
    for number, line in enumerate(lines, start=2):
        if not line:  # a blank line
            continue
        found = list(_line_problems(line, number, header, place))
        problems += found
        if len(problems) >= MOST_PROBLEMS:
            break
        if not found:
            words.append(line.pop(place).strip())
            features.extend(map(float, line))
            rows += 1
    if not problems and rows == 0:
        problems.append(Problem("", "no_rows", "the table has a header and no rows"))
    if problems:
        raise InvalidInput(problems[:MOST_PROBLEMS])
    inputs = torch.tensor(features, dtype=torch.float64).to(torch.float32).reshape(rows, len(header) - 1)
    name = header[place] if fullmatch(NAME_PATTERN, header[place]) and header[place] != "x" else "target"
    return _with_target(inputs, name, words)


def _line_problems(line: list[str], number: int, header: list[str], target: int) -> Iterator[Problem]:
    if len(line) != len(header):
        detail = f"line {number} has {len(line)} cells, the header has {len(header)}"
        yield Problem(f"/{number}", "columns_differ", detail, "the file may be truncated, or a comma needs quotes")
        return
    for position, cell in enumerate(line):
        where = f'line {number}, column "{header[position]}"'
        if not cell.strip():
            yield Problem(f"/{number}", "missing_value", f"{where}: the cell is empty", "fill it or drop the row")
        elif position != target and not _is_number(cell):
            yield Problem(f"/{number}", "not_a_number", f'{where}: "{cell[:40]}" is not a finite number',
                          "only the target may be text")  # fmt: skip


def _is_number(cell: str) -> bool:
    try:
        return isfinite(float(cell))
    except ValueError:
        return False


def _with_target(inputs: Tensor, name: str, words: list[str]) -> Table:
    if all(map(_is_number, words)):
        numbers = [float(word) for word in words]
        distinct = sorted(set(numbers))
        if len(distinct) > FEW or not all(number.is_integer() for number in distinct):
            return Table({"x": inputs, name: torch.tensor(numbers, dtype=torch.float32).unsqueeze(1)}, name)
        plain = distinct == list(range(len(distinct)))
        labels = () if plain else tuple(str(int(number)) for number in distinct)
        return _classes(inputs, name, numbers, distinct, labels)
    distinct_words = sorted(set(words))
    return _classes(inputs, name, words, distinct_words, tuple(distinct_words))


def _classes(
    inputs: Tensor, name: str, values: Sequence[float | str], distinct: Sequence[float | str], labels: tuple[str, ...]
) -> Table:
    codes = {value: code for code, value in enumerate(distinct)}
    target = torch.tensor([codes[value] for value in values])
    return Table({"x": inputs, name: target}, name, labels, len(distinct))
