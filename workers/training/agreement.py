"""Whether the loss, its targets and the network's output agree: seen from their shapes, before anything is built.

What passes here is what `workers.training.losses` can compute (a test compares).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod

from torch import Tensor

from app.errors import Problem
from app.spec.columns import Column
from app.spec.job import Job
from app.spec.objective import BaseLoss
from app.spec.view import View
from workers.network.drafts import Draft, Trace
from workers.network.sizes import BATCH, sizes
from workers.training.losses import LOSSES

LOSS = "/objective/loss"
WIDTHS = ("out_features", "out_channels")
DECIDING = frozenset({"BCELoss", "BCEWithLogitsLoss", "MultiLabelSoftMarginLoss", "SoftMarginLoss"})
PACKED = frozenset({"RNN", "GRU", "LSTM", "TransformerEncoderLayer", "pool_sequence"})  # a second input is lengths
ATTENDING = frozenset({"MultiheadAttention", "TransformerEncoderLayer"})


@dataclass(frozen=True, slots=True)
class Meeting:
    """Where output and target meet: `path` leads from the output back through the nodes that it comes from."""

    loss: BaseLoss
    output: Tensor
    target: Column
    path: tuple[Trace, ...]

    @property
    def kind(self) -> str:
        """The loss's kind."""
        return self.loss.kind

    @property
    def measured(self) -> bool:
        """Whether the targets are numbers, not classes."""
        return self.target.dtype.startswith("float")

    @property
    def compared(self) -> str:
        """Both shapes in words."""
        source = f" from {self.path[0].node.id}" if self.path else ""
        wanted = sizes((BATCH, *self.target.shape))
        return (
            f'{self.kind} compares {sizes(self.output.shape)}{source} with targets of {wanted} ("{self.target.name}")'
        )


def disagreements(job: Job, seen: View, draft: Draft) -> list[Problem]:
    """Return every problem of the objective; none where the output itself could not be settled."""
    outputs = draft.blueprint.outputs
    source = outputs.get(job.objective.output) if job.objective.output else next(iter(outputs.values()))
    if source is None or source not in draft.values:
        return []
    output = draft.values[source]
    traces = {name: trace for trace in draft.traces for name in trace.named()}
    end = traces.get(source)
    place = "/model" + (end.node.pointer if end is not None else "")
    if not output.is_floating_point():
        dtype = str(output.dtype).removeprefix("torch.")
        return [Problem(place, "dtype_mismatch", f"the loss reads {source}, which gives {dtype}",
                        "let the loss read an output of float32")]  # fmt: skip
    if output.ndim == 0 or output.shape[0] != BATCH or any(size % BATCH == 0 for size in output.shape[1:]):
        detail = f"the loss reads {source}, which gives {sizes(output.shape)}: no row for each example"
        return [Problem(place, "shape_mismatch", detail, "keep dimension 0, which counts the examples")]
    problems = []
    if source not in _trained(draft):
        problems.append(Problem("/model", "nothing_to_train", f"{source} depends on nothing that is trained",
                                "add a layer with parameters, or a Parameter node"))  # fmt: skip
    target = seen.schema.column(seen.schema.target or "")
    if target is not None:
        meeting = Meeting(job.objective.loss, output, target, _path(end, traces))
        check = _alike if LOSSES[meeting.kind][2] else _classified
        problems += check(meeting)
    return problems


def _trained(draft: Draft) -> set[str]:
    """Return the nodes through which a gradient reaches a parameter."""
    found: set[str] = set()
    for trace in draft.traces:
        node = trace.node
        reached = trace.parameters > 0 or node.share is not None or not found.isdisjoint(node.inputs)
        if reached and node.kind != "stop_gradient":
            found.update(trace.named())
        else:
            found.difference_update(trace.named())  # a layer may be named like the one before it
    return found


def _path(end: Trace | None, traces: Mapping[str, Trace]) -> tuple[Trace, ...]:
    path: list[Trace] = []
    seen: set[str] = set()
    while end is not None and end.node.id not in seen:
        path.append(end)
        seen.add(end.node.id)
        single = len(end.inputs) == 1 or end.node.kind in PACKED
        end = traces.get(end.node.inputs[0]) if single else None
    return tuple(path)


