"""Whether a target column holds what its loss compares, and what is said of how it was read."""

from collections.abc import Iterable, Iterator

from app.errors import Problem
from app.spec.data.columns import Column, DataSchema
from app.spec.problems import json_pointer
from app.spec.training.losses import BaseLoss, target_task

WORD_TYPES = frozenset({"category", "text", "words", "tree"})
MAX_QUOTED_LABELS = 4
CONSTANT_TARGET = "constant_target"
# Labels of a yes or no, of which the second is obviously the yes.
ORDERED_LABELS = frozenset({("0", "1"), ("false", "true"), ("no", "yes"), ("n", "y"), ("f", "t"), ("-1", "1")})
SIGNED_LOSS = "SoftMarginLoss"  # the one whose no and yes are -1 and 1
CLASS_LOSS_HINT = 'use {"kind": "CrossEntropyLoss"} for classes'


def target_problems(pointer: str, loss: BaseLoss, stored: Column, target: Column, declared: bool) -> Iterator[Problem]:
    """Yield why a loss cannot compare with a target.

    `stored` is the column as it is stored, `target` what a feature makes of it; `pointer` is that of the head.
    """
    place, task = f"{pointer}/loss", target_task(loss)
    if task == "numbers" and stored.type in WORD_TYPES:
        detail = f'{loss.kind} compares numbers, and "{stored.name}" holds {_quote_labels(stored) or "words"}'
        yield Problem(place, "words_as_target", detail, f"{CLASS_LOSS_HINT}, or name a column of numbers as target")
    elif task == "numbers" and _has_other_labels(target):
        detail = f'{loss.kind} compares numbers, and "{target.name}" holds the positions of {_quote_labels(target)}'
        hint = f'{CLASS_LOSS_HINT}, or declare the target as {{"kind": "numbers", "columns": ["{stored.name}"]}}'
        yield Problem(place, "words_as_target", detail, hint)
    elif task == "classes" and _is_unlabelled(loss, stored, target, declared):
        yield from _number_problems(place, loss, stored)
    elif loss.row.task_type == "decisions" and len(target.labels or ()) > 2 and not target.shape:
        detail = f'{loss.kind} learns a yes or no, and "{target.name}" has {len(target.labels or ())} labels'
        yield Problem(place, "too_many_labels", detail, CLASS_LOSS_HINT)
    if task == "sequences" and not (target.dtype.startswith("int") and len(target.shape) == 1):
        detail = f'{loss.kind} compares lists of classes, and "{target.name}" holds {target.dtype} {list(target.shape)}'
        yield Problem(place, "words_as_target", detail, "name a column of lists of words, or of texts with a tokenizer")
    if loss.kind == "PoissonNLLLoss" and (low := _least(stored)) is not None and low < 0:
        detail = f'{loss.kind} learns counts, and "{stored.name}" has values down to {low:g}'
        yield Problem(place, "out_of_range", detail, 'use {"kind": "MSELoss"}, or another target')


def target_warnings(pointer: str, loss: BaseLoss, stored: Column, target: Column, declared: bool) -> Iterator[Problem]:
    """Yield what a default made of a target: which of two labels is the yes."""
    labels = tuple(target.labels or ())
    if declared or loss.row.task_type != "decisions" or target.shape or len(labels) != 2:
        return
    if tuple(label.lower() for label in labels) not in ORDERED_LABELS:
        detail = f'"{target.name}": "{labels[1]}" is the yes (1) and "{labels[0]}" the no (0), in the order of labels'
        feature = f'"features": {{"{target.name}": {{"kind": "class", "column": "{stored.name}"}}}}'
        yield Problem(f"{pointer}/loss", "label_order", detail, f"declare it to say so: {feature} in data")


def guessed_target_warnings(named: str | None, stored: DataSchema) -> Iterator[Problem]:
    """Yield that nobody has said which column is learned."""
    if named is None and stored.target is not None:
        detail = f'the last column, "{stored.target}", is learned: neither the job nor a name says which'
        yield Problem("/data/target", "guessed_target", detail, f'say "target": "{stored.target}" in data')


