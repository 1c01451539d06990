"""Whether the outputs by which a network acts fit its environment: what they read, their shapes and their types."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

from torch import Tensor, int64

from app.errors import Problem
from app.spec.data.environments.checks import named_outputs
from app.spec.data.environments.environment import OBSERVATION, EnvironmentData
from app.spec.data.environments.spaces import BoxSpace, DiscreteSpace
from workers.network.inference.input_checks import SYMBOLIC_BATCH_SIZE, describe_shape, describe_tensor
from workers.network.inference.partial_network import InferredNode, PartialNetwork
from workers.training.validation.outputs.shape_check import WIDTH_PARAMETERS

ACTIONS = frozenset({"/data/action", "/data/behaviour"})  # pointers of outputs that are done; the others are numbers


@dataclass(frozen=True, slots=True)
class ActingOutput:
    """An output that the data section names, on the meta device."""

    pointer: str  # of its name
    name: str
    source: str  # the node, or the output of a node
    value: Tensor
    traces: dict[str, InferredNode]  # of the network, by the names under which others read them

    @property
    def place(self) -> str:
        """The pointer of the node that gives it."""
        trace = self.traces.get(self.source)
        return f"/model{trace.node.pointer}" if trace is not None else self.pointer

    def problem(self, code: str, detail: str, hint: str, place: str = "") -> Problem:
        """Return a problem of the output, at its node unless another place is given."""
        return Problem(place or self.place, code, detail, hint)


def acting_problems(data: EnvironmentData, draft: PartialNetwork) -> Iterator[Problem]:
    """Yield why outputs cannot be acted by; none of outputs that do not exist, or whose nodes have problems."""
    traces = {name: trace for trace in draft.nodes for name in trace.named_outputs()}
    for pointer, name, _ in named_outputs(data):
        source = draft.blueprint.outputs.get(name)
        if source is None or source not in draft.values:
            continue
        output = ActingOutput(pointer, name, source, draft.values[source], traces)
        if (unseen := _unseen_problem(output, draft)) is not None:
            yield unseen
        elif pointer not in ACTIONS:
            yield from _number_problems(output)
        elif isinstance(data.action_space, DiscreteSpace):
            yield from _class_problems(output, data.action_space)
        else:
            yield from _box_problems(output, data.action_space)


def columns_read(source: str, draft: PartialNetwork) -> dict[str, InferredNode | None]:
    """Return the columns that a node depends on, each with the node that reads it: `None` for the column itself."""
    traces = {name: trace for trace in draft.nodes for name in trace.named_outputs()}
    found: dict[str, InferredNode | None] = {}
    pending: list[tuple[str, InferredNode | None]] = [(source, None)]
    visited: set[str] = set()
    while pending:
        name, reader = pending.pop()
        if name in visited:
            continue
        visited.add(name)
        if (trace := traces.get(name)) is not None:
            pending += [(each, trace) for each in trace.node.inputs]
        else:
            found[name] = reader
    return found


def _unseen_problem(output: ActingOutput, draft: PartialNetwork) -> Problem | None:
    """Return the problem of an output that depends on what is not there before the action is done."""
    for column, reader in columns_read(output.source, draft).items():
        if column != OBSERVATION:
            through = f" through {reader.node.id}" if reader is not None else ""
            place = f"/model{reader.node.pointer}" if reader is not None else output.pointer
            detail = (
                f'{output.name} depends on "{column}"{through}, and before an action there is the observation alone'
            )
            return Problem(place, "unseen_column", detail, f"let {output.name} read observation alone")
    return None


def _number_problems(output: ActingOutput) -> Iterator[Problem]:
    """An output that is a number for each observation: float32 (N, 1) or (N)."""
    if not output.value.is_floating_point():
        detail = f"{output.name} gives {describe_tensor(output.value)}, and a number is expected"
        yield output.problem("dtype_mismatch", detail, 'insert {"kind": "to", "dtype": "float32"} after it')
    elif tuple(output.value.shape) not in ((SYMBOLIC_BATCH_SIZE,), (SYMBOLIC_BATCH_SIZE, 1)):
        detail = f"{output.name} gives {describe_shape(output.value.shape)}, and one number per example is expected"
        inner = list(range(1, output.value.ndim))
        hint = f'insert {{"kind": "mean", "dim": {inner}}} after it, or a sum' if inner else "keep dimension 0"
        yield output.problem("shape_mismatch", detail, hint)


def _box_problems(output: ActingOutput, space: BoxSpace) -> Iterator[Problem]:
    """An action of numbers: float32 (N, *shape)."""
    expected, shape = (SYMBOLIC_BATCH_SIZE, *space.shape), tuple(output.value.shape)
    takes = f"the environment takes {describe_shape(expected)} of float32"
    detail = f"{output.name} gives {describe_tensor(output.value)}, and {takes}"
    if not output.value.is_floating_point():
        yield output.problem("dtype_mismatch", detail, f"let {output.name} be an output of float32")
    elif shape == expected:
        return
    elif len(shape) == len(expected) and shape[:-1] == expected[:-1]:
        yield _width_problem(output, output.source, detail, space.shape[-1])
    elif shape[:1] == expected[:1] and prod(shape[1:]) == prod(expected[1:]):
        layer = '"unsqueeze", "dim": 1' if len(shape) == 1 else f'"reshape", "shape": {list(space.shape)}'
        yield output.problem("shape_mismatch", detail, f'insert {{"kind": {layer}}} after {output.source}')
    else:
        hint = f'insert {{"kind": "Linear", "out_features": {prod(space.shape)}}} after {output.source}'
        yield output.problem("shape_mismatch", detail, hint)


def _class_problems(output: ActingOutput, space: DiscreteSpace) -> Iterator[Problem]:
    """An action that is one of several values: int64 (N)."""
    value, shape = output.value, tuple(output.value.shape)
    takes = f"the environment takes one number from 0 to {space.n - 1} per example, int64"
    detail = f"{output.name} gives {describe_tensor(value)}, and {takes}"
    if value.is_floating_point():
        yield _score_problem(output, detail, space)
    elif shape != (SYMBOLIC_BATCH_SIZE,):
        is_row = shape == (SYMBOLIC_BATCH_SIZE, 1)
        hint = f'insert {{"kind": "squeeze", "dim": 1}} after {output.source}' if is_row else "give one per example"
        yield output.problem("shape_mismatch", detail, hint)
    elif value.dtype != int64:
        hint = f'insert {{"kind": "to", "dtype": "int64"}} after {output.source}'
        yield output.problem("dtype_mismatch", detail, hint)
    elif (trace := output.traces.get(output.source)) is not None and trace.node.kind == "argmax":
        scores = trace.inputs[0].shape[trace.node.parameters.get("dim") or 0]
        if trace.inputs[0].ndim > 1 and scores != space.n:
            detail = f"{output.name} chooses among {scores} scores, and the environment has {space.n} actions"
            yield _width_problem(output, trace.node.inputs[0], detail, space.n)


def _score_problem(output: ActingOutput, detail: str, space: DiscreteSpace) -> Problem:
    """Scores where the number of a class is expected."""
    width = output.value.shape[1] if output.value.ndim == 2 else None
    choose = f'insert {{"kind": "argmax", "dim": 1}} after {output.source}'
    if width == space.n:
        return output.problem("dtype_mismatch", detail, f"{choose}: the value with the largest score")
    if width is None:
        return output.problem("dtype_mismatch", detail, f"give {space.n} scores per example, and {choose}")
    narrow = _width_problem(output, output.source, detail, space.n)
    return Problem(narrow.pointer, "dtype_mismatch", detail, f"{narrow.hint}, and {choose}")


def _width_problem(output: ActingOutput, source: str, detail: str, expected: int) -> Problem:
    """Return the problem of an output that is too narrow or too wide, at the layer that sets its width."""
    value = output.traces[source].named_outputs()[source] if source in output.traces else output.value
    found = _layer_of_width(output.traces, source, value.shape[-1])
    if found is None:
        hint = f'insert {{"kind": "Linear", "out_features": {expected}}} after {source}'
        return output.problem("shape_mismatch", detail, hint)
    layer, field = found
    hint = f"set {field} of {layer.node.id} to {expected}"
    return output.problem("shape_mismatch", detail, hint, f"/model{layer.node.pointer}/{field}")


def _layer_of_width(traces: dict[str, InferredNode], source: str, width: int) -> tuple[InferredNode, str] | None:
    """Return the layer that sets the width of a value, and its setting: back through nodes that keep it, and blocks."""
    visited: set[str] = set()
    while (trace := traces.get(source)) is not None and source not in visited:
        visited.add(source)
        for field in WIDTH_PARAMETERS:
            if trace.node.parameters.get(field) == width:
                return trace, field
        if trace.bodies:
            inner = next(iter(trace.bodies.values())).network
            outputs, position = inner.blueprint.outputs, list(trace.named_outputs()).index(source)
            names = list(outputs.values())
            body = {name: each for each in inner.nodes for name in each.named_outputs()}
            return _layer_of_width(body, names[max(0, position - 1)], width)
        inputs = zip(trace.node.inputs, trace.inputs, strict=False)
        source = next((name for name, value in inputs if tuple(value.shape[-1:]) == (width,)), "")
    return None