def _classified(meeting: Meeting) -> Iterator[Problem]:
    """Losses of classes: scores (N, C, …) against class numbers (N, …), or probabilities of the scores' shape."""
    shape, target = tuple(meeting.output.shape), meeting.target
    if len(shape) < 2:
        detail = f"{meeting.kind} needs a score for every class but receives {sizes(shape)}"
        yield _width_problem(meeting, detail, target.classes or max(2, prod(target.shape)))
        return
    if meeting.measured:
        yield from _probable(meeting)
    elif (BATCH, *target.shape) != (BATCH, *shape[2:]) or (meeting.kind == "MultiMarginLoss" and len(shape) > 2):
        yield _misplaced(meeting)
    elif (target.classes or 2) > shape[1]:
        count = target.classes or "at least 2"
        detail = f'"{target.name}" has {count} classes but {_score_count(meeting)}: {meeting.kind} needs one for each'
        yield _width_problem(meeting, detail, target.classes or 2)
    weight = getattr(meeting.loss, "weight", None)
    wanted = max(shape[1], target.classes or 0)
    if weight is not None and len(weight) != wanted and len(weight) != shape[1]:
        detail = f"weight has {len(weight)} values for {wanted} classes"
        yield Problem(f"{LOSS}/weight", "shape_mismatch", detail, "give one for each class, or leave weight out")


def _score_count(meeting: Meeting) -> str:
    count = meeting.output.shape[1]
    source = meeting.path[0].node.id if meeting.path else "the output"
    return f"{source} gives {count} score{'s' if count > 1 else ''} per example"


def _probable(meeting: Meeting) -> Iterator[Problem]:
    """Measured targets are the probabilities of the classes, for the one loss that takes them."""
    shape, target = tuple(meeting.output.shape), meeting.target
    if meeting.kind != "CrossEntropyLoss":
        detail = f'{meeting.kind} needs class numbers but "{target.name}" holds {target.dtype}'
        yield Problem(LOSS, "dtype_mismatch", detail, "store the classes as integers from 0 on, or use another loss")
    elif prod(target.shape) == 1 and shape != (BATCH, *target.shape):
        detail = f"{meeting.compared}, and takes measured numbers for probabilities of classes"
        yield Problem(LOSS, "shape_mismatch", detail, 'use {"kind": "MSELoss"}, or store classes as integers')
    elif shape != (BATCH, *target.shape):
        yield _unlike(meeting)
    elif shape[1] == 1:
        detail = "CrossEntropyLoss over a single class is always zero"
        hint = 'use {"kind": "MSELoss"} for measured numbers, {"kind": "BCEWithLogitsLoss"} for yes or no'
        yield Problem(LOSS, "contradiction", detail, hint)
    ignored = getattr(meeting.loss, "ignore_index", -1)
    if meeting.kind == "CrossEntropyLoss" and ignored >= 0:
        detail = f'"{target.name}" holds probabilities, of which none can be ignored'
        yield Problem(f"{LOSS}/ignore_index", "contradiction", detail, "remove ignore_index")


def _misplaced(meeting: Meeting) -> Problem:
    """Class numbers that are not one for each row of scores."""
    shape, target = tuple(meeting.output.shape), meeting.target
    detail = meeting.compared
    if target.shape == (1,) and len(shape) == 2:
        hint = f'store "{target.name}" with one dimension, the examples'
        return Problem(LOSS, "shape_mismatch", f"{detail}, which must be one number and not a row of one", hint)
    if len(target.shape) == 1 and len(shape) == 2:  # a row of zeros and ones for each example
        found = _unlike(meeting)
        hint = f'store "{target.name}" as float32 probabilities, or as one class number per example'
        wide = shape[1] == target.shape[0]
        place, hint = (LOSS, hint) if wide else (found.pointer, f"{found.hint}, and {hint}")
        return Problem(place, found.code, f"{detail}, which must be class numbers", hint)
    if len(shape) == 3 and target.shape == (shape[1],) and meeting.path:
        hint = f'insert {{"kind": "transpose", "dim0": 1, "dim1": 2}} after {meeting.path[0].node.id}'
        return Problem(LOSS, "shape_mismatch", f"{detail}: the classes must be in dimension 1", hint)
    return _unlike(meeting)


