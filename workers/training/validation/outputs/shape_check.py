"""One output that meets one target, and the problem of an output that is too narrow or too wide."""

from dataclasses import dataclass

from torch import Tensor

from app.errors import Problem
from app.spec.data.columns import Column
from app.spec.training.losses import BaseLoss
from workers.network.inference.input_checks import SYMBOLIC_BATCH_SIZE, describe_shape
from workers.network.inference.partial_network import InferredNode
from workers.training.objective.losses import LOSSES, LossFunction

WIDTH_PARAMETERS = ("out_features", "out_channels")


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
        expected = describe_shape((SYMBOLIC_BATCH_SIZE, *self.target.shape))
        what = f"{self.kind} compares {describe_shape(self.output.shape)}{source}"
        return f'{what} with targets of {expected} ("{self.target.name}")'


def score_count(check: TargetShapeCheck) -> str:
    """Return how many scores an output gives, in words."""
    count = check.shape[1]
    source = check.path[0].node.id if check.path else "the output"
    return f"{source} gives {count} score{'s' if count > 1 else ''} per example"


def width_problem(check: TargetShapeCheck, detail: str, expected: int, extra: str = "") -> Problem:
    """The output is too narrow or too wide: name the layer that sets its width, if it is plain to see."""
    width = check.shape[1:2]
    for trace in check.path:
        if (trace.output.shape[-1:] if check.classes_last else trace.output.shape[1:2]) != width:
            break
        for field in WIDTH_PARAMETERS:
            if width and trace.node.parameters.get(field) == width[0]:
                pointer = f"/model{trace.node.pointer}/{field}"
                hint = f"set {field} of {trace.node.id} to {expected}{extra}"
                return Problem(pointer, "shape_mismatch", detail, hint)
    after = f" after {check.path[0].node.id}" if check.path else ""
    if not width:
        return Problem(
            check.pointer, "shape_mismatch", detail, f"give a row of {expected} numbers for every example{extra}"
        )
    if check.path and check.path[0].node.free_running is not None:  # a node behind it would score other tokens
        hint = f"let the scores in the body of {check.path[0].node.id} be {expected} wide{extra}"
        return Problem(check.pointer, "shape_mismatch", detail, hint)
    hint = f'insert {{"kind": "Linear", "out_features": {expected}}}{after}{extra}'
    return Problem(check.pointer, "shape_mismatch", detail, hint)
