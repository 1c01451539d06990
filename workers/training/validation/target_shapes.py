"""Where one output meets one target: shapes that a loss can compare, and what to change where it cannot."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

from torch import Tensor

from app.errors import Problem
from app.spec.data.columns import Column
from app.spec.training.losses import BALANCED, BaseLoss
from workers.network.inference.input_checks import SYMBOLIC_BATCH_SIZE, describe_shape
from workers.network.inference.partial_network import InferredNode
from workers.training.objective.losses import LOSSES, LossFunction

WIDTH_PARAMETERS = ("out_features", "out_channels")
ATTENTION_KINDS = frozenset({"MultiheadAttention", "TransformerEncoderLayer"})


@dataclass(frozen=True, slots=True)
class TargetShapeCheck:
    """Where output and target meet: `path` leads from the output back through the nodes that it comes from."""

    loss: BaseLoss
    output: Tensor
    target: Column
    path: tuple[InferredNode, ...]
    pointer: str = "/objective/loss"
    classes_last: bool = False  # the scores of classes are the output's last dimension

    @property
    def kind(self) -> str:
        """The loss's kind."""
        return self.loss.kind

    @property
    def row(self) -> LossFunction:
        """How torch computes the loss."""
        return LOSSES[self.kind]

    @property
    def is_binary(self) -> bool:
        """Whether the loss compares outputs with a yes or no."""
        return self.loss.row.task_type == "decisions"

    @property
    def shape(self) -> tuple[int, ...]:
        """The output's shape, with the scores of classes in dimension 1."""
        shape = tuple(self.output.shape)
        return (*shape[:1], *shape[-1:], *shape[1:-1]) if self.classes_last and len(shape) > 1 else shape

    @property
    def has_numeric_target(self) -> bool:
        """Whether the targets are numbers, not classes."""
        return self.target.dtype.startswith("float")

    @property
    def shapes_text(self) -> str:
        """Both shapes in words."""
        source = f" from {self.path[0].node.id}" if self.path else ""
        wanted = describe_shape((SYMBOLIC_BATCH_SIZE, *self.target.shape))
        what = f"{self.kind} compares {describe_shape(self.output.shape)}{source}"
        return f'{what} with targets of {wanted} ("{self.target.name}")'

    def problems(self) -> Iterator[Problem]:
        """Yield why the loss cannot compare the two."""
        if self.target.padded and not self.row.divisible:
            detail = f'{self.kind} cannot leave out what is behind the end of a row of "{self.target.name}"'
            yield Problem(self.pointer, "contradiction", detail, "use a loss that can, or a target of one length")
        else:
            yield from _elementwise_problems(self) if self.row.elementwise else _class_target_problems(self)


def _class_target_problems(meeting: TargetShapeCheck) -> Iterator[Problem]:
    """Losses of classes: scores (N, C, …) against class numbers (N, …), or probabilities of the scores' shape."""
    shape, target = meeting.shape, meeting.target
    if meeting.classes_last and tuple(meeting.output.shape[2:]) == target.shape != shape[2:]:
        detail = f"{meeting.shapes_text}: the classes are in dimension 1"
        yield Problem(meeting.pointer, "shape_mismatch", detail, 'remove "classes"')
        return
    if len(shape) < 2:
        detail = f"{meeting.kind} needs a score for every class but receives {describe_shape(shape)}"
        yield _width_problem(meeting, detail, target.classes or max(2, prod(target.shape)))
        return
    if meeting.has_numeric_target:
        yield from _probability_target_problems(meeting)
    elif (SYMBOLIC_BATCH_SIZE, *target.shape) != (SYMBOLIC_BATCH_SIZE, *shape[2:]) or (
        meeting.kind == "MultiMarginLoss" and len(shape) > 2
    ):
        yield _class_index_problem(meeting)
    elif (target.classes or 2) > shape[1]:
        count = target.classes or "at least 2"
        detail = f'"{target.name}" has {count} classes but {_score_count(meeting)}: {meeting.kind} needs one for each'
        yield _width_problem(meeting, detail, target.classes or 2)
    yield from _class_weight_problems(meeting)


def _class_weight_problems(meeting: TargetShapeCheck) -> Iterator[Problem]:
    """Weights of classes: one for each; balanced ones are counted on the classes that the data have."""
    weight, classes, width = meeting.loss.options.weight, meeting.target.classes or 0, meeting.shape[1]
    if weight is None:
        return
    place = f"{meeting.pointer}/weight"
    if weight == BALANCED and (meeting.has_numeric_target or not classes):
        detail = f'weights are balanced over classes, which "{meeting.target.name}" has not'
        yield Problem(place, "contradiction", detail, "give one number for each class, or leave weight out")
    elif weight == BALANCED and classes < width:
        detail = f"balanced weights are of the {classes} classes that there are but {_score_count(meeting)}"
        yield _width_problem(meeting, detail, classes)
    elif weight != BALANCED and len(weight) not in (width, wanted := max(width, classes)):
        detail = f"weight has {len(weight)} values for {wanted} classes"
        yield Problem(place, "shape_mismatch", detail, "give one for each class, or leave weight out")


