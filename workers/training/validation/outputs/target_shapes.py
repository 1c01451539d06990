"""Where one output meets one target: shapes that a loss can compare, and what to change where it cannot."""

import json
from collections.abc import Iterator
from math import prod

from app.errors import Problem
from app.spec.training.losses import BALANCED
from workers.network.inference.input_checks import SYMBOLIC_BATCH_SIZE, describe_shape
from workers.training.validation.outputs.other_losses import quantile_problems, sequence_problems
from workers.training.validation.outputs.shape_check import TargetShapeCheck, score_count, width_problem

ATTENTION_KINDS = frozenset({"MultiheadAttention", "TransformerEncoderLayer"})


def target_shape_problems(check: TargetShapeCheck) -> Iterator[Problem]:
    """Yield why the loss cannot compare the two."""
    if check.loss.row.task_type == "sequences":
        yield from sequence_problems(check)
    elif check.target.padded and not check.row.divisible:
        detail = f'{check.kind} cannot leave out what is behind the end of a row of "{check.target.name}"'
        yield Problem(check.pointer, "contradiction", detail, "use a loss that can, or a target of one length")
    else:
        yield from _elementwise_problems(check) if check.row.elementwise else _class_target_problems(check)


def _class_target_problems(check: TargetShapeCheck) -> Iterator[Problem]:
    """Losses of classes: scores (N, C, …) against class numbers (N, …), or probabilities of the scores' shape."""
    shape, target = check.shape, check.target
    if check.classes_last and tuple(check.output.shape[2:]) == target.shape != shape[2:]:
        detail = f"{check.shapes_text}: the classes are in dimension 1"
        yield Problem(check.pointer, "shape_mismatch", detail, 'remove "classes"')
        return
    if len(shape) < 2:
        detail = f"{check.kind} needs a score for every class but receives {describe_shape(shape)}"
        yield width_problem(check, detail, target.classes or max(2, prod(target.shape)))
        return
    if check.has_numeric_target:
        yield from _probability_target_problems(check)
    elif (SYMBOLIC_BATCH_SIZE, *target.shape) != (SYMBOLIC_BATCH_SIZE, *shape[2:]) or (
        check.kind == "MultiMarginLoss" and len(shape) > 2
    ):
        yield _class_index_problem(check)
    elif (target.classes or 2) > shape[1]:
        count = target.classes or "at least 2"
        detail = f'"{target.name}" has {count} classes but {score_count(check)}: {check.kind} needs one for each'
        yield width_problem(check, detail, target.classes or 2)
    elif shape[1] == 1:
        detail = f"{check.kind} over a single class is always the same, and teaches nothing"
        hint = f'"{target.name}" has one class: name another target'
        yield Problem(check.pointer, "contradiction", detail, hint)
    yield from _class_weight_problems(check)


def _class_weight_problems(check: TargetShapeCheck) -> Iterator[Problem]:
    """Weights of classes: one for each; balanced ones are counted on the classes that the data have."""
    weight, classes, width = check.loss.options.weight, check.target.classes or 0, check.shape[1]
    if weight is None:
        return
    place = f"{check.pointer}/weight"
    if weight == BALANCED and (check.has_numeric_target or not classes):
        detail = f'weights are balanced over classes, which "{check.target.name}" has not'
        yield Problem(place, "contradiction", detail, "remove weight")
    elif weight == BALANCED and classes < width:
        detail = f"balanced weights are of the {classes} classes that there are but {score_count(check)}"
        yield width_problem(check, detail, classes)
    elif weight != BALANCED and len(weight) not in (width, expected := max(width, classes)):
        detail = f"weight has {len(weight)} values for {expected} classes"
        yield Problem(place, "shape_mismatch", detail, f"give {expected} values, or remove weight")


def _probability_target_problems(check: TargetShapeCheck) -> Iterator[Problem]:
    """Measured targets are the probabilities of the classes, for the one loss that takes them."""
    shape, target = check.shape, check.target
    if not check.loss.row.takes_soft_targets:
        detail = f'{check.kind} needs class numbers but "{target.name}" holds {target.dtype}'
        yield Problem(
            check.pointer, "dtype_mismatch", detail, "store the classes as integers from 0 on, or use another loss"
        )
    elif prod(target.shape) == 1 and shape != (SYMBOLIC_BATCH_SIZE, *target.shape):
        detail = f"{check.shapes_text}, and takes measured numbers for probabilities of classes"
        yield Problem(check.pointer, "shape_mismatch", detail, 'use {"kind": "MSELoss"}, or store classes as integers')
    elif shape != (SYMBOLIC_BATCH_SIZE, *target.shape):
        yield _shape_problem(check)
    elif shape[1] == 1:
        detail = "CrossEntropyLoss over a single class is always zero"
        hint = 'use {"kind": "MSELoss"} for measured numbers, or {"kind": "BCEWithLogitsLoss"} for yes or no'
        yield Problem(check.pointer, "contradiction", detail, hint)
    if check.loss.row.takes_soft_targets and check.loss.options.ignore_index >= 0:
        detail = f'"{target.name}" holds probabilities, of which none can be ignored'
        yield Problem(f"{check.pointer}/ignore_index", "contradiction", detail, "remove ignore_index")


