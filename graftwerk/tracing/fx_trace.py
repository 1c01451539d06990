"""A module's forward, recorded once by torch.fx: its operations, and the user's line of each."""

import linecache
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from inspect import Parameter, currentframe, signature
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from graftwerk.errors import CannotExpress, Obstacle

Module = Any  # torch.nn.Module
FxNode = Any  # torch.fx.Node
SourceLocation = tuple[str, int]  # file and line; ("", 0) where there is none
UNKNOWN_LOCATION: SourceLocation = ("", 0)
TRACING_FOLDER = str(Path(__file__).parent)
CONTROL_FLOW = "Python decides here by a value that only the data has, so another branch cannot be seen"
CONTROL_HINT = "use torch.where, or the language's If, Route, While and Repeat, which are written as nodes"


@dataclass
class SymbolicTrace:
    """What a forward did. `broke` says that it stopped before its end."""

    graph: Any
    locations: dict[FxNode, SourceLocation] = field(default_factory=dict)
    scopes: dict[FxNode, str] = field(default_factory=dict)  # path of the innermost module
    obstacles: list[Obstacle] = field(default_factory=list)
    is_incomplete: bool = False

    def add_obstacle(self, node: FxNode, detail: str, hint: str) -> None:
        """Note that a node cannot be expressed."""
        self.obstacles.append(make_obstacle(str(node.name), self.locations.get(node, UNKNOWN_LOCATION), detail, hint))


class _TraceAborted(Exception):
    """The forward cannot be followed any further."""


def make_obstacle(name: str, place: SourceLocation, detail: str, hint: str) -> Obstacle:
    """Return an obstacle with the text of its line."""
    return Obstacle(name, *place, linecache.getline(*place).strip() if place[0] else "", detail, hint)


def symbolic_trace(module: Module, inputs: Sequence[str], leaves: Mapping[type, str]) -> SymbolicTrace:
    """Follow the module's forward, in training and in evaluation, which must be alike but for dropout.

    Raises `CannotExpress` where the inputs do not fit forward's parameters.
    """
    fixed = _default_arguments(module, inputs)
    with _training_mode(module, training=False):
        quiet = _trace_forward(module, fixed, leaves)
    with _training_mode(module, training=True):
        found = _trace_forward(module, fixed, leaves)
    if not found.is_incomplete and not quiet.is_incomplete:
        _compare_modes(found, quiet)
    return found


def _default_arguments(module: Module, inputs: Sequence[str]) -> dict[str, Any]:
    """Return the values of forward's parameters that no input is for."""
    parameters = signature(module.forward).parameters
    kinds = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    names = [name for name, parameter in parameters.items() if parameter.kind in kinds]
    takes_more = any(parameter.kind is Parameter.VAR_POSITIONAL for parameter in parameters.values())
    if len(inputs) > len(names) and not takes_more:
        detail = f"forward takes {len(names)} inputs, {len(inputs)} are named"
        raise CannotExpress([make_obstacle("forward", UNKNOWN_LOCATION, detail, f"name {len(names)} of them")])
    rest = {name: parameters[name].default for name in names[len(inputs) :]}
    lacking = [name for name, default in rest.items() if default is Parameter.empty]
    if lacking:
        detail = f"forward needs {', '.join(lacking)}, and no input is named for it"
        raise CannotExpress(
            [make_obstacle("forward", UNKNOWN_LOCATION, detail, f"name {len(inputs) + len(lacking)} inputs")]
        )
    return rest


@contextmanager
def _training_mode(module: Module, training: bool) -> Iterator[None]:
    """Put the module and its parts into a mode, and back into their own."""
    before = {part: part.training for part in module.modules()}
    module.train(training)
    try:
        yield
    finally:
        for part, was in before.items():
            part.training = was


