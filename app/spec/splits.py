"""The roles of a job's rows: those it trains on, those that choose the best checkpoint, and those of the test."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from app.errors import Problem
from app.spec.data.columns import Column, DataSchema
from app.spec.data.examples.windows import Windows
from app.spec.data.feature_schema import ResolvedFeatures
from app.spec.data.job_data import Data
from app.spec.data.sources import Split
from app.spec.hints.names import did_you_mean
from app.spec.training.losses import task_type
from app.spec.training.objective import Head

TRAIN, VALIDATION, TEST = "train", "validation", "test"
UNSELECTING_TYPES = ("words", "series", "tree", "image")
ROLE_VALUES = frozenset({"test", "testing", "val", "valid", "validation", "dev", "holdout", "eval"})  # in a column
IGNORED_SPLIT_COLUMN = "it says which rows are held out"


class SplitPlan(NamedTuple):
    """How the rows of the source's split `train` are divided, and which other splits are used."""

    validation: Split | None = None
    test: Split | None = None
    class_column: str | None = None  # stored column of the classes that are learned
    windows: Windows | None = None  # examples are windows of rows, which are held out by their time

    def roles(self) -> Iterator[tuple[str, Split]]:
        """Yield the roles that are held out."""
        for role, split in ((VALIDATION, self.validation), (TEST, self.test)):
            if split is not None:
                yield role, split

    def stratify_column(self, split: Split) -> str | None:
        """Return the stored column whose values have equal shares on both sides; `None` for a plain draw."""
        if split.stratify is False or split.split is not None or split.column is not None:
            return None
        if isinstance(split.stratify, str):
            return split.stratify
        return None if split.group is not None or split.time is not None else self.class_column


def split_plan(data: Data, rows: Mapping[str, int], class_column: str | None = None) -> SplitPlan:
    """Return the roles, after the defaults: splits of the source that are called validation and test are just that."""
    validation, test = data.validation, data.test
    if "validation" not in data.model_fields_set and VALIDATION in rows:
        validation = Split(split=VALIDATION)
    tests_validation = validation is not None and validation.split == TEST
    if "test" not in data.model_fields_set and TEST in rows and not tests_validation:
        test = Split(split=TEST)
    if (windows := data.windows) is None:
        return SplitPlan(validation, test, class_column)
    validation, test = (_by_time(split, windows) for split in (validation, test))
    return SplitPlan(validation, test, class_column, windows)


def _by_time(split: Split | None, windows: Windows) -> Split | None:
    """Return a split of the latest rows, by the time of the windows."""
    if split is None or split.split is not None or split.time is not None:
        return split
    return split.model_copy(update={"time": windows.time})


def class_column(
    heads: Mapping[str, Head], targets: Mapping[str, Column | None], features: ResolvedFeatures
) -> str | None:
    """Return the stored column of the first target that is one class per row; `None` if there is none."""
    for name, head in heads.items():
        column = targets[name]
        if column is None or column.ragged or column.shape not in ((), (1,)):
            continue
        feature = features.features.get(column.name)
        if feature is not None and len(feature.source_columns) == 1 and task_type(head.loss, column) in CLASS_TASKS:
            return feature.source_columns[0]
    return None


CLASS_TASKS = ("classes", "decisions")


def split_columns(data: Data) -> dict[str, str]:
    """Return the stored columns that only order rows or hold them out, and why no network reads them by default."""
    reasons: dict[str, str] = {}
    if data.windows is not None:
        reasons |= {name: f"it orders the rows (/data/windows/{field})" for name, field in data.windows.columns.items()}
    if data.sampler is not None and data.sampler.kind == "weighted" and data.sampler.column is not None:
        reasons[data.sampler.column] = "it says how often rows are drawn (/data/sampler)"
    for role, split in SplitPlan(data.validation, data.test).roles():
        if split.column is not None:
            reasons[split.column] = f"{IGNORED_SPLIT_COLUMN} (/data/{role})"
        if split.group is not None:
            reasons[split.group] = f"it says which rows belong together (/data/{role})"
    return reasons


def without_split_columns(data: Data, stored: DataSchema) -> DataSchema:
    """Return the stored schema without default inputs that only say which rows are held out."""
    reasons = split_columns(data)
    if not reasons:
        return stored
    columns = tuple(
        column.model_copy(update={"ignored": reasons[column.name], "decided_by": "user"})
        if column.name in reasons
        else column
        for column in stored.columns
    )
    inputs = tuple(name for name in stored.inputs if name not in reasons)
    return stored.model_copy(update={"columns": columns, "inputs": inputs})


