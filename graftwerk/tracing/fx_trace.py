"""A module's forward, traced by torch.fx: its operations, and the line of user code of each."""

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
SourceLocation = tuple[str, int]  # file and line; ("", 0) if there is none
UNKNOWN_LOCATION: SourceLocation = ("", 0)
TRACING_FOLDER = str(Path(__file__).parent)
CONTROL_FLOW = "Python branches here on a tensor's value, so only one branch can be traced"
CONTROL_HINT = "use torch.where, or the nodes If, Route, While and Repeat of the language"


@dataclass
class SymbolicTrace:
    """A traced forward. `is_incomplete`: the trace ended early."""

    graph: Any
    locations: dict[FxNode, SourceLocation] = field(default_factory=dict)
    scopes: dict[FxNode, str] = field(default_factory=dict)  # path of the innermost module
    obstacles: list[Obstacle] = field(default_factory=list)
    is_incomplete: bool = False

    def add_obstacle(self, node: FxNode, detail: str, hint: str) -> None:
        """Record that a node cannot be expressed."""
        self.obstacles.append(make_obstacle(str(node.name), self.locations.get(node, UNKNOWN_LOCATION), detail, hint))


class _TraceAborted(Exception):
    """The trace cannot go on."""


def make_obstacle(name: str, location: SourceLocation, detail: str, hint: str) -> Obstacle:
    """Return an obstacle with the source line of its location."""
    return Obstacle(name, *location, linecache.getline(*location).strip() if location[0] else "", detail, hint)


def symbolic_trace(module: Module, inputs: Sequence[str], leaves: Mapping[type, str]) -> SymbolicTrace:
    """Trace the module's forward in training and evaluation mode, which may differ only in dropout.

    Raises `CannotExpress` if the inputs do not fit forward's parameters.
    """
    fixed = _default_arguments(module, inputs)
    with _training_mode(module, training=False):
        evaluation = _trace_forward(module, fixed, leaves)
    with _training_mode(module, training=True):
        training = _trace_forward(module, fixed, leaves)
    if not training.is_incomplete and not evaluation.is_incomplete:
        _compare_modes(training, evaluation)
    return training


def _default_arguments(module: Module, inputs: Sequence[str]) -> dict[str, Any]:
    """Return the defaults of the parameters of forward that have no input. Raises `CannotExpress`."""
    parameters = signature(module.forward).parameters
    kinds = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    names = [name for name, parameter in parameters.items() if parameter.kind in kinds]
    takes_more = any(parameter.kind is Parameter.VAR_POSITIONAL for parameter in parameters.values())
    if len(inputs) > len(names) and not takes_more:
        detail = f"forward takes {len(names)} inputs, but {len(inputs)} are named"
        raise CannotExpress([make_obstacle("forward", UNKNOWN_LOCATION, detail, f"name {len(names)} of them")])
    rest = {name: parameters[name].default for name in names[len(inputs) :]}
    missing = [name for name, default in rest.items() if default is Parameter.empty]
    if missing:
        detail = f"forward needs {', '.join(missing)}, but no input is named for it"
        raise CannotExpress(
            [make_obstacle("forward", UNKNOWN_LOCATION, detail, f"name {len(inputs) + len(missing)} inputs")]
        )
    return rest


@contextmanager
def _training_mode(module: Module, training: bool) -> Iterator[None]:
    """Switch the module and its submodules to a mode, and back afterwards."""
    before = {part: part.training for part in module.modules()}
    module.train(training)
    try:
        yield
    finally:
        for part, mode in before.items():
            part.training = mode


def _trace_forward(module: Module, fixed: dict[str, Any], leaves: Mapping[type, str]) -> SymbolicTrace:
    recording = SymbolicTrace(None)
    tracer = _tracer(leaves, recording)
    try:
        recording.graph = tracer.trace(module, concrete_args=fixed or None)
    except _TraceAborted:
        recording.is_incomplete = True
    except Exception as error:  # raised by the module's own code on proxies
        recording.is_incomplete = True
        location = _error_location(error.__traceback__)
        message = (str(error).splitlines() or [type(error).__name__])[0]
        name = type(module).__name__
        hint = "forward must not depend on the values of tensors"
        recording.obstacles.append(make_obstacle(name, location, f"torch.fx cannot trace this: {message}", hint))
    recording.graph = tracer.graph if recording.graph is None else recording.graph
    return recording


def _tracer(leaves: Mapping[type, str], recording: SymbolicTrace) -> Any:
    """Return a tracer whose leaves are the language's modules, and that records where Python reads a tensor's value."""
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
            location = self.add_obstacle(obj, CONTROL_FLOW, CONTROL_HINT)
            # A `while` would never end: stop at the second visit of its line.
            if sum((each.file, each.line) == location for each in recording.obstacles) > 1:
                recording.obstacles.pop()
                raise _TraceAborted
            return True

        def iter(self, obj: Any) -> Iterator[Any]:
            self.add_obstacle(obj, "a tensor of unknown size cannot be iterated", "use the language's Scan, or unbind")
            raise _TraceAborted

        def keys(self, obj: Any) -> Any:
            self.add_obstacle(obj, "the keys of an input are not known", "pass the inputs one by one")
            raise _TraceAborted

        def add_obstacle(self, obj: Any, detail: str, hint: str) -> SourceLocation:
            location = _caller_location(currentframe(), outside)
            recording.obstacles.append(make_obstacle(str(obj.node.name), location, detail, hint))
            return location

    return Recorder(param_shapes_constant=True)


def _caller_location(frame: FrameType | None, outside: tuple[str, ...]) -> SourceLocation:
    """Return the innermost line within the traced forward that belongs neither to torch nor to this package."""
    while frame is not None and frame.f_code is not _trace_forward.__code__:
        if not frame.f_code.co_filename.startswith(outside) and not frame.f_code.co_filename.startswith("<"):
            return frame.f_code.co_filename, frame.f_lineno
        frame = frame.f_back
    return UNKNOWN_LOCATION


def _error_location(traceback: TracebackType | None) -> SourceLocation:
    """Return the innermost line of user code in a traceback."""
    outside = (TRACING_FOLDER, str(Path(import_module("torch").__file__ or "").parent))
    location = UNKNOWN_LOCATION
    while traceback is not None:
        name = traceback.tb_frame.f_code.co_filename
        if not name.startswith(outside) and not name.startswith("<"):
            location = name, traceback.tb_lineno
        traceback = traceback.tb_next
    return location


def _compare_modes(training: SymbolicTrace, evaluation: SymbolicTrace) -> None:
    """Record the first operation that differs between the modes, and every dropout that ignores the mode."""
    pairs = list(zip(training.graph.nodes, evaluation.graph.nodes, strict=False))
    for node, other in pairs:
        if _node_signature(node) != _node_signature(other):
            detail = "training and evaluation differ from here on, but a spec has one network"
            training.add_obstacle(node, detail, "use modules such as nn.Dropout, which depend on the mode")
            return
        if node.kwargs.get("training") is True and other.kwargs.get("training") is True:
            detail = "this samples in evaluation too, but the language samples in training only"
            training.add_obstacle(node, detail, "pass training=self.training")


def _node_signature(node: FxNode) -> tuple[str, str, str]:
    options = {name: value for name, value in node.kwargs.items() if name != "training"}
    return node.op, str(node.target), f"{node.args} {options}"
