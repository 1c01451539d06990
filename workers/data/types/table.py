"""From columns of values to columns of types: what all tables have in common."""

from collections.abc import Mapping, Sequence
from re import sub

import torch
from torch import Tensor

from app.spec.data.columns import Column
from app.spec.data.sources import UploadSource
from app.spec.problems import did_you_mean
from workers.data.columns import StoredColumn
from workers.data.files.content import Content
from workers.data.files.problems import ProblemCollector, RowLocations, refuse
from workers.data.types.inference import Cells, ColumnContext, infer_column

TARGET_NAMES = ("label", "target", "y", "labels", "tags")
MAX_COLUMNS = 10_000
MAX_NAME_LENGTH = 200
MAX_LABEL_CHARACTERS = 2 << 20  # of all labels together


def check_column_names(names: Sequence[str], place: str = "") -> None:
    """Refuse what no table can have as the names of its columns. Raises `InvalidInput`."""
    if not names:
        refuse("no_columns", "there are no columns", "is it a table?", place)
    if len(names) > MAX_COLUMNS:
        detail = f"there are {len(names):,} columns, at most {MAX_COLUMNS:,} are allowed"
        refuse("too_many_columns", detail, "store them as one array: NPZ, safetensors", place)
    seen: set[str] = set()
    for name in names:
        if name in seen:
            refuse("duplicate_name", f'two columns are named "{name[:MAX_NAME_LENGTH]}"', "rename one of them", place)
        if not name or len(name) > MAX_NAME_LENGTH or sub(r"[\0\ud800-\udfff]", "", name) != name:
            detail = f'"{name[:40]!s}" cannot be the name of a column'
            refuse("invalid_name", detail, f"1 to {MAX_NAME_LENGTH} characters, without NUL", place)
        seen.add(name)


def target_column(names: Sequence[str], source: UploadSource, *, last: bool) -> str | None:
    """Return the column that is learned: as told, or by its name, or the last one. Raises `InvalidInput`."""
    if source.target is not None:
        if source.target not in names:
            hint = did_you_mean(source.target, names) or "one of: " + ", ".join(names[:50])
            refuse("unknown_column", f'the table has no column "{source.target}"', hint)
        return source.target
    if len(names) == 1:
        return None
    named = None if last else next((name for name in TARGET_NAMES if name in names), None)
    return named or names[-1]


def build_content(
    columns: Mapping[str, Cells],
    splits: Sequence[str],
    places: RowLocations,
    source: UploadSource,
    *,
    target: str | None,
    unread: Sequence[str] = (),
) -> Content:
    """Return the content of a table whose rows, those of every split one behind the other, stand at `places`.

    `unread` are columns that are no inputs by default. Raises `InvalidInput` with every problem found.
    """
    for split, count in zip(splits, places.row_counts, strict=True):
        if count == 0:
            refuse("no_rows", f"the split {split} has no rows" if len(splits) > 1 else "the table has no rows")
    findings = ProblemCollector()
    types = source.types or {}
    unknown = next((name for name in types if name not in columns), None)
    if unknown is not None:
        refuse("unknown_column", f'the table has no column "{unknown}", of which a type is told', "look at types")
    stored: dict[str, StoredColumn] = {}
    described: list[Column] = []
    for name, cells in columns.items():
        told = ColumnContext(name, places, findings, types.get(name), name == target)
        stored[name], column = infer_column(cells, told)
        described.append(column)
        if name == target and column.missing:
            _report_missing_targets(stored[name], told)
    findings.raise_if_any()
    _check_labels(described)
    cut: dict[str, dict[str, StoredColumn]] = {}
    start = 0
    for split, count in zip(splits, places.row_counts, strict=True):
        cut[split] = {name: slice_rows(column, start, start + count) for name, column in stored.items()}
        start += count
    inputs = tuple(name for name in columns if name != target and name not in unread)
    return Content(tuple(described), cut, inputs or tuple(columns), target if inputs else None)


def _check_labels(columns: Sequence[Column]) -> None:
    """Refuse more labels than a description can carry, which every job on the data holds."""
    size = sum(len(label) for column in columns for label in column.labels or ())
    if size > MAX_LABEL_CHARACTERS:
        worst = max(columns, key=lambda column: sum(map(len, column.labels or ())))
        detail = f"the labels of all columns have {size:,} characters, at most {MAX_LABEL_CHARACTERS:,} are allowed"
        refuse("too_many_labels", detail, f'make some of them text, such as "{worst.name}"', worst.name)


def _report_missing_targets(column: StoredColumn, told: ColumnContext) -> None:
    """Tell of every row without a target."""
    for row in range(len(column)):
        value = column[row] if isinstance(column, Tensor | Sequence) else True
        if value is None or (isinstance(value, Tensor) and bool(value.isnan().any())):
            told.add_problem(row, "missing_value", "what is to be learned is missing", "fill it, or leave the row out")


def slice_rows(column: StoredColumn, start: int, stop: int) -> StoredColumn:
    """Return consecutive rows of a stored column."""
    if isinstance(column, Tensor | Sequence):
        return column[start:stop]
    return column.take(torch.arange(start, stop))
