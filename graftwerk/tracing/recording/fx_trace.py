"""A module's forward, traced by torch.fx: its operations, and the line of user code of each."""

import ast
import inspect
import linecache
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, wraps
from importlib import import_module
from inspect import Parameter, currentframe, signature
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from graftwerk.errors import CannotExpress
from graftwerk.tracing.recording.example_inputs import ExampleInputs
from graftwerk.tracing.recording.module_state import preserve_attributes, python_random_state, training_mode
from graftwerk.tracing.recording.node_values import NodeRunner
from graftwerk.tracing.recording.proxies import proxy_class
from graftwerk.tracing.recording.symbolic_trace import (
    UNKNOWN_LOCATION,
    Dependence,
    FxNode,
    SourceLocation,
    SymbolicTrace,
    make_obstacle,
)

Module = Any  # torch.nn.Module
TRACING_FOLDER = str(Path(__file__).parent.parent)
PYTHON_RANDOM = "forward draws random numbers of Python or numpy, which a network of the language cannot"
CONTROL_FLOW = "Python branches here on a tensor's value, so only one branch can be traced"
CONTROL_HINT = "use torch.where, or the nodes If, Route, While and Repeat of the language"
SIZE_BRANCH = "Python branches here on a size that differs between inputs"
SIZE_HINT = "pass examples=(…) to trace, inputs of the sizes of your data, which are then the only ones"
# Functions that make tensors: recorded if a size is one that differs, or if they draw random numbers.
FACTORIES = ("arange", "zeros", "ones", "full", "empty", "linspace", "eye", "tril_indices", "triu_indices")
PACKING = ("pack_padded_sequence", "pad_packed_sequence")
RANDOM_FACTORIES = ("rand", "randn", "randint", "randperm", "normal", "bernoulli", "multinomial")


class _TraceAborted(Exception):
    """The trace cannot go on."""


def symbolic_trace(
    module: Module, inputs: Sequence[str], leaves: Mapping[type, str], examples: ExampleInputs
) -> SymbolicTrace:
    """Trace the module's forward in training and evaluation mode, which may differ only in dropout.

    Raises `CannotExpress` if the inputs do not fit forward's parameters.
    """
    fixed = default_arguments(module, inputs)
    # What forward assigns to its module, and the constants that torch.fx stores there, are of one trace.
    with preserve_attributes(module), training_mode(module, training=False):
        evaluation = _trace_forward(module, fixed, leaves, examples)
    with preserve_attributes(module), training_mode(module, training=True):
        training = _trace_forward(module, fixed, leaves, examples)
    if not (training.is_incomplete or evaluation.is_incomplete or training.obstacles):
        _compare_modes(training, evaluation)
    return training


def default_arguments(module: Module, inputs: Sequence[str]) -> dict[str, Any]:
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


def _trace_forward(
    module: Module, fixed: dict[str, Any], leaves: Mapping[type, str], examples: ExampleInputs
) -> SymbolicTrace:
    recording = SymbolicTrace(None)
    runner = NodeRunner(module, recording, examples, list(fixed.values()))
    tracer, random_state = _tracer(leaves, recording, runner), python_random_state()
    try:
        with _recorded_factories(tracer):
            recording.graph = tracer.trace(module, concrete_args=fixed or None)
    except _TraceAborted:
        recording.is_incomplete = True
    except Exception as error:  # raised by the module's own code on proxies
        recording.is_incomplete = True
        location = error_location(error.__traceback__)
        message = (str(error).splitlines() or [type(error).__name__])[0]
        name = type(module).__name__
        on_size = any(words in message for words in ("as an integer", "must be int", "__index__", "real number"))
        hint = SIZE_HINT if on_size else "forward must not depend on the values of tensors"
        recording.obstacles.append(make_obstacle(name, location, f"torch.fx cannot trace this: {message}", hint))
    if python_random_state() != random_state:
        code = getattr(type(module).forward, "__code__", None)
        location = (code.co_filename, code.co_firstlineno) if code is not None else UNKNOWN_LOCATION
        hint = "use torch.rand_like or nn.Dropout"
        recording.obstacles.append(make_obstacle(type(module).__name__, location, PYTHON_RANDOM, hint))
    recording.graph = tracer.graph if recording.graph is None else recording.graph
    return recording


