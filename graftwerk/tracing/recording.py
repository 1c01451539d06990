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
Place = tuple[str, int]  # file and line; ("", 0) where there is none
NOWHERE: Place = ("", 0)
HERE = str(Path(__file__).parent)
CONTROL_FLOW = "Python decides here by a value that only the data has, so another branch cannot be seen"
CONTROL_HINT = "use torch.where, or the language's If, Route, While and Repeat, which are written as nodes"


@dataclass
class Recording:
    """What a forward did. `broke` says that it stopped before its end."""

    graph: Any
    places: dict[FxNode, Place] = field(default_factory=dict)
    scopes: dict[FxNode, str] = field(default_factory=dict)  # path of the innermost module
    obstacles: list[Obstacle] = field(default_factory=list)
    broke: bool = False

    def refuse(self, node: FxNode, detail: str, hint: str) -> None:
        """Note that a node cannot be expressed."""
        self.obstacles.append(obstacle(str(node.name), self.places.get(node, NOWHERE), detail, hint))


class _Broke(Exception):
    """The forward cannot be followed any further."""


def obstacle(name: str, place: Place, detail: str, hint: str) -> Obstacle:
    """Return an obstacle with the text of its line."""
    return Obstacle(name, *place, linecache.getline(*place).strip() if place[0] else "", detail, hint)


def record(module: Module, inputs: Sequence[str], leaves: Mapping[type, str]) -> Recording:
    """Follow the module's forward, in training and in evaluation, which must be alike but for dropout.

    Raises `CannotExpress` where the inputs do not fit forward's parameters.
    """
    fixed = _fixed(module, inputs)
    with _mode(module, training=False):
        quiet = _followed(module, fixed, leaves)
    with _mode(module, training=True):
        found = _followed(module, fixed, leaves)
    if not found.broke and not quiet.broke:
        _compare(found, quiet)
    return found


def _fixed(module: Module, inputs: Sequence[str]) -> dict[str, Any]:
    """Return the values of forward's parameters that no input is for."""
    parameters = signature(module.forward).parameters
    kinds = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    names = [name for name, parameter in parameters.items() if parameter.kind in kinds]
    takes_more = any(parameter.kind is Parameter.VAR_POSITIONAL for parameter in parameters.values())
    if len(inputs) > len(names) and not takes_more:
        detail = f"forward takes {len(names)} inputs, {len(inputs)} are named"
        raise CannotExpress([obstacle("forward", NOWHERE, detail, f"name {len(names)} of them")])
    rest = {name: parameters[name].default for name in names[len(inputs) :]}
    lacking = [name for name, default in rest.items() if default is Parameter.empty]
    if lacking:
        detail = f"forward needs {', '.join(lacking)}, and no input is named for it"
        raise CannotExpress([obstacle("forward", NOWHERE, detail, f"name {len(inputs) + len(lacking)} inputs")])
    return rest


@contextmanager
def _mode(module: Module, training: bool) -> Iterator[None]:
    """Put the module and its parts into a mode, and back into their own."""
    before = {part: part.training for part in module.modules()}
    module.train(training)
    try:
        yield
    finally:
        for part, was in before.items():
            part.training = was


def _followed(module: Module, fixed: dict[str, Any], leaves: Mapping[type, str]) -> Recording:
    recording = Recording(None)
    tracer = _tracer(leaves, recording)
    try:
        recording.graph = tracer.trace(module, concrete_args=fixed or None)
    except _Broke:
        recording.broke = True
    except Exception as error:  # what the module's own code makes of values that are not there
        recording.broke = True
        place = _raised_at(error.__traceback__)
        first = (str(error).splitlines() or [type(error).__name__])[0]
        name = type(module).__name__
        hint = "forward must work for any values, without looking at them"
        recording.obstacles.append(obstacle(name, place, f"torch.fx cannot follow this: {first}", hint))
    recording.graph = tracer.graph if recording.graph is None else recording.graph
    return recording


def _tracer(leaves: Mapping[type, str], recording: Recording) -> Any:
    """Return a tracer that stops at what the language has, and notes where Python would look at a value."""
    fx = import_module("torch.fx")
    outside = (HERE, str(Path(import_module("torch").__file__ or "").parent))

    class Recorder(fx.Tracer):  # type: ignore[misc, name-defined]
        trace_asserts = True

        def is_leaf_module(self, m: Module, module_qualified_name: str) -> bool:
            return type(m) in leaves

        def create_node(self, *args: Any, **kwargs: Any) -> FxNode:
            node = super().create_node(*args, **kwargs)
            recording.places[node] = _asked_at(currentframe(), outside)
            stack = list(self.module_stack.values())
            recording.scopes[node] = stack[-1][0] if stack else ""
            return node

        def to_bool(self, obj: Any) -> bool:
            place = self.note(obj, CONTROL_FLOW, CONTROL_HINT)
            if sum((found.file, found.line) == place for found in recording.obstacles) > 1:  # a loop has no other end
                recording.obstacles.pop()
                raise _Broke
            return True

        def iter(self, obj: Any) -> Iterator[Any]:
            self.note(obj, "a tensor has no fixed number of parts to go over", "use the language's Scan, or unbind")
            raise _Broke

        def keys(self, obj: Any) -> Any:
            self.note(obj, "what a tensor's keys are is not known", "give the inputs one by one")
            raise _Broke

        def note(self, obj: Any, detail: str, hint: str) -> Place:
            place = _asked_at(currentframe(), outside)
            recording.obstacles.append(obstacle(str(obj.node.name), place, detail, hint))
            return place

    return Recorder(param_shapes_constant=True)


def _asked_at(frame: FrameType | None, outside: tuple[str, ...]) -> Place:
    """Return the nearest line that is neither torch's nor ours, within the forward that is followed."""
    while frame is not None and frame.f_code is not _followed.__code__:
        if not frame.f_code.co_filename.startswith(outside) and not frame.f_code.co_filename.startswith("<"):
            return frame.f_code.co_filename, frame.f_lineno
        frame = frame.f_back
    return NOWHERE


def _raised_at(traceback: TracebackType | None) -> Place:
    """Return the last line of the user's own on the way to an error."""
    outside = (HERE, str(Path(import_module("torch").__file__ or "").parent))
    place = NOWHERE
    while traceback is not None:
        name = traceback.tb_frame.f_code.co_filename
        if not name.startswith(outside) and not name.startswith("<"):
            place = name, traceback.tb_lineno
        traceback = traceback.tb_next
    return place


def _compare(training: Recording, evaluation: Recording) -> None:
    """Note the first operation that differs between the modes, and every dropout that is not told by them."""
    pairs = list(zip(training.graph.nodes, evaluation.graph.nodes, strict=False))
    for node, other in pairs:
        if _form(node) != _form(other):
            detail = "training and evaluation do different things from here on, and the language has one network"
            training.refuse(node, detail, "use modules such as nn.Dropout, which know both")
            return
        if node.kwargs.get("training") is True and other.kwargs.get("training") is True:
            detail = "this draws random numbers in evaluation too, and the language draws them while training only"
            training.refuse(node, detail, "pass training=self.training")


def _form(node: FxNode) -> tuple[str, str, str]:
    told = {name: value for name, value in node.kwargs.items() if name != "training"}
    return node.op, str(node.target), f"{node.args} {told}"