def _trace_forward(module: Module, fixed: dict[str, Any], leaves: Mapping[type, str]) -> SymbolicTrace:
    recording = SymbolicTrace(None)
    tracer = _tracer(leaves, recording)
    try:
        recording.graph = tracer.trace(module, concrete_args=fixed or None)
    except _TraceAborted:
        recording.is_incomplete = True
    except Exception as error:  # what the module's own code makes of values that are not there
        recording.is_incomplete = True
        place = _error_location(error.__traceback__)
        first = (str(error).splitlines() or [type(error).__name__])[0]
        name = type(module).__name__
        hint = "forward must work for any values, without looking at them"
        recording.obstacles.append(make_obstacle(name, place, f"torch.fx cannot follow this: {first}", hint))
    recording.graph = tracer.graph if recording.graph is None else recording.graph
    return recording


def _tracer(leaves: Mapping[type, str], recording: SymbolicTrace) -> Any:
    """Return a tracer that stops at what the language has, and notes where Python would look at a value."""
    fx = import_module("torch.fx")
    outside = (TRACING_FOLDER, str(Path(import_module("torch").__file__ or "").parent))

    class Recorder(fx.Tracer):  # type: ignore[misc, name-defined]
        trace_asserts = True

        def is_leaf_module(self, m: Module, module_qualified_name: str) -> bool:
            return type(m) in leaves

        def create_node(self, *args: Any, **kwargs: Any) -> FxNode:
            node = super().create_node(*args, **kwargs)
            recording.locations[node] = _caller_location(currentframe(), outside)
            stack = list(self.module_stack.values())
            recording.scopes[node] = stack[-1][0] if stack else ""
            return node

        def to_bool(self, obj: Any) -> bool:
            place = self.add_obstacle(obj, CONTROL_FLOW, CONTROL_HINT)
            if sum((found.file, found.line) == place for found in recording.obstacles) > 1:  # a loop has no other end
                recording.obstacles.pop()
                raise _TraceAborted
            return True

        def iter(self, obj: Any) -> Iterator[Any]:
            self.add_obstacle(
                obj, "a tensor has no fixed number of parts to go over", "use the language's Scan, or unbind"
            )
            raise _TraceAborted

        def keys(self, obj: Any) -> Any:
            self.add_obstacle(obj, "what a tensor's keys are is not known", "give the inputs one by one")
            raise _TraceAborted

        def add_obstacle(self, obj: Any, detail: str, hint: str) -> SourceLocation:
            place = _caller_location(currentframe(), outside)
            recording.obstacles.append(make_obstacle(str(obj.node.name), place, detail, hint))
            return place

    return Recorder(param_shapes_constant=True)


def _caller_location(frame: FrameType | None, outside: tuple[str, ...]) -> SourceLocation:
    """Return the nearest line that is neither torch's nor ours, within the forward that is followed."""
    while frame is not None and frame.f_code is not _trace_forward.__code__:
        if not frame.f_code.co_filename.startswith(outside) and not frame.f_code.co_filename.startswith("<"):
            return frame.f_code.co_filename, frame.f_lineno
        frame = frame.f_back
    return UNKNOWN_LOCATION


def _error_location(traceback: TracebackType | None) -> SourceLocation:
    """Return the last line of the user's own on the way to an error."""
    outside = (TRACING_FOLDER, str(Path(import_module("torch").__file__ or "").parent))
    place = UNKNOWN_LOCATION
    while traceback is not None:
        name = traceback.tb_frame.f_code.co_filename
        if not name.startswith(outside) and not name.startswith("<"):
            place = name, traceback.tb_lineno
        traceback = traceback.tb_next
    return place


def _compare_modes(training: SymbolicTrace, evaluation: SymbolicTrace) -> None:
    """Note the first operation that differs between the modes, and every dropout that is not told by them."""
    pairs = list(zip(training.graph.nodes, evaluation.graph.nodes, strict=False))
    for node, other in pairs:
        if _node_signature(node) != _node_signature(other):
            detail = "training and evaluation do different things from here on, and the language has one network"
            training.add_obstacle(node, detail, "use modules such as nn.Dropout, which know both")
            return
        if node.kwargs.get("training") is True and other.kwargs.get("training") is True:
            detail = "this draws random numbers in evaluation too, and the language draws them while training only"
            training.add_obstacle(node, detail, "pass training=self.training")


def _node_signature(node: FxNode) -> tuple[str, str, str]:
    told = {name: value for name, value in node.kwargs.items() if name != "training"}
    return node.op, str(node.target), f"{node.args} {told}"