@contextmanager
def _recorded_factories(tracer: Any) -> Iterator[None]:
    """Let torch's functions that make tensors be recorded where they depend on a proxy, or are random."""
    torch, rnn = import_module("torch"), import_module("torch.nn.utils.rnn")
    before = {(torch, name): getattr(torch, name) for name in (*FACTORIES, *RANDOM_FACTORIES)}
    before |= {(rnn, name): getattr(rnn, name) for name in PACKING}
    for (owner, name), function in before.items():
        setattr(owner, name, _recorded(tracer, function, always=name in RANDOM_FACTORIES))
    try:
        yield
    finally:
        for (owner, name), function in before.items():
            setattr(owner, name, function)


def _recorded(tracer: Any, function: Callable[..., Any], always: bool) -> Callable[..., Any]:
    fx = import_module("torch.fx")

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        found: list[Any] = []
        fx.node.map_aggregate((args, kwargs), lambda each: found.append(each) if isinstance(each, fx.Proxy) else None)
        if tracer.runner.is_running or not (always or found):
            return function(*args, **kwargs)
        return tracer.create_proxy("call_function", function, args, kwargs)

    return call


def _is_leaf(part: Module, leaves: Mapping[type, str]) -> bool:
    """Return whether a module is one of the language, used as torch made it."""
    hooks = part._forward_hooks or part._forward_pre_hooks
    return type(part) in leaves and not hooks and "forward" not in vars(part)


def _tracer(leaves: Mapping[type, str], recording: SymbolicTrace, node_runner: NodeRunner) -> Any:
    """Return a tracer whose leaves are the language's modules, and that records where Python reads a tensor's value."""
    fx = import_module("torch.fx")
    outside = (TRACING_FOLDER, str(Path(import_module("torch").__file__ or "").parent) + os.sep)
    make_proxy = proxy_class(recording)

    class Recorder(fx.Tracer):  # type: ignore[misc, name-defined]
        trace_asserts = True
        proxy_buffer_attributes = True
        runner = node_runner

        def is_leaf_module(self, m: Module, module_qualified_name: str) -> bool:
            return _is_leaf(m, leaves)

        def proxy(self, node: FxNode) -> Any:
            return make_proxy(node, self)

        def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, Any]) -> Any:
            if self.runner.is_running:
                return attr_val
            return super().getattr(attr, attr_val, parameter_proxy_cache)

        def call_module(self, m: Module, forward: Any, args: Any, kwargs: Any) -> Any:
            if self.runner.is_running:
                return forward(*args, **kwargs)
            return super().call_module(m, forward, args, kwargs)

        def create_arg(self, a: Any) -> Any:
            return a.node if type(a) is make_proxy else super().create_arg(a)

        def create_node(self, *args: Any, **kwargs: Any) -> FxNode:
            node = super().create_node(*args, **kwargs)
            recording.locations[node] = _caller_location(currentframe(), outside)
            stack = list(self.module_stack.values())
            recording.scopes[node] = stack[-1][0] if stack else ""
            self.runner.run(node)
            return node

        def to_bool(self, obj: Any) -> bool:
            values, dependence = recording.values[obj.node], recording.dependence(obj.node)
            location = _caller_location(currentframe(), outside)
            if dependence is not Dependence.DATA and all(isinstance(value, bool | int) for value in values):
                if len(set(map(bool, values))) == 1 and (
                    dependence is Dependence.CONSTANT or _is_equality(obj.node) or _is_check(location)
                ):
                    return bool(values[0])
                recording.obstacles.append(make_obstacle(str(obj.node.name), location, SIZE_BRANCH, SIZE_HINT))
                raise _TraceAborted
            if dependence is Dependence.CONSTANT:
                return bool(values[0])
            self.add_obstacle(obj, CONTROL_FLOW, CONTROL_HINT)
            # A `while` would never end: stop at the second visit of its line.
            if sum((each.file, each.line) == location for each in recording.obstacles) > 1:
                recording.obstacles.pop()
                raise _TraceAborted
            return True

        def iter(self, obj: Any) -> Iterator[Any]:
            lengths = {len(value) for value in recording.values[obj.node] if _has_length(value)}
            if len(lengths) == 1:
                return iter([self.unpacked(obj[place]) for place in range(lengths.pop())])
            self.add_obstacle(obj, "a tensor of unknown size cannot be iterated", "use the language's Scan, or unbind")
            raise _TraceAborted

        def unpacked(self, obj: Any) -> Any:
            value = recording.values[obj.node][0]
            return tuple(self.iter(obj)) if type(value) is tuple else obj

        def keys(self, obj: Any) -> Any:
            self.add_obstacle(obj, "the keys of an input are not known", "pass the inputs one by one")
            raise _TraceAborted

        def add_obstacle(self, obj: Any, detail: str, hint: str) -> None:
            location = _caller_location(currentframe(), outside)
            recording.obstacles.append(make_obstacle(str(obj.node.name), location, detail, hint))

    rnn = import_module("torch.nn.utils.rnn")
    return Recorder(autowrap_functions=tuple(inspect.unwrap(getattr(rnn, name)) for name in PACKING))


