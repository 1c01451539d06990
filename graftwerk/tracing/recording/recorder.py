"""The tracer: the language's modules are its leaves, and it records where Python reads a tensor's value."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from inspect import currentframe, unwrap
from types import CodeType, FrameType
from typing import Any

from graftwerk.tracing.recording.factories import PACKING
from graftwerk.tracing.recording.locations import caller_location, is_check, library_folders
from graftwerk.tracing.recording.node_values import NodeRunner
from graftwerk.tracing.recording.proxies import proxy_class
from graftwerk.tracing.recording.symbolic_trace import Dependence, FxNode, SymbolicTrace, make_obstacle

Module = Any  # torch.nn.Module
CONTROL_FLOW = "Python branches here on a tensor's value, so only one branch can be traced"
CONTROL_HINT = "use torch.where, or the nodes If, Route, While and Repeat of the language"
AUTOCAST = "this is computed in another precision by torch.autocast"
AUTOCAST_HINT = "leave autocast out of forward, and give the job's training a precision"
SIZE_BRANCH = "Python branches here on a size that differs between inputs"
SIZE_HINT = "pass examples=(…) to trace, inputs of the sizes of your data, which are then the only ones"

MODE_HINT = "leave the modes to train() and eval() of the whole module"
MODE_KINDS = frozenset(
    f"{name}{suffix}" for name in ("Dropout", "BatchNorm", "AlphaDropout", "RReLU") for suffix in ("", "1d", "2d", "3d")
)


class TraceAborted(Exception):
    """The trace cannot go on."""


class _RecorderMethods:
    """What the tracer does otherwise than `torch.fx.Tracer`. `outermost`: the code of the function that traces."""

    trace_asserts = True
    proxy_buffer_attributes = True
    root: Module
    recording: SymbolicTrace
    runner: NodeRunner
    leaves: Mapping[type, str]
    proxy_type: type
    outermost: CodeType | None
    keeps_gradients: bool
    module_stack: Mapping[str, tuple[str, Any]]

    def is_leaf_module(self, m: Module, module_qualified_name: str) -> bool:
        return _is_leaf(m, self.leaves)

    def proxy(self, node: FxNode) -> Any:
        return self.proxy_type(node, self)

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, Any]) -> Any:
        if self.runner.is_running:
            return attr_val
        return super().getattr(attr, attr_val, parameter_proxy_cache)  # type: ignore[misc]

    def call_module(self, m: Module, forward: Any, args: Any, kwargs: Any) -> Any:
        if self.runner.is_running:
            return forward(*args, **kwargs)
        self._check_mode(m)
        return super().call_module(m, forward, args, kwargs)  # type: ignore[misc]

    def _check_mode(self, m: Module) -> None:
        """Record an obstacle for a module that stays in one mode, such as batch normalisation with fixed statistics."""
        if m.training != self.root.training and _is_leaf(m, self.leaves) and self.leaves[type(m)] in MODE_KINDS:
            location = caller_location(currentframe(), self.outermost)
            mode, other = ("training", "evaluation") if m.training else ("evaluation", "training")
            detail = f"this {type(m).__name__} is in {mode} while the module is in {other}"
            self.recording.obstacles.append(make_obstacle(type(m).__name__, location, detail, MODE_HINT))

    def create_arg(self, a: Any) -> Any:
        is_proxy = type(a) is self.proxy_type
        if is_proxy:
            return a.node
        return super().create_arg(a)  # type: ignore[misc]

    def create_node(self, *args: Any, **kwargs: Any) -> FxNode:
        node = super().create_node(*args, **kwargs)  # type: ignore[misc]
        self.recording.locations[node] = caller_location(currentframe(), self.outermost)
        stack = list(self.module_stack.values())
        self.recording.scopes[node] = stack[-1][0] if stack else ""
        torch = import_module("torch")
        if not torch.is_grad_enabled() and self.keeps_gradients:
            self.recording.without_gradient.add(node)
        if any(map(torch.is_autocast_enabled, ("cpu", "cuda"))):
            self.recording.add_obstacle(node, AUTOCAST, AUTOCAST_HINT)
        self.runner.run(node)
        return node

    def to_bool(self, obj: Any) -> bool:
        values, dependence = self.recording.values[obj.node], self.recording.dependence(obj.node)
        location = caller_location(currentframe(), self.outermost)
        if dependence is not Dependence.DATA and all(isinstance(value, bool | int) for value in values):
            if len(set(map(bool, values))) == 1 and (
                dependence is Dependence.CONSTANT or self._compares_sizes(obj.node) or is_check(location)
            ):
                return bool(values[0])
            self.recording.obstacles.append(make_obstacle(str(obj.node.name), location, SIZE_BRANCH, SIZE_HINT))
            raise TraceAborted
        agree = dependence is not Dependence.DATA and len(set(map(bool, values))) == 1
        if agree and (dependence is Dependence.CONSTANT or _is_called_by_torch(currentframe())):
            return bool(values[0])
        self.add_obstacle(obj, CONTROL_FLOW, CONTROL_HINT)
        # A `while` would never end: stop at the second visit of its line.
        if sum((each.file, each.line) == location for each in self.recording.obstacles) > 1:
            self.recording.obstacles.pop()
            raise TraceAborted
        return True

    def _compares_sizes(self, node: FxNode) -> bool:
        """Return whether a node asks if two sizes that differ between inputs are equal, as those of a skip are.

        Whether such a size equals a number may be otherwise for inputs that are no examples.
        """
        varying = [each for each in node.all_input_nodes if len(set(self.recording.values[each])) > 1]
        return getattr(node.target, "__name__", "") in ("eq", "ne") and len(varying) > 1

    def iter(self, obj: Any) -> Iterator[Any]:
        lengths = {len(value) for value in self.recording.values[obj.node] if _has_length(value)}
        if len(lengths) == 1:
            return iter([self.unpacked(obj[place]) for place in range(lengths.pop())])
        self.add_obstacle(obj, "a tensor of unknown size cannot be iterated", "use the language's Scan, or unbind")
        raise TraceAborted

    def unpacked(self, obj: Any) -> Any:
        value = self.recording.values[obj.node][0]
        return tuple(self.iter(obj)) if type(value) is tuple else obj

    def keys(self, obj: Any) -> Any:
        self.add_obstacle(obj, "the keys of an input are not known", "pass the inputs one by one")
        raise TraceAborted

    def add_obstacle(self, obj: Any, detail: str, hint: str) -> None:
        location = caller_location(currentframe(), self.outermost)
        self.recording.obstacles.append(make_obstacle(str(obj.node.name), location, detail, hint))


def make_tracer(leaves: Mapping[type, str], recording: SymbolicTrace, runner: NodeRunner, outermost: CodeType) -> Any:
    """Return a tracer that fills a recording."""
    fx, rnn = import_module("torch.fx"), import_module("torch.nn.utils.rnn")
    attributes = {
        "leaves": leaves, "recording": recording, "runner": runner, "outermost": outermost,
        "proxy_type": proxy_class(recording), "keeps_gradients": import_module("torch").is_grad_enabled(),
    }  # fmt: skip
    tracer_class = type("Recorder", (_RecorderMethods, fx.Tracer), attributes)
    return tracer_class(autowrap_functions=tuple(unwrap(getattr(rnn, name)) for name in PACKING))


def _is_leaf(part: Module, leaves: Mapping[type, str]) -> bool:
    """Return whether a module is one of the language, used as torch made it."""
    hooks = part._forward_hooks or part._forward_pre_hooks
    return type(part) in leaves and not hooks and "forward" not in vars(part)


def _is_called_by_torch(frame: FrameType | None) -> bool:
    """Return whether a module of torch asks, for example whether a mask is causal: the same for all sizes."""
    folder = library_folders()[1]
    while frame is not None and (frame.f_code.co_filename == __file__ or "/fx/" in frame.f_code.co_filename):
        frame = frame.f_back
    return frame is not None and frame.f_code.co_filename.startswith(folder)


def _has_length(value: Any) -> bool:
    return isinstance(value, tuple | list) or (isinstance(value, import_module("torch").Tensor) and value.dim() > 0)