def _score_count(meeting: TargetShapeCheck) -> str:
    count = meeting.shape[1]
    source = meeting.path[0].node.id if meeting.path else "the output"
    return f"{source} gives {count} score{'s' if count > 1 else ''} per example"


def _probability_target_problems(meeting: TargetShapeCheck) -> Iterator[Problem]:
    """Measured targets are the probabilities of the classes, for the one loss that takes them."""
    shape, target = meeting.shape, meeting.target
    if not meeting.loss.row.takes_soft_targets:
        detail = f'{meeting.kind} needs class numbers but "{target.name}" holds {target.dtype}'
        yield Problem(
            meeting.pointer, "dtype_mismatch", detail, "store the classes as integers from 0 on, or use another loss"
        )
    elif prod(target.shape) == 1 and shape != (SYMBOLIC_BATCH_SIZE, *target.shape):
        detail = f"{meeting.shapes_text}, and takes measured numbers for probabilities of classes"
        yield Problem(
            meeting.pointer, "shape_mismatch", detail, 'use {"kind": "MSELoss"}, or store classes as integers'
        )
    elif shape != (SYMBOLIC_BATCH_SIZE, *target.shape):
        yield _shape_problem(meeting)
    elif shape[1] == 1:
        detail = "CrossEntropyLoss over a single class is always zero"
        hint = 'use {"kind": "MSELoss"} for measured numbers, {"kind": "BCEWithLogitsLoss"} for yes or no'
        yield Problem(meeting.pointer, "contradiction", detail, hint)
    if meeting.loss.row.takes_soft_targets and meeting.loss.options.ignore_index >= 0:
        detail = f'"{target.name}" holds probabilities, of which none can be ignored'
        yield Problem(f"{meeting.pointer}/ignore_index", "contradiction", detail, "remove ignore_index")


def _class_index_problem(meeting: TargetShapeCheck) -> Problem:
    """Class numbers that are not one for each row of scores."""
    shape, target = meeting.shape, meeting.target
    detail = meeting.shapes_text
    if target.shape == (1,) and len(shape) == 2:
        hint = f'store "{target.name}" with one dimension, the examples'
        return Problem(
            meeting.pointer, "shape_mismatch", f"{detail}, which must be one number and not a row of one", hint
        )
    if len(target.shape) == 1 and len(shape) == 2:  # a row of zeros and ones for each example
        found = _shape_problem(meeting)
        hint = f'store "{target.name}" as float32 probabilities, or as one class number per example'
        wide = shape[1] == target.shape[0]
        place, hint = (meeting.pointer, hint) if wide else (found.pointer, f"{found.hint}, and {hint}")
        return Problem(place, found.code, f"{detail}, which must be class numbers", hint)
    if len(shape) > 2 and target.shape == shape[1:-1] and not meeting.classes_last:
        detail = f"{detail}: the classes must be in dimension 1"
        return Problem(meeting.pointer, "shape_mismatch", detail, _permute_hint(meeting))
    return _shape_problem(meeting)


def _permute_hint(meeting: TargetShapeCheck) -> str:
    """Return how scores in the last dimension come into the second, or are read where they are."""
    hint, places = 'set "classes" to "last"', len(meeting.shape)
    if not meeting.path:
        return hint
    order = [0, places - 1, *range(1, places - 1)]
    node = {"kind": "transpose", "dim0": 1, "dim1": 2} if places == 3 else {"kind": "permute", "dims": order}
    return f"{hint}, or insert {json.dumps(node)} after {meeting.path[0].node.id}"


def _elementwise_problems(meeting: TargetShapeCheck) -> Iterator[Problem]:
    """Losses that compare number by number; (N, 1) and (N) are taken for the same."""
    shape, target = meeting.shape, meeting.target
    classes = target.classes or 0
    if meeting.is_binary and classes > 2:
        detail = f'{meeting.kind} answers yes or no but "{target.name}" has {classes} classes'
        hint = f'use {{"kind": "CrossEntropyLoss"}} on {classes} scores per example'
        yield Problem(meeting.pointer, "contradiction", detail, hint)
    elif shape[1:] != target.shape and {shape[1:], target.shape} != {(), (1,)}:
        yield _shape_problem(meeting)
    weight = meeting.loss.options.pos_weight
    wide = shape[-1] if len(shape) > 1 else 1
    if weight not in (None, BALANCED) and len(weight) not in (1, wide):
        detail = f"pos_weight has {len(weight)} values for outputs of {wide}"
        yield Problem(f"{meeting.pointer}/pos_weight", "shape_mismatch", detail, f"give one value, or {wide}")


