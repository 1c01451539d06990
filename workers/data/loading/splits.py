"""Which rows of a source are trained on, which choose the best checkpoint, and which are only for the test.

Rows that a column names are taken out first, then those of the test are drawn, then those of the validation.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

import torch
from torch import Tensor

from app.errors import DataError
from app.spec.data.sources import Split
from app.spec.splits import TEST, TRAIN, VALIDATION, SplitPlan, equal_values
from workers.data.columns import ParsedColumn, SplitColumns, select_rows
from workers.data.rng import stream_seed

SPLIT_STREAM = 0x5B117  # keeps the random split apart from the orders of the epochs
TEST_STREAM = 0x7E577  # and the test from the validation


def split_source(splits: Mapping[str, SplitColumns], plan: SplitPlan, seed: int) -> dict[str, SplitColumns]:
    """Return the rows of each role: train, and validation and test if the plan has them. Raises `DataError`."""
    roles: dict[str, SplitColumns] = {}
    train = splits[TRAIN]
    rows = torch.arange(len(next(iter(train.values()))))
    held: dict[str, Tensor] = {}
    total = len(rows)
    for role, split in sorted(plan.roles(), key=lambda item: (item[1].column is None, item[0] == VALIDATION)):
        if split.split is not None:
            if split.split not in splits:
                hint = "upload it again: it was described by an earlier version"
                raise DataError(f"the data has no split {split.split}", pointer=f"/data/{role}", hint=hint)
            roles[role] = splits[split.split]
            continue
        drawn = _RoleDraw(role, split, train, plan.stratify_column(split), seed, total)
        rows, held[role] = drawn.divide(rows)
    for role, chosen in held.items():
        roles[role] = {name: select_rows(column, chosen) for name, column in train.items()}
    if held:
        train = {name: select_rows(column, rows) for name, column in train.items()}
    return {TRAIN: train, **{role: roles[role] for role in (VALIDATION, TEST) if role in roles}}


@dataclass(frozen=True)
class _RoleDraw:
    """How the rows of one role are taken out of others."""

    role: str
    split: Split
    columns: SplitColumns
    stratify_column: str | None
    seed: int
    total: int  # rows before any were taken out, of which `fraction` is a share

    def divide(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return (what remains, what is held out) of some row numbers, sorted. Raises `DataError`."""
        kept, held = self._divide(rows)
        if not len(kept) or not len(held):
            detail = f"no rows remain for {'training' if len(held) else 'the ' + self.role}"
            raise DataError(detail, pointer=f"/data/{self.role}", hint="hold out other rows")
        return rows[kept], rows[held]

    def _divide(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return positions in `rows`."""
        split = self.split
        if split.column is not None:
            return self._by_value(rows, split.column)
        if len(rows) < 2:
            hint = f"remove {self.role}"
            raise DataError("a single row cannot be split", pointer=f"/data/{self.role}", hint=hint)
        if split.time is not None:
            times = time_values(self._column(split.time, rows), split.time, self._place("time"), rows)
            return latest_rows(times, self._count(rows)) if split.fold is None else self._time_fold(times)
        generator = torch.Generator().manual_seed(self._stream_seed())
        if split.group is not None:
            groups = value_codes(self._column(split.group, rows), split.group, self._place("group"), rows)
            folds = self._group_folds(groups, generator, rows)
        else:
            classes = self._classes(rows)
            order = torch.randperm(len(rows), generator=generator)
            if split.fold is None:
                return draw_rows(order, classes, self._count(rows))
            folds = stratified_folds(order, classes, split.of or 1)
        chosen = folds == (split.fold or 1) - 1
        return _positions(~chosen), _positions(chosen)

    def _group_folds(self, groups: Tensor, generator: torch.Generator, rows: Tensor) -> Tensor:
        """Return 0 for the rows that are held out and others for the rest; with folds, the number of each row's."""
        sizes = torch.bincount(groups)
        order = torch.randperm(len(sizes), generator=generator)
        needed = self.split.of or 2
        if len(sizes) < needed:
            detail = f'"{self.split.group}" has {len(sizes)} different values, and {needed} groups are needed at least'
            raise DataError(detail, pointer=self._place("group"), hint="name another column, or remove group")
        if self.split.fold is not None:
            return group_folds(sizes, order, needed)[groups]
        held = nearest_prefix(sizes[order], self._count(rows))
        folds = torch.ones(len(sizes), dtype=torch.int64)
        folds[order[:held]] = 0
        return folds[groups]

    def _by_value(self, rows: Tensor, name: str) -> tuple[Tensor, Tensor]:
        values = _row_values(self._column(name, rows))
        _raise_if_missing([value is None for value in values], name, self._place("column"), rows)
        matches = {value: equal_values(self.split.value, cast(str, value)) for value in set(values)}
        chosen = torch.tensor([matches[value] for value in values], dtype=torch.bool)
        if not chosen.any():
            there = ", ".join(str(value)[:40] for value in sorted(matches, key=str)[:10])
            detail = f'no row has "{self.split.value}" in "{name}"'
            raise DataError(detail, pointer=self._place("value"), hint=f"there are: {there}")
        return _positions(~chosen), _positions(chosen)

    def _time_fold(self, times: Tensor) -> tuple[Tensor, Tensor]:
        kept, held = time_fold(times, self.split.fold or 1, self.split.of or 1)
        if not len(kept) or not len(held):
            detail = f'there are too few different values in "{self.split.time}" for {self.split.of} folds'
            raise DataError(detail, pointer=self._place("of"), hint="use fewer folds")
        return kept, held

    def _classes(self, rows: Tensor) -> Tensor:
        """Return the class of each row: int64 (rows), all 0 for a plain draw; a missing one is a class of its own."""
        if self.stratify_column is None:
            return torch.zeros(len(rows), dtype=torch.int64)
        values = _row_values(self._column(self.stratify_column, rows))
        codes: dict[object, int] = {}
        return torch.tensor([codes.setdefault(value, len(codes)) for value in values])

    def _count(self, rows: Tensor) -> int:
        return min(max(1, round((self.split.fraction or 0.0) * self.total)), len(rows) - 1)

    def _stream_seed(self) -> int:
        """Return the seed of the draw. Tests and folds are the same rows whatever the seed of the training."""
        is_fixed = self.role == TEST or self.split.fold is not None
        seed = self.split.seed if self.split.seed is not None else 0 if is_fixed else self.seed
        return stream_seed(seed, TEST_STREAM if self.role == TEST else SPLIT_STREAM)

    def _column(self, name: str, rows: Tensor) -> ParsedColumn:
        if name not in self.columns:
            raise DataError(f'the data has no column "{name}"', pointer=f"/data/{self.role}")
        return select_rows(self.columns[name], rows)

    def _place(self, field_name: str) -> str:
        return f"/data/{self.role}/{field_name}"


def random_split(rows: int, fraction: float, seed: int) -> tuple[Tensor, Tensor]:
    """Return the row numbers of (training, validation), sorted, at least one each. Raises `DataError` for one row."""
    columns = {"": torch.arange(rows)}
    return _RoleDraw(VALIDATION, Split(fraction=fraction), columns, None, seed, rows).divide(torch.arange(rows))


def draw_rows(order: Tensor, classes: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return positions (kept, held), sorted: the first of a random `order`, with an equal share of every class.

    Of `count` rows in all, class c has count · n_c / n, rounded by largest remainders (of equal ones, the class that
    comes first), and leaves at least one row on the side that is kept. With one class these are the first `count`.
    """
    sizes = torch.bincount(classes)
    if len(sizes) == 1:
        return order[count:].sort().values, order[:count].sort().values
    quotas, remainders = count * sizes // len(classes), count * sizes % len(classes)
    most = (sizes - 1).clamp(min=0)
    quotas = quotas.minimum(most)
    for position in remainders.argsort(descending=True, stable=True).repeat(len(classes)).tolist():
        if int(quotas.sum()) >= min(count, int(most.sum())):
            break
        quotas[position] += int(quotas[position] < most[position])
    if not quotas.any():  # each class has one row
        return draw_rows(order, torch.zeros_like(classes), count)
    chosen = torch.zeros(len(classes), dtype=torch.bool)
    chosen[order] = _ranks_within(classes[order]) < quotas[classes[order]]
    return _positions(~chosen), _positions(chosen)


def stratified_folds(order: Tensor, classes: Tensor, folds: int) -> Tensor:
    """Return the fold of each row, from 0 on: int64 (rows). Sizes, and those of each class, differ by one at most."""
    positions = order[classes[order].argsort(stable=True)]
    assigned = torch.empty_like(order)
    assigned[positions] = torch.arange(len(order)) % folds
    return assigned


def group_folds(sizes: Tensor, order: Tensor, folds: int) -> Tensor:
    """Return the fold of each group, from 0 on: the largest first, each to the smallest fold; `order` breaks ties."""
    totals = torch.zeros(folds, dtype=torch.int64)
    assigned = torch.empty_like(order)
    for group in order[sizes[order].argsort(descending=True, stable=True)].tolist():
        assigned[group] = smallest = int(totals.argmin())
        totals[smallest] += sizes[group]
    return assigned


def nearest_prefix(sizes: Tensor, count: int) -> int:
    """Return how many of the first groups have a sum of sizes nearest to `count`: at least one, and not all."""
    return int((sizes.cumsum(0)[:-1] - count).abs().argmin()) + 1


def latest_rows(times: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return positions (kept, held) of which the latest are held out, about `count`; equal times stay together."""
    values, sizes = times.unique(return_counts=True)
    if len(values) < 2:
        return torch.arange(len(times)), torch.arange(0)
    first = values[len(values) - nearest_prefix(sizes.flip(0), count)]
    return _positions(times < first), _positions(times >= first)


def time_fold(times: Tensor, fold: int, folds: int) -> tuple[Tensor, Tensor]:
    """Return positions (kept, held): the rows before a block of time, and the block; later ones are left out.

    Of n rows in order of time, each of the blocks has n // (folds + 1), and the last one ends with the last row, as in
    scikit-learn's `TimeSeriesSplit`; equal times stay together, in the later block.
    """
    ordered = times.sort().values
    size = len(times) // (folds + 1)
    starts = [len(times) - (folds - position) * size for position in range(folds + 1)]
    bounds = [torch.inf if start >= len(times) else float(ordered[start]) for start in starts]
    low, high = bounds[fold - 1], bounds[fold]
    return _positions(times < low), _positions((times >= low) & (times < high))


def value_codes(column: ParsedColumn, name: str, pointer: str, rows: Tensor) -> Tensor:
    """Return an integer for each different value: int64 (rows), in the order in which they occur.

    Raises `DataError` for a missing value; `rows` are the numbers of the column's rows.
    """
    values = _row_values(column)
    _raise_if_missing([value is None for value in values], name, pointer, rows)
    codes: dict[object, int] = {}
    return torch.tensor([codes.setdefault(value, len(codes)) for value in values])


def time_values(column: ParsedColumn, name: str, pointer: str, rows: Tensor) -> Tensor:
    """Return numbers in the order of time: float64 (rows), of words the seconds since 1970 of a date in ISO 8601.

    Raises `DataError` for a value that is missing, or no date.
    """
    if isinstance(column, Tensor):
        values = column.reshape(len(column)).double()
        _raise_if_missing(values.isnan().tolist(), name, pointer, rows)
        return values
    texts = _row_values(column)
    _raise_if_missing([text is None for text in texts], name, pointer, rows)
    seconds = []
    for row, text in zip(rows.tolist(), texts, strict=True):
        try:
            moment = datetime.fromisoformat(str(text).strip())
        except ValueError:
            detail = f'"{name}" is "{str(text)[:40]}" in row {row + 1}, which is no date'
            hint = "write dates in ISO 8601, such as 2026-01-31, or as numbers"
            raise DataError(detail, pointer=pointer, hint=hint) from None
        seconds.append((moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp())
    return torch.tensor(seconds, dtype=torch.float64)


def _row_values(column: ParsedColumn) -> list[object]:
    """Return the value of each row, `None` for a missing one."""
    if isinstance(column, Tensor):
        values = column.reshape(len(column)).tolist()
        return [None if value != value else value for value in values]  # noqa: PLR0124 - NaN
    return list(cast(Sequence[object], column))


def _raise_if_missing(missing: Sequence[bool], name: str, pointer: str, rows: Tensor) -> None:
    if any(missing):
        row = int(rows[list(missing).index(True)]) + 1
        detail = f'"{name}" is missing in row {row} ({sum(missing):,} in all), which then belongs nowhere'
        raise DataError(detail, pointer=pointer, hint="fill it, leave these rows out, or name another column")


def _positions(mask: Tensor) -> Tensor:
    """Return the positions where a mask is true, in order: int64."""
    return mask.nonzero().flatten()


def _ranks_within(classes: Tensor) -> Tensor:
    """Return how many rows before each one are of its class: int64 (rows)."""
    order = classes.argsort(stable=True)
    starts = torch.bincount(classes).cumsum(0) - torch.bincount(classes)
    ranks = torch.empty_like(order)
    ranks[order] = torch.arange(len(order)) - starts[classes[order]]
    return ranks