def constant_target_warnings(schema: DataSchema, targets: Iterable[str]) -> Iterator[Problem]:
    """Yield a warning for every target with one value in all rows: any network predicts it, and no metric says more."""
    for name in targets:
        column = schema.column(name)
        if column is not None and (value := only_value(column)) is not None:
            detail = f'the target "{name}" is "{value}" in every row: there is nothing to learn'
            yield Problem(
                json_pointer(["columns", name]), CONSTANT_TARGET, detail, "choose another target, or add rows"
            )


def _number_problems(place: str, loss: BaseLoss, stored: Column) -> Iterator[Problem]:
    """Numbers that are no classes: a yes or no may be a probability, anything else is a mistake."""
    if loss.row.task_type == "decisions":
        statistics = stored.statistics or {}
        low, high = statistics.get("min"), statistics.get("max")
        if low is None or high is None:
            return
        has = f'"{stored.name}" has values from {low:g} to {high:g}'
        if loss.kind == SIGNED_LOSS:
            if not (low in (-1, 1) and high in (-1, 1)):
                hint = 'use {"kind": "BCEWithLogitsLoss"} for 0 and 1, {"kind": "MSELoss"} for measured numbers'
                yield Problem(place, "out_of_range", f"{loss.kind} compares with -1 and 1 alone, and {has}", hint)
        elif not (low >= 0 and high <= 1):
            hint = 'use {"kind": "MSELoss"} for measured numbers'
            if (low, high) == (-1, 1):
                hint = f'use {{"kind": "{SIGNED_LOSS}"}} for -1 and 1, {hint.removeprefix("use ")}'
            yield Problem(place, "out_of_range", f"{loss.kind} learns probabilities, and {has}", hint)
        return
    detail = f'{loss.kind} learns classes, and "{stored.name}" holds numbers of more than a few different values'
    hint = f'use {{"kind": "MSELoss"}}; or upload the data with "types": {{"{stored.name}": "category"}}'
    yield Problem(place, "numbers_as_classes", detail, hint)


def _is_unlabelled(loss: BaseLoss, stored: Column, target: Column, declared: bool) -> bool:
    """Return whether a loss of classes would compare with the very numbers of a column.

    Of arrays, only decisions look at the numbers: their classes are counted with the network's scores. Pictures, and
    arrays with a declared feature, may be scaled before they are compared.
    """
    if stored.labels is not None or target.labels:
        return False
    is_array = stored.type == "tensor" and not declared and stored.dtype not in ("uint8", "bool")
    return (is_array and loss.row.task_type == "decisions") or stored.type in ("number", "datetime")


def _has_other_labels(target: Column) -> bool:
    """Return whether the integers of a target stand for labels that are other than the integers themselves."""
    if not target.dtype.startswith("int") or target.labels is None:
        return False
    return any(label != str(code) for code, label in enumerate(target.labels))


def _least(stored: Column) -> float | None:
    value = (stored.statistics or {}).get("min")
    return float(value) if isinstance(value, int | float) else None


def _quote_labels(column: Column) -> str:
    labels = column.labels or ()
    quoted = ", ".join(f'"{label[:40]}"' for label in labels[:MAX_QUOTED_LABELS])
    return quoted + (", …" if len(labels) > MAX_QUOTED_LABELS else "")


def only_value(column: Column) -> str | None:
    """Return the value that every row has, in words; `None` if there are several, or if it is not known."""
    if column.missing:
        return None
    if column.labels is not None and column.type in ("number", "category", "tensor", "image"):
        return column.labels[0] if len(column.labels) == 1 else None
    statistics = column.statistics or {}
    least, most = statistics.get("min"), statistics.get("max")
    if isinstance(least, int | float) and least == most:
        return f"{least:g}"
    return "0" if column.classes == 1 and column.type == "tensor" else None