def _class_index_problem(check: TargetShapeCheck) -> Problem:
    """Class numbers that are not one for each row of scores."""
    shape, target = check.shape, check.target
    detail = check.shapes_text
    if target.shape == (1,) and len(shape) == 2:
        hint = f'store "{target.name}" with one dimension, the examples'
        return Problem(
            check.pointer, "shape_mismatch", f"{detail}, which must be one number and not a row of one", hint
        )
    if len(target.shape) == 1 and len(shape) == 2:  # a row of zeros and ones for each example
        found = _shape_problem(check)
        hint = f'store "{target.name}" as float32 probabilities, or as one class number per example'
        wide = shape[1] == target.shape[0]
        place, hint = (check.pointer, hint) if wide else (found.pointer, f"{found.hint}, and {hint}")
        return Problem(place, found.code, f"{detail}, which must be class numbers", hint)
    if len(shape) > 2 and target.shape == shape[1:-1] and not check.classes_last:
        detail = f"{detail}: the classes must be in dimension 1"
        return Problem(check.pointer, "shape_mismatch", detail, _permute_hint(check))
    return _shape_problem(check)


def _permute_hint(check: TargetShapeCheck) -> str:
    """Return how scores in the last dimension come into the second, or are read where they are."""
    hint, places = 'set "classes" to "last"', len(check.shape)
    if not check.path:
        return hint
    order = [0, places - 1, *range(1, places - 1)]
    node = {"kind": "transpose", "dim0": 1, "dim1": 2} if places == 3 else {"kind": "permute", "dims": order}
    return f"{hint}, or insert {json.dumps(node)} after {check.path[0].node.id}"


def _elementwise_problems(check: TargetShapeCheck) -> Iterator[Problem]:
    """Losses that compare number by number; (N, 1) and (N) are taken for the same."""
    shape, target = check.shape, check.target
    classes = target.classes or 0
    if check.is_binary and classes > 2:
        detail = f'{check.kind} answers yes or no but "{target.name}" has {classes} classes'
        hint = f'use {{"kind": "CrossEntropyLoss"}} on {classes} scores per example'
        yield Problem(check.pointer, "contradiction", detail, hint)
    elif check.loss.options.quantiles:
        yield from quantile_problems(check)
    elif shape[1:] != target.shape and {shape[1:], target.shape} != {(), (1,)}:
        yield _shape_problem(check)
    weight = check.loss.options.pos_weight
    wide = shape[-1] if len(shape) > 1 else 1
    if weight not in (None, BALANCED) and len(weight) not in (1, wide):
        detail = f"pos_weight has {len(weight)} values for outputs of {wide}"
        yield Problem(f"{check.pointer}/pos_weight", "shape_mismatch", detail, f"give one value, or {wide}")


def _shape_problem(check: TargetShapeCheck) -> Problem:
    """Shapes that differ: name the node to change, and how."""
    shape, target = check.shape, check.target
    inner = shape[1:] if check.row.elementwise else shape[2:]
    if target.padded and len(inner) == len(target.shape) and inner[1:] == target.shape[1:]:
        hint = f'give "{target.name}" and what the network reads the same max_length'
        return Problem(check.pointer, "shape_mismatch", f"{check.shapes_text}: lists of other lengths", hint)
    if len(shape) > len(target.shape) + 1 and prod(target.shape) != prod(shape[1:]) and len(shape) > 2:
        found = _missing_flatten_problem(check)
        if found is not None:
            return found
    if len(shape) == 2 and len(target.shape) < 2:
        classed = bool(target.classes) and not check.is_binary and check.row.elementwise
        extra = ', or use {"kind": "CrossEntropyLoss"} for classes' if classed else ""
        return width_problem(check, check.shapes_text, target.shape[0] if target.shape else 1, extra)
    order = [0, *target.shape]
    if prod(target.shape) == prod(shape[1:]) and check.path:
        hint = f'insert {{"kind": "reshape", "shape": {order}}} after {check.path[0].node.id}'
        return Problem(check.pointer, "shape_mismatch", check.shapes_text, hint)
    if len(target.shape) > 1:
        flat = '"Flatten", ' if len(shape) > 2 else ""
        after = (
            f'{flat}{{"kind": "Linear", "out_features": {prod(target.shape)}}} and '
            f'{{"kind": "reshape", "shape": {order}}}'
        )
        return Problem(check.pointer, "shape_mismatch", check.shapes_text, f"end with {after}")
    return Problem(check.pointer, "shape_mismatch", check.shapes_text, "make the last layer as wide as the target")


def _missing_flatten_problem(check: TargetShapeCheck) -> Problem | None:
    """Dimensions that somebody forgot to join: a whole sequence, or an image that was never flattened."""
    linear = None
    for trace in check.path:
        node = trace.node
        if node.parameters.get("returns") == "sequence":
            hint = f'set "returns" of {node.id} to "last": it returns a whole sequence'
            return Problem(f"/model{node.pointer}/returns", "shape_mismatch", check.shapes_text, hint)
        if trace.output.ndim < 3:
            break
        if node.kind in ATTENTION_KINDS:
            hint = f'insert {{"kind": "mean", "dim": 1}} after {node.id}: it returns a whole sequence'
            return Problem(f"/model{node.pointer}", "shape_mismatch", check.shapes_text, hint)
        linear = node if node.kind == "Linear" else linear
    if linear is not None:
        hint = f'insert {{"kind": "Flatten"}} before {linear.id}, and leave its in_features out'
        return Problem(f"/model{linear.pointer}", "shape_mismatch", check.shapes_text, hint)
    if not check.path:
        return None
    wide = check.target.classes or prod(check.target.shape)
    last = check.path[0].node
    hint = f'insert {{"kind": "Flatten"}} and {{"kind": "Linear", "out_features": {wide}}} after {last.id}'
    return Problem(f"/model{last.pointer}", "shape_mismatch", check.shapes_text, hint)