def _has_length(value: Any) -> bool:
    return isinstance(value, tuple | list) or (isinstance(value, import_module("torch").Tensor) and value.dim() > 0)


def _is_equality(node: FxNode) -> bool:
    """Return whether a node compares two sizes for equality, which holds for structural reasons."""
    return getattr(node.target, "__name__", "") in ("eq", "ne")


@cache
def _checks(file: str) -> frozenset[int]:
    """Return the lines of a file's asserts, and of `if` statements that only raise."""
    lines: set[int] = set()
    try:
        tree = ast.parse("".join(linecache.getlines(file)))
    except SyntaxError:
        return frozenset()
    for node in ast.walk(tree):
        if isinstance(node, ast.Assert):
            lines |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
        elif isinstance(node, ast.If) and all(isinstance(each, ast.Raise) for each in node.body) and not node.orelse:
            lines |= set(range(node.lineno, (node.test.end_lineno or node.lineno) + 1))
    return frozenset(lines)


def _is_check(location: SourceLocation) -> bool:
    return location[1] in _checks(location[0])


def _caller_location(frame: FrameType | None, outside: tuple[str, ...]) -> SourceLocation:
    """Return the innermost line within the traced forward that belongs neither to torch nor to this package."""
    while frame is not None and frame.f_code is not _trace_forward.__code__:
        if not frame.f_code.co_filename.startswith(outside) and not frame.f_code.co_filename.startswith("<"):
            return frame.f_code.co_filename, frame.f_lineno
        frame = frame.f_back
    return UNKNOWN_LOCATION


def error_location(traceback: TracebackType | None) -> SourceLocation:
    """Return the innermost line of user code in a traceback."""
    outside = (TRACING_FOLDER, str(Path(import_module("torch").__file__ or "").parent) + os.sep)
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
        if node.kwargs.get("dropout_p") and other.kwargs.get("dropout_p"):
            detail = "this drops attention in evaluation too, but the language drops in training only"
            training.add_obstacle(node, detail, "pass dropout_p=P if self.training else 0.0")


def _node_signature(node: FxNode) -> tuple[str, str, str]:
    options = {name: value for name, value in node.kwargs.items() if name not in ("training", "dropout_p")}
    args = node.args
    if getattr(node.target, "__name__", "") == "stochastic_depth":
        args, options = node.args[:3], {name: value for name, value in options.items() if name != "training"}
    return node.op, str(node.target), f"{args} {options}"