def held_out_rows(split: Split, rows: int) -> int | None:
    """Return how many of `rows` a split holds out; `None` if the values of a column decide."""
    if split.group is not None or split.time is not None or split.column is not None or split.split is not None:
        return None
    if split.fraction is not None:
        return min(max(1, round(split.fraction * rows)), max(1, rows - 1))
    return -(-rows // (split.of or 1))  # the first folds are the larger ones


def training_rows(plan: SplitPlan, rows: Mapping[str, int]) -> int | None:
    """Return how many rows are trained on, at least; `None` if the values of a column decide."""
    if plan.windows is not None:
        return None
    remaining = rows.get(TRAIN, 0)
    for _, split in reversed([*plan.roles()]):  # the test is taken out first, and folds are of what remains
        if split.split is not None:
            continue
        count = held_out_rows(split, rows.get(TRAIN, 0) if split.fraction is not None else remaining)
        if count is None:
            return None
        remaining -= count
    return max(0, remaining)


def describe_splits(plan: SplitPlan, rows: Mapping[str, int]) -> dict[str, Any]:
    """Return each role with its number of rows, `None` if only the data tells, and how they are chosen, as JSON."""
    is_divided = any(split.split is None for _, split in plan.roles())
    how = f"all {'other ' if is_divided else ''}rows of the source's train"
    roles: dict[str, Any] = {TRAIN: {"rows": training_rows(plan, rows), "how": how}}
    for role, split in plan.roles():
        count = rows.get(split.split) if split.split is not None else held_out_rows(split, rows.get(TRAIN, 0))
        count = count if plan.windows is None else None
        roles[role] = {"rows": count, "how": _describe(plan, split)}
    return roles


def _describe(plan: SplitPlan, split: Split) -> str:
    if split.split is not None:
        return f"the source's split {split.split}"
    if split.column is not None:
        return f"rows whose {split.column} is {split.value}"
    if split.time is not None:
        return (
            f"the latest by {split.time}" if split.fold is None else f"block {split.fold} of {split.of} by {split.time}"
        )
    what = f"fold {split.fold} of {split.of}" if split.fold is not None else f"{split.fraction:g} of the rows"
    if split.group is not None:
        return f"{what}, whole groups by {split.group}"
    stratified = plan.stratify_column(split)
    return f"{what}, stratified by {stratified}" if stratified is not None else f"{what}, at random"


def split_problems(plan: SplitPlan, stored: DataSchema) -> list[Problem]:
    """Return every reason why rows cannot be held out as the job says."""
    problems = [problem for role, split in plan.roles() for problem in _role_problems(plan, role, split, stored)]
    validation, test = plan.validation, plan.test
    if validation is not None and test is not None:
        if validation.split is not None and validation.split == test.split:
            problems.append(_same_rows(f"the split {test.split}"))
        elif validation.column is not None and (validation.column, validation.value) == (test.column, test.value):
            problems.append(_same_rows(f"rows whose {test.column} is {test.value}"))
        if (validation.fraction or 0.0) + (test.fraction or 0.0) >= 1:
            detail = "validation and test together are all rows: there are none to train on"
            problems.append(Problem("/data/test/fraction", "contradiction", detail, "make the fractions smaller"))
    return problems


def _same_rows(what: str) -> Problem:
    detail = f"{what} cannot be both: what chooses the best checkpoint is no test of it"
    return Problem("/data/test", "contradiction", detail, "hold out other rows for one of them")


def _role_problems(plan: SplitPlan, role: str, split: Split, stored: DataSchema) -> Iterator[Problem]:
    place = f"/data/{role}"
    if split.split is not None:
        if split.split not in stored.rows:
            detail = f'the data has no split "{split.split}"'
            yield Problem(place, "unknown_split", detail, 'use {"fraction": 0.2}')
        return
    if plan.windows is not None:
        yield from _window_problems(place, split, plan.windows)
        return
    rows = stored.rows.get(TRAIN, 0)
    if rows < max(2, split.of or 0):
        detail = "a single row cannot be split" if rows < 2 else f"{rows} rows cannot make {split.of} folds"
        yield Problem(place, "too_few_rows", detail, f"remove {role}" if rows < 2 else f"make at most {rows} folds")
    for field in ("column", "group", "time", "stratify"):
        name = getattr(split, field)
        if isinstance(name, str):
            yield from _column_problems(f"{place}/{field}", name, stored, field == "stratify")
    if split.stratify is True and plan.class_column is None:
        detail = "the target has no classes, of which each could have its share"
        yield Problem(f"{place}/stratify", "no_classes", detail, "name a column of classes, or remove stratify")
    if split.column is not None:
        yield from _value_problems(f"{place}/value", split, stored.column(split.column))


def _window_problems(place: str, split: Split, windows: Windows) -> Iterator[Problem]:
    """Yield the ways to hold rows out that would leave a window on both sides."""
    ways = {"column": split.column, "group": split.group, "stratify": split.stratify or None}
    if split.time != windows.time:
        ways["time"] = split.time
    for field in (name for name, value in ways.items() if value is not None):
        detail = f"{field} would take rows out of the middle of windows, which are held out by {windows.time}"
        yield Problem(f"{place}/{field}", "contradiction", detail, 'use {"fraction": 0.2}: the latest rows')


def _column_problems(place: str, name: str, stored: DataSchema, may_be_missing: bool) -> Iterator[Problem]:
    column = stored.column(name)
    if column is None:
        choices = [each.name for each in stored.columns if _is_selecting(each)]
        hint = did_you_mean(name, choices) or "one of: " + ", ".join(choices[:50])
        yield Problem(place, "unknown_column", f'the data has no column "{name}"', hint)
    elif not _is_selecting(column):
        detail = f'"{name}" is a column of type {column.type}{list(column.shape) or ""}, not one value per row'
        yield Problem(place, "wrong_column_type", detail, "name a column with one number or word per row")
    elif column.missing and not may_be_missing:
        detail = f'"{name}" is missing in {column.missing:,} rows, which then belong nowhere'
        yield Problem(place, "missing_values", detail, "fill it, leave these rows out, or name another column")


def _is_selecting(column: Column) -> bool:
    return column.type not in UNSELECTING_TYPES and column.shape in ((), (1,))


def _value_problems(place: str, split: Split, column: Column | None) -> Iterator[Problem]:
    if column is None or not column.labels:
        return
    if not any(equal_values(split.value, label) for label in column.labels):
        hint = did_you_mean(str(split.value), column.labels) or "one of: " + ", ".join(column.labels[:50])
        yield Problem(place, "unknown_value", f'no row has "{split.value}" in "{column.name}"', hint)


def equal_values(value: str | bool | int | float | None, other: str | float) -> bool:
    """Return whether a value of a job is that of a row: numbers however they are written, and words as they are."""
    if str(value) == str(other) or (isinstance(value, bool) and str(value).lower() == str(other)):
        return True
    try:
        return float(value) == float(other)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False


def split_warnings(plan: SplitPlan, data: Data, stored: DataSchema) -> list[Problem]:
    """Return what a reader of the job's figures must know of its splits, each with how to silence it."""
    warnings = [*_role_warnings(plan, stored), *_unused_splits(plan, data, stored.rows)]
    if plan.validation is None and TEST in stored.rows and "validation" not in data.model_fields_set:
        detail = "nothing chooses the best checkpoint: the source's split test is kept for the test, at the end"
        hint = 'add "validation": {"fraction": 0.1}; or "validation": null, for the weights of the last step'
        warnings.append(Problem("/data/validation", "no_validation", detail, hint))
    return warnings


def _role_warnings(plan: SplitPlan, stored: DataSchema) -> Iterator[Problem]:
    if plan.validation is not None and plan.validation.split == TEST:
        detail = "the validation split is the data set's test split: figures on it are selected on"
        hint = 'use "validation": {"fraction": 0.1}, and leave "test" out: the split is then evaluated once, at the end'
        yield Problem("/data/validation/split", "validation_on_test", detail, hint)
    held: dict[str, list[Split]] = {}
    for _, split in plan.roles():
        if split.column is not None:
            held.setdefault(split.column, []).append(split)
    for name, splits in held.items():
        column = stored.column(name)
        for label in (column.labels or ()) if column is not None else ():
            if label.lower() in ROLE_VALUES and not any(equal_values(each.value, label) for each in splits):
                role = TEST if plan.test is None else VALIDATION
                detail = f'rows whose "{name}" is "{label}" are trained on'
                hint = f'add "{role}": {{"column": "{name}", "value": "{label}"}}, or call them otherwise'
                yield Problem(f"/data/{role}", "split_is_trained_on", detail, hint)


def _unused_splits(plan: SplitPlan, data: Data, rows: Mapping[str, int]) -> Iterator[Problem]:
    used: Sequence[str] = [split.split for _, split in plan.roles() if split.split is not None]
    for role in (VALIDATION, TEST):
        if role in rows and role not in used and getattr(data, role) is not None:
            detail = f"the {rows[role]:,} rows of the source's split {role} are not used"
            yield Problem(f"/data/{role}", "unused_split", detail, f'use "{role}": {{"split": "{role}"}}')
