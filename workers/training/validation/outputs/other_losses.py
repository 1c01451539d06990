"""Shapes of losses that are no function of one output and one target of its shape."""

from collections.abc import Callable, Iterator, Mapping
from math import prod

from torch import Tensor

from app.errors import Problem
from workers.network.inference.input_checks import SYMBOLIC_BATCH_SIZE, describe_shape
from workers.training.validation.outputs.shape_check import TargetShapeCheck, score_count, width_problem


def quantile_problems(check: TargetShapeCheck) -> Iterator[Problem]:
    """Quantiles are the last dimension of an output, after those of its target."""
    shape, target, quantiles = check.shape[1:], check.target.shape, len(check.loss.options.quantiles)
    if shape == (*target, quantiles) or (target == (1,) and shape == (quantiles,)):
        return
    detail = f"{check.shapes_text}, of each of which it gives {quantiles} quantiles"
    if len(shape) == 1 and prod(target) == 1:
        yield width_problem(check, detail, quantiles)
    else:
        expected = describe_shape((SYMBOLIC_BATCH_SIZE, *target, quantiles))
        yield Problem(check.pointer, "shape_mismatch", detail, f"give an output of {expected}")


def sequence_problems(check: TargetShapeCheck) -> Iterator[Problem]:
    """Log-probabilities (N, C, T) of the classes of a list and of a blank, against classes (N, S)."""
    shape, target, blank = check.shape, check.target, check.loss.options.blank
    classes = len(target.labels) + 1 if target.labels is not None else target.classes or 2
    if len(shape) != 3:
        source = check.path[0].node.id if check.path else "the output"
        detail = f"{check.kind} needs a score of every class at every step, and {source} gives "
        detail += describe_shape(check.output.shape)
        expected = "(N, T, C)" if check.classes_last else '(N, C, T), or (N, T, C) with "classes": "last"'
        yield Problem(check.pointer, "shape_mismatch", detail, f"give an output of {expected}")
    elif target.labels is None and blank:
        detail = f'class 0 of "{target.name}" is its padding, and no other can be the blank'
        yield Problem(f"{check.pointer}/blank", "contradiction", detail, 'use "blank": 0')
    elif shape[1] < classes or (target.labels is not None and shape[1] != classes):
        what = f"{classes - 1} labels and a blank" if target.labels is not None else f"{classes} classes"
        detail = f'"{target.name}" has {what} but {score_count(check)}'
        if not check.classes_last and shape[2] == classes:
            yield Problem(check.pointer, "shape_mismatch", detail, 'set "classes" of the objective to "last"')
        else:
            yield width_problem(check, detail, classes)
    elif blank >= shape[1]:
        detail = f"there is no class {blank} of {shape[1]}"
        yield Problem(f"{check.pointer}/blank", "out_of_range", detail, f"use at most {shape[1] - 1}")


def variance_problem(check: TargetShapeCheck, variance: Tensor) -> Problem | None:
    """Return why an output is no variance of another one: it has its shape, or one number for its last dimension."""
    shape, given = tuple(check.output.shape), tuple(variance.shape)
    if given in (shape, shape[:-1], (*shape[:-1], 1)) and len(given) > 0 and variance.is_floating_point():
        return None
    detail = f"{check.kind} reads a variance of {describe_shape(given)} beside an output of {describe_shape(shape)}"
    return Problem(f"{check.pointer}/var", "shape_mismatch", detail, f"give an output of {describe_shape(shape)}")


def length_problem(check: TargetShapeCheck, lengths: Tensor) -> Problem | None:
    """Return why an output does not hold the number of steps of each row."""
    if tuple(lengths.shape) == (SYMBOLIC_BATCH_SIZE,) and not lengths.is_floating_point():
        return None
    dtype = str(lengths.dtype).removeprefix("torch.")
    detail = f"{check.kind} reads lengths, and the output gives {dtype} {describe_shape(lengths.shape)}"
    hint = "give one whole number for each example: the column of lengths, or what becomes of it"
    return Problem(f"{check.pointer}/input_lengths", "shape_mismatch", detail, hint)


# Field of a loss that names an output → what the output must be.
OTHER_OUTPUT_CHECKS: Mapping[str, Callable[[TargetShapeCheck, Tensor], Problem | None]] = {
    "var": variance_problem,
    "input_lengths": length_problem,
}