def _shape_problem(meeting: TargetShapeCheck) -> Problem:
    """Shapes that differ: name the node to change, and how."""
    shape, target = meeting.shape, meeting.target
    inner = shape[1:] if meeting.row.elementwise else shape[2:]
    if target.padded and len(inner) == len(target.shape) and inner[1:] == target.shape[1:]:
        hint = f'give "{target.name}" and what the network reads the same max_length'
        return Problem(meeting.pointer, "shape_mismatch", f"{meeting.shapes_text}: lists of other lengths", hint)
    if len(shape) > len(target.shape) + 1 and prod(target.shape) != prod(shape[1:]) and len(shape) > 2:
        found = _missing_flatten_problem(meeting)
        if found is not None:
            return found
    if len(shape) == 2 and len(target.shape) < 2:
        classed = bool(target.classes) and not meeting.is_binary and meeting.row.elementwise
        extra = ', or use {"kind": "CrossEntropyLoss"} for classes' if classed else ""
        return _width_problem(meeting, meeting.shapes_text, target.shape[0] if target.shape else 1, extra)
    order = [0, *target.shape]
    if prod(target.shape) == prod(shape[1:]) and meeting.path:
        hint = f'insert {{"kind": "reshape", "shape": {order}}} after {meeting.path[0].node.id}'
        return Problem(meeting.pointer, "shape_mismatch", meeting.shapes_text, hint)
    if len(target.shape) > 1:
        after = (
            f'{{"kind": "Linear", "out_features": {prod(target.shape)}}} and {{"kind": "reshape", "shape": {order}}}'
        )
        return Problem(meeting.pointer, "shape_mismatch", meeting.shapes_text, f"end with {after}")
    return Problem(meeting.pointer, "shape_mismatch", meeting.shapes_text, "make the last layer as wide as the target")


def _missing_flatten_problem(meeting: TargetShapeCheck) -> Problem | None:
    """Dimensions that somebody forgot to join: a whole sequence, or an image that was never flattened."""
    linear = None
    for trace in meeting.path:
        node = trace.node
        if node.parameters.get("returns") == "sequence":
            hint = f'set "returns" of {node.id} to "last": it returns a whole sequence'
            return Problem(f"/model{node.pointer}/returns", "shape_mismatch", meeting.shapes_text, hint)
        if trace.output.ndim < 3:
            break
        if node.kind in ATTENTION_KINDS:
            hint = f'insert {{"kind": "mean", "dim": 1}} after {node.id}: it returns a whole sequence'
            return Problem(f"/model{node.pointer}", "shape_mismatch", meeting.shapes_text, hint)
        linear = node if node.kind == "Linear" else linear
    if linear is not None:
        hint = f'insert {{"kind": "Flatten"}} before {linear.id}, and leave its in_features out'
        return Problem(f"/model{linear.pointer}", "shape_mismatch", meeting.shapes_text, hint)
    if not meeting.path:
        return None
    wide = meeting.target.classes or prod(meeting.target.shape)
    last = meeting.path[0].node
    hint = f'insert {{"kind": "Flatten"}} and {{"kind": "Linear", "out_features": {wide}}} after {last.id}'
    return Problem(f"/model{last.pointer}", "shape_mismatch", meeting.shapes_text, hint)


def _width_problem(meeting: TargetShapeCheck, detail: str, wanted: int, extra: str = "") -> Problem:
    """The output is too narrow or too wide: name the layer that sets its width, if it is plain to see."""
    width = meeting.shape[1:2]
    for trace in meeting.path:
        if (trace.output.shape[-1:] if meeting.classes_last else trace.output.shape[1:2]) != width:
            break
        for field in WIDTH_PARAMETERS:
            if width and trace.node.parameters.get(field) == width[0]:
                pointer = f"/model{trace.node.pointer}/{field}"
                hint = f"set {field} of {trace.node.id} to {wanted}{extra}"
                return Problem(pointer, "shape_mismatch", detail, hint)
    after = f" after {meeting.path[0].node.id}" if meeting.path else ""
    if not width:
        return Problem(
            meeting.pointer, "shape_mismatch", detail, f"give a row of {wanted} numbers for every example{extra}"
        )
    hint = f'insert {{"kind": "Linear", "out_features": {wanted}}}{after}{extra}'
    return Problem(meeting.pointer, "shape_mismatch", detail, hint)
