"""What is learned: the task, its loss and its metrics, by the target column; or why it cannot be learned."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, NoReturn

from app.errors import InvalidInput, Problem
from app.proposals.draft import Draft
from app.proposals.request import TASKS_OF_LOSSES, ProposalRequest, ProposedTask
from app.spec.data.columns import Column, ColumnType, DataSchema
from app.spec.hints.names import did_you_mean
from app.spec.training.metrics import is_iob_tag_set

MIN_ROWS = 20  # to train on and to hold out
MAX_CLASS_CODES = 12  # consecutive whole numbers from 0 or 1 on are classes up to so many
MIN_ROWS_PER_CLASS = 2  # on average: with fewer, no class can be learned
RARE_CLASS_ROWS = 10  # a class with fewer is said to be rare


class TaskKind(NamedTuple):
    """A row of the table: the loss, the metrics, and why."""

    loss: str
    metrics: tuple[str, ...]
    reason: str


TASKS: Mapping[ProposedTask, TaskKind] = {
    "classes": TaskKind(
        "CrossEntropyLoss",
        ("accuracy", "log_loss", "f1"),
        "One of several classes is learned: the cross-entropy is least where the probabilities are right. No class "
        "is weighted.",
    ),
    "numbers": TaskKind(
        "MSELoss",
        ("r2", "mae", "rmse"),
        "A quantity is learned: the mean squared error, of standardised values while training; metrics and answers "
        "are in the units of the data.",
    ),
    "labels": TaskKind(
        "BCEWithLogitsLoss",
        ("accuracy", "f1_micro"),
        "Several labels at once are learned: a yes or no for each of them.",
    ),
    "tags": TaskKind("CrossEntropyLoss", ("accuracy",), "A class is learned for every element of a sequence."),
}

# What a column of a type can be learned as, the default first; and what to do with one that cannot be learned.
LEARNABLE: Mapping[ColumnType, tuple[ProposedTask, ...]] = {
    "category": ("classes",),
    "number": ("numbers", "classes"),
    "tensor": ("numbers", "classes"),
    "words": ("tags", "labels"),
}
OTHER_TYPES: Mapping[ColumnType, str] = {
    "datetime": "name a column of numbers, such as the days until then",
    "text": 'name a column of classes or numbers; words that repeat are classes with "types": {"NAME": "category"}',
    "image": "name a column of classes or numbers; a network that answers images is written by hand",
    "series": "name a column of classes or numbers; a network that answers series is written by hand",
    "tree": "name a column of classes or numbers",
}


@dataclass(frozen=True, slots=True)
class Target:
    """The column that is learned, what it is learned as, and how many numbers the network answers."""

    column: Column
    task: ProposedTask
    outputs: int


def resolve_target(schema: DataSchema, request: ProposalRequest) -> Target:
    """Return what is learned. Raises `InvalidInput` where it cannot be learned as requested."""
    name = request.target or schema.target
    if name is None:
        _refuse("missing", "the data set has no target of its own", "name the column to learn")
    column = schema.column(name)
    if column is None:
        choices = [each.name for each in schema.columns]
        hint = did_you_mean(name, choices) or "one of: " + ", ".join(choices[:50])
        _refuse("unknown_column", f'the data has no column "{name}"', hint)
    rows = schema.rows.get("train", 0)
    if rows < MIN_ROWS:
        _refuse("too_few_rows", f"there are {rows} rows to train on", f"at least {MIN_ROWS} are needed", "")
    task = _task(column, request, schema)
    _check_values(column, task, rows)
    return Target(column, task, _output_count(column, task))


def add_target_reasons(draft: Draft, target: Target, request: ProposalRequest) -> None:
    """Say why the target is learned so, and warn of what was guessed."""
    column, labels = target.column, target.column.labels or ()
    draft.explain("/objective/loss", TASKS[target.task].reason)
    if request.target is None and draft.schema.guessed_target:
        draft.warn("guessed_target", f'the last column, "{column.name}", is learned', "name the target")
    if request.task is None and request.loss is None and column.type == "number" and labels:
        other = "numbers" if target.task == "classes" else "classes"
        meant = "codes of classes" if target.task == "classes" else "a quantity"
        detail = f'the {len(labels)} different whole numbers of "{column.name}" are taken as {meant}'
        draft.warn("guessed_task", detail, f'say "task": "{target.task}", or "{other}"', "/task")
    rare = _rare_labels(column) if target.task == "classes" else ()
    if rare:
        named = ", ".join(f'"{label}"' for label in rare[:5]) + (", …" if len(rare) > 5 else "")
        detail = f"classes with fewer than {RARE_CLASS_ROWS} rows are hardly learned: {named}"
        draft.warn("rare_classes", detail, "join them with others, or add rows")


def metrics(target: Target) -> tuple[str, ...]:
    """Return the metrics of a task, those of entities too where the tags are of such."""
    extra: tuple[str, ...] = ()
    if target.task == "tags" and is_iob_tag_set(target.column.labels):
        extra = ("span_f1",)
    elif target.task == "classes" and target.outputs == 2:
        extra = ("auroc",)
    return (*TASKS[target.task].metrics, *extra)


def _task(column: Column, request: ProposalRequest, schema: DataSchema) -> ProposedTask:
    tasks = LEARNABLE.get(column.type)
    if tasks is None:
        detail = f'"{column.name}" is a column of type {column.type}, which no proposed network answers'
        _refuse("wrong_column_type", detail, OTHER_TYPES.get(column.type, "name another column"))
    default = _default_task(column, tasks, schema)
    task = request.task or (default if request.loss is None else _task_of_loss(request, default))
    if task not in tasks:
        detail = f'"{column.name}" is a column of type {column.type}, which is not learned as {task}'
        _refuse("contradiction", detail, f'"task": "{tasks[0]}"', "/task" if request.task else "/loss")
    if request.loss is not None and task not in TASKS_OF_LOSSES[request.loss]:
        detail = f"{request.loss} does not learn {task}"
        _refuse("contradiction", detail, f'use "{TASKS[task].loss}"', "/loss")
    return task


def _task_of_loss(request: ProposalRequest, default: ProposedTask) -> ProposedTask:
    tasks = TASKS_OF_LOSSES[request.loss] if request.loss is not None else (default,)
    return default if default in tasks else tasks[0]


def _default_task(column: Column, tasks: tuple[ProposedTask, ...], schema: DataSchema) -> ProposedTask:
    """Return what a column is learned as unless the request says so."""
    if column.type == "number" and _are_class_codes(column.labels or ()):
        return "classes"
    if column.type == "tensor" and column.classes and not column.dtype.startswith("float"):
        return "classes"
    if column.type == "words" and not any(schema.column_type(name) == "words" for name in _others(schema, column)):
        return "labels"
    return tasks[0]


def _others(schema: DataSchema, column: Column) -> tuple[str, ...]:
    return tuple(name for name in schema.inputs if name != column.name)


def _are_class_codes(labels: tuple[str, ...]) -> bool:
    """Return whether labels are 0, 1, … or 1, 2, …, or two numbers: codes rather than quantities."""
    if len(labels) == 2:
        return True
    first = 0 if labels[:1] == ("0",) else 1
    return 2 < len(labels) <= MAX_CLASS_CODES and labels == tuple(map(str, range(first, first + len(labels))))


def _check_values(column: Column, task: ProposedTask, rows: int) -> None:
    """Refuse a target that is constant, or of which no two rows are alike, or that has no classes."""
    statistics, name, labels = column.statistics or {}, column.name, column.labels
    if column.ignored is not None:
        _refuse("nothing_to_learn", f'"{name}" cannot be learned: {column.ignored}', "name another column")
    constant = labels[0][:40] if labels is not None and len(labels) == 1 else None
    if task == "numbers" and "min" in statistics and statistics["min"] == statistics["max"]:
        constant = f"{statistics['min']:g}"
    if constant is not None:
        _refuse("constant", f'every row of "{name}" is {constant}: there is nothing to learn', "name another column")
    if task in ("labels", "tags") and not labels:
        _refuse("too_many_labels", f'"{name}" has too many different words, or none', "name another column")
    if task != "classes" or column.type == "tensor":
        return
    if labels is None:
        detail = f'"{name}" holds numbers of more than a few different values, which are no classes'
        _refuse("numbers_as_classes", detail, '"task": "numbers"', "/task")
    if len(labels) * MIN_ROWS_PER_CLASS > rows:
        detail = f'"{name}" has {len(labels)} different words in {rows} rows: almost every row is a class of its own'
        _refuse("too_many_labels", detail, "name a column whose words repeat")


def _rare_labels(column: Column) -> tuple[str, ...]:
    counts = (column.statistics or {}).get("counts")
    if not isinstance(counts, dict) or len(counts) < len(column.labels or ()):
        return ()  # only the most frequent words are counted
    return tuple(label for label, count in counts.items() if count < RARE_CLASS_ROWS)


def _output_count(column: Column, task: ProposedTask) -> int:
    detail = f'"{column.name}" has shape {list(column.shape)} per example'
    if task == "numbers":
        if len(column.shape) > 1:
            _refuse("wrong_shape", detail, "name a column of one number, or one row of numbers, per example")
        return column.shape[0] if column.shape else 1
    if column.type == "tensor" and column.shape:
        _refuse("wrong_shape", detail, "name a column of one class per example")
    return column.classes if column.labels is None and column.classes else len(column.labels or ())


def _refuse(code: str, detail: str, hint: str, pointer: str = "/target") -> NoReturn:
    raise InvalidInput([Problem(pointer, code, detail, hint)])
