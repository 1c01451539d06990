"""Which type a column has, judged by its values; the same for every format of tables."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from app.spec.data.columns import MAX_LABELS, Column
from workers.data.columns import RaggedTensor, StoredColumn, Tree
from workers.data.files.problems import ProblemCollector, RowLocations, abbreviate, refuse
from workers.data.types.values import EMPTY_LIST, measure_tree, parse_tree

MAX_CATEGORIES = 20  # so many different whole numbers are choices, more are quantities
MAX_LABEL_LENGTH = 200  # characters
MAX_WORDS_PER_CATEGORY = 3  # of which the few different texts of a small table are choices
MAJORITY_FRACTION = 0.99  # a column of at least this share of one type is of that type, and the others are mistakes
MIN_MAJORITY_ROWS = 100  # rows from which on that can be said
MAX_EXACT_INTEGER = 2.0**53

Cells = Any  # float64 array, NaN for missing; or a sequence of None, bool, int, float, str and what `values` makes
TypedColumn = tuple[StoredColumn, Column]

# Type of a value → type of the column that it stands in.
COLUMN_TYPE_BY_VALUE: Mapping[type, str] = {
    bool: "number",
    int: "number",
    float: "number",
    str: "text",
    tuple: "words",
    np.ndarray: "series",
    dict: "tree",
}
TYPE_DESCRIPTIONS = {"words": "a list of words", "series": "a list of numbers", "tree": "an object"}
SCALAR_TYPES = frozenset({"number", "text"})
NUMERIC_COLUMN_TYPES = frozenset({"number", "category", "text"})


@dataclass(frozen=True)
class ColumnContext:
    """What is known of a column beforehand, and where its problems go."""

    name: str
    locations: RowLocations
    problems: ProblemCollector
    type: str | None = None  # as the user wants it
    is_target: bool = False

    def add_problem(self, row: int, code: str, detail: str, hint: str = "") -> None:
        """Take down a problem of a value."""
        self.problems.add(self.locations.problem_at(row, self.name, code, detail, hint))


def infer_column(cells: Cells, told: ColumnContext) -> TypedColumn:
    """Return a column as it is stored, and its description. Mistakes are told; the column has a gap in their place."""
    if isinstance(cells, np.ndarray):
        kind = told.type or "number"
        if kind not in NUMERIC_COLUMN_TYPES:
            refuse("wrong_type", f'column "{told.name}" holds numbers, of which no {kind} is made', place=told.name)
    else:
        kind, cells = _infer_type(cells, told)
    if told.type is not None:
        return COLUMN_BUILDERS[kind](cells, told)
    if kind == "text" and _is_categorical(cells, told.is_target):
        kind = "category"
    if kind == "series" and len({None if each is None else each.shape for each in cells}) == 1:
        kind = "tensor"
    return COLUMN_BUILDERS[kind](cells, told)


def _infer_type(cells: Sequence[Any], told: ColumnContext) -> tuple[str, Cells]:
    """Return the type that most values have, and the values without the others."""
    counts = Counter(COLUMN_TYPE_BY_VALUE[type(cell)] for cell in cells if cell is not None and cell is not EMPTY_LIST)
    if told.type is not None:
        kind = {"category": "text", "tensor": "series"}.get(told.type, told.type)
    elif not counts:
        kind = "words" if EMPTY_LIST in cells else "number"
    else:
        kind, most = counts.most_common(1)[0]
        if (
            len(counts) > 1
            and counts.keys() <= SCALAR_TYPES
            and (len(cells) <= MIN_MAJORITY_ROWS or most < MAJORITY_FRACTION * counts.total())
        ):
            kind = "text"
    fitted = [_coerce(cell, kind, row, told) for row, cell in enumerate(cells)]
    return (told.type or kind), np.array([np.nan if x is None else x for x in fitted]) if kind == "number" else fitted


def _coerce(cell: Any, kind: str, row: int, told: ColumnContext) -> Any:
    """Return the value as one of that kind; `None`, and a problem, if it is of another."""
    if cell is None:
        return None
    if cell is EMPTY_LIST:
        cell = {"words": (), "series": np.empty(0, np.float32)}.get(kind, EMPTY_LIST)
    found = COLUMN_TYPE_BY_VALUE[type(cell)]
    if found == kind:
        return cell
    if kind == "text" and found == "number":
        return format_number(cell)
    told.add_problem(
        row, "wrong_type", f"{_describe_value(cell)} among values that are {kind}", "all values of a column are alike"
    )
    return None


def format_number(number: float) -> str:
    """Return a number as text; a whole one without a point."""
    whole = isinstance(number, bool | int) or (number.is_integer() and abs(number) < MAX_EXACT_INTEGER)
    return str(int(number)) if whole else repr(number)


def _describe_value(cell: Any) -> str:
    return TYPE_DESCRIPTIONS.get(COLUMN_TYPE_BY_VALUE[type(cell)]) or f'"{abbreviate(cell)}"'


def _is_categorical(words: Sequence[str | None], learned: bool) -> bool:
    """Say whether texts are a few different words that repeat, rather than texts."""
    rows = sum(word is not None for word in words)
    different = unique_words(words)
    if different is None:
        return False
    if learned:
        return len(different) <= MAX_CATEGORIES or len(different) < rows
    short = all(len(word.split()) <= MAX_WORDS_PER_CATEGORY for word in different)
    return 2 * len(different) <= rows or (short and len(different) <= MAX_CATEGORIES)


def _numbers(cells: Cells, told: ColumnContext) -> TypedColumn:
    values = np.asarray(cells, np.float64)
    for row in np.flatnonzero(np.isinf(values))[:MAX_CATEGORIES].tolist():
        told.add_problem(row, "not_a_number", "the number is not finite", "leave it out, if it is missing")
    missing = int(np.isnan(values).sum())
    labels = _integer_labels(values)
    column = Column(name=told.name, type="number", missing=missing, labels=labels, classes=labels and len(labels))
    return torch.from_numpy(values), column


def _integer_labels(values: np.ndarray[Any, Any]) -> tuple[str, ...] | None:
    """Return the different numbers as text if they are few and whole."""
    different: set[float] = set()
    for start in range(0, len(values), 1 << 16):
        part = values[start : start + (1 << 16)]
        different |= set(np.unique(part[~np.isnan(part)]).tolist())
        if len(different) > MAX_CATEGORIES:
            return None
    if not different or not all(value.is_integer() and abs(value) < MAX_EXACT_INTEGER for value in different):
        return None
    return tuple(str(int(value)) for value in sorted(different))


def _category(cells: Cells, told: ColumnContext) -> TypedColumn:
    words = _texts(cells)
    labels = unique_words(words)
    if labels is None:
        many = f"over {MAX_LABELS:,} different words, or words of over {MAX_LABEL_LENGTH} characters"
        refuse("too_many_labels", f'column "{told.name}" has {many}', "make it text", told.name)
    missing = sum(word is None for word in words)
    return words, Column(name=told.name, type="category", missing=missing, labels=labels, classes=len(labels))


def _text(cells: Cells, told: ColumnContext) -> TypedColumn:
    words = _texts(cells)
    longest = max((len(word) for word in words if word is not None), default=0)
    missing = sum(word is None for word in words)
    return words, Column(name=told.name, type="text", missing=missing, longest=longest)


def _texts(cells: Cells) -> list[str | None]:
    if isinstance(cells, np.ndarray):
        return [None if value != value else format_number(value) for value in cells.tolist()]  # noqa: PLR0124 - NaN
    return list(cells)


def _words(cells: Cells, told: ColumnContext) -> TypedColumn:
    lists = [() if cell is None else cell for cell in cells]
    labels = unique_words(word for words in lists for word in words)
    return lists, Column(
        name=told.name,
        type="words",
        missing=sum(cell is None for cell in cells),
        labels=labels,
        longest=max(map(len, lists), default=0),
    )


def unique_words(words: Iterable[str | None]) -> tuple[str, ...] | None:
    """Return the different words, sorted; nothing if they are many or long."""
    different: set[str] = set()
    for word in words:
        if word is not None and word not in different:
            different.add(word)
            if len(different) > MAX_LABELS or len(word) > MAX_LABEL_LENGTH:
                return None
    return tuple(sorted(different))


def _series(cells: Cells, told: ColumnContext) -> TypedColumn:
    common = Counter(cell.shape[1:] for cell in cells if cell is not None and len(cell)).most_common(1)
    shape = common[0][0] if common else ()
    gap = np.empty((0, *shape), np.float32)
    rows = []
    for row, cell in enumerate(cells):
        if cell is not None and len(cell) and cell.shape[1:] != shape:
            told.add_problem(
                row,
                "shape_mismatch",
                f"a moment has shape {list(cell.shape[1:])}, others have {list(shape)}",
                "every moment of a series has the same shape",
            )
        rows.append(cell if cell is not None and len(cell) and cell.shape[1:] == shape else gap)
    offsets = torch.tensor([0, *map(len, rows)]).cumsum(0)
    values = torch.from_numpy(np.concatenate(rows).astype(np.float32, copy=False))
    missing = sum(cell is None for cell in cells)
    column = Column(name=told.name, type="series", shape=shape, missing=missing, longest=int(offsets.diff().max()))
    return RaggedTensor(values, offsets), column


def _tensors(cells: Cells, told: ColumnContext) -> TypedColumn:
    common = Counter(cell.shape for cell in cells if cell is not None).most_common(1)
    shape = common[0][0] if common else ()
    whole = all(cell.dtype.kind in "iub" for cell in cells if cell is not None)
    gap = np.zeros(shape, np.float32)
    rows = []
    for row, cell in enumerate(cells):
        if cell is None:
            told.add_problem(
                row, "missing_value", "there is no value", "a row of numbers of one shape cannot be left out"
            )
        elif cell.shape != shape:
            told.add_problem(row, "shape_mismatch", f"it has shape {list(cell.shape)}, others have {list(shape)}")
        rows.append(cell if cell is not None and cell.shape == shape else gap)
    values = torch.from_numpy(np.stack(rows).astype(np.int64 if whole else np.float32, copy=False))
    return values, Column(name=told.name, shape=shape, dtype="int64" if whole else "float32")


def _trees(cells: Cells, told: ColumnContext) -> TypedColumn:
    trees, labels, longest, widest = list[Tree | None](), set[str](), 1, 0
    for row, cell in enumerate(cells):
        if cell is None:
            trees.append(None)
            continue
        try:
            trees.append(parse_tree(cell))
        except ValueError as error:
            told.add_problem(row, "not_a_tree", str(error), 'a tree is {"label": "…", "children": [trees]}')
            continue
        nodes, width, words = measure_tree(trees[-1] or {})
        longest, widest = max(longest, nodes), max(widest, width)
        if len(labels) <= MAX_LABELS:
            labels |= words
    few = unique_words(labels)
    missing = sum(cell is None for cell in cells)
    return trees, Column(name=told.name, type="tree", missing=missing, labels=few, longest=longest, widest=widest)


# Type of a column → what makes it of its values.
COLUMN_BUILDERS: Mapping[str, Callable[[Cells, ColumnContext], TypedColumn]] = {
    "number": _numbers,
    "category": _category,
    "text": _text,
    "words": _words,
    "series": _series,
    "tensor": _tensors,
    "tree": _trees,
}