def _alike(meeting: Meeting) -> Iterator[Problem]:
    """Losses that compare number by number; (N, 1) and (N) are taken for the same."""
    shape, target = tuple(meeting.output.shape), meeting.target
    classes = target.classes or 0
    if meeting.kind in DECIDING and classes > 2:
        detail = f'{meeting.kind} answers yes or no but "{target.name}" has {classes} classes'
        hint = f'use {{"kind": "CrossEntropyLoss"}} on {classes} scores per example'
        yield Problem(LOSS, "contradiction", detail, hint)
    elif shape[1:] != target.shape and {shape[1:], target.shape} != {(), (1,)}:
        yield _unlike(meeting)
    weight = getattr(meeting.loss, "pos_weight", None)
    wide = shape[-1] if len(shape) > 1 else 1
    if weight is not None and len(weight) not in (1, wide):
        detail = f"pos_weight has {len(weight)} values for outputs of {wide}"
        yield Problem(f"{LOSS}/pos_weight", "shape_mismatch", detail, f"give one value, or {wide}")


def _unlike(meeting: Meeting) -> Problem:
    """Shapes that differ: name the node to change, and how."""
    shape, target = tuple(meeting.output.shape), meeting.target
    if len(shape) > len(target.shape) + 1 and prod(target.shape) != prod(shape[1:]) and len(shape) > 2:
        found = _joining(meeting)
        if found is not None:
            return found
    if len(shape) == 2 and len(target.shape) < 2:
        classed = bool(target.classes) and meeting.kind not in DECIDING and LOSSES[meeting.kind][2]
        extra = ', or use {"kind": "CrossEntropyLoss"} for classes' if classed else ""
        return _width_problem(meeting, meeting.compared, target.shape[0] if target.shape else 1, extra)
    inner = [0, *target.shape]
    if prod(target.shape) == prod(shape[1:]) and meeting.path:
        hint = f'insert {{"kind": "reshape", "shape": {inner}}} after {meeting.path[0].node.id}'
        return Problem(LOSS, "shape_mismatch", meeting.compared, hint)
    if len(target.shape) > 1:
        after = (
            f'{{"kind": "Linear", "out_features": {prod(target.shape)}}} and {{"kind": "reshape", "shape": {inner}}}'
        )
        return Problem(LOSS, "shape_mismatch", meeting.compared, f"end with {after}")
    return Problem(LOSS, "shape_mismatch", meeting.compared, "make the last layer as wide as the target")


def _joining(meeting: Meeting) -> Problem | None:
    """Dimensions that somebody forgot to join: a whole sequence, or an image that was never flattened."""
    linear = None
    for trace in meeting.path:
        node = trace.node
        if node.parameters.get("returns") == "sequence":
            hint = f'set "returns" of {node.id} to "last": it returns a whole sequence'
            return Problem(f"/model{node.pointer}/returns", "shape_mismatch", meeting.compared, hint)
        if trace.output.ndim < 3:
            break
        if node.kind in ATTENDING:
            hint = f'insert {{"kind": "mean", "dim": 1}} after {node.id}: it returns a whole sequence'
            return Problem(f"/model{node.pointer}", "shape_mismatch", meeting.compared, hint)
        linear = node if node.kind == "Linear" else linear
    if linear is not None:
        hint = f'insert {{"kind": "Flatten"}} before {linear.id}, and leave its in_features out'
        return Problem(f"/model{linear.pointer}", "shape_mismatch", meeting.compared, hint)
    if not meeting.path:
        return None
    wide = meeting.target.classes or prod(meeting.target.shape)
    last = meeting.path[0].node
    hint = f'insert {{"kind": "Flatten"}} and {{"kind": "Linear", "out_features": {wide}}} after {last.id}'
    return Problem(f"/model{last.pointer}", "shape_mismatch", meeting.compared, hint)


def _width_problem(meeting: Meeting, detail: str, wanted: int, extra: str = "") -> Problem:
    """The output is too narrow or too wide: name the layer that sets its width, if it is plain to see."""
    width = meeting.output.shape[1:2]
    for trace in meeting.path:
        if trace.output.shape[1:2] != width:
            break
        for field in WIDTHS:
            if width and trace.node.parameters.get(field) == width[0]:
                pointer = f"/model{trace.node.pointer}/{field}"
                hint = f"set {field} of {trace.node.id} to {wanted}{extra}"
                return Problem(pointer, "shape_mismatch", detail, hint)
    after = f" after {meeting.path[0].node.id}" if meeting.path else ""
    if not width:
        return Problem(LOSS, "shape_mismatch", detail, f"give a row of {wanted} numbers for every example{extra}")
    hint = f'insert {{"kind": "Linear", "out_features": {wanted}}}{after}{extra}'
    return Problem(LOSS, "shape_mismatch", detail, hint)
