"""Running each traced operation on the examples: values, sizes, and whose memory an operation changes."""

import operator
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Any

from graftwerk.tracing.recording.example_inputs import ExampleInputs, to_device
from graftwerk.tracing.recording.symbolic_trace import UNKNOWN, Dependence, FxNode, SymbolicTrace, storage_id

Module = Any  # torch.nn.Module
SIZE_METHODS = frozenset({"size", "dim", "numel", "ndimension", "nelement"})
RANDOM_NAMES = frozenset(
    [
        "rand",
        "randn",
        "randint",
        "randperm",
        "rand_like",
        "randn_like",
        "randint_like",
        "normal",
        "bernoulli",
        "multinomial",
        "dropout",
        "rrelu",
        "uniform_",
        "normal_",
        "bernoulli_",
        "random_",
        "exponential_",
        "poisson",
    ]
)


class NodeRunner:
    """Runs the nodes of a trace in order. `is_running`: torch's functions are called for real."""

    def __init__(self, root: Module, recording: SymbolicTrace, examples: ExampleInputs, rest: list[Any]) -> None:
        self._root, self._recording = root, recording
        self._inputs = [[*to_device(root, values), *rest] for values in examples.traced]
        self._count = 0
        self.is_running = False
        self._node_type: type = import_module("torch.fx").Node

    def run(self, node: FxNode) -> None:
        """Record the node's values, what they depend on, and the operands that it changes."""
        self.is_running = True
        try:
            self._recording.dependences[node] = self._dependence(node)
            with import_module("torch").no_grad():
                self._recording.values[node] = self._run(node)
        except Exception:  # torch's or the user's own, which the trace reports if the value is needed
            self._recording.values[node] = (UNKNOWN, UNKNOWN)
        finally:
            self.is_running = False

    def _run(self, node: FxNode) -> tuple[Any, ...]:
        if node.op == "placeholder":
            self._count += 1
            if str(node.target).startswith("*"):  # the rest of the arguments
                return tuple(tuple(inputs[self._count - 1 :]) for inputs in self._inputs)
            return tuple(inputs[self._count - 1] for inputs in self._inputs)
        if node.op == "get_attr":
            value = self._attribute(str(node.target))
            return value, value
        if node.op == "output":
            return UNKNOWN, UNKNOWN
        call = self._callable(node)
        return tuple(self._call(node, call, variant) for variant in range(len(self._inputs)))

    def _call(self, node: FxNode, call: Callable[..., Any], variant: int) -> Any:
        args, kwargs = self._substitute(node.args, variant), self._substitute(node.kwargs, variant)
        operands = list(_tensors([self._recording.values[each][variant] for each in node.all_input_nodes]))
        buffers = self._buffers(node)
        versions = [each._version for each in operands]
        before = [each.clone() for each in buffers]  # torch does not count the writes of batch normalisation
        result = call(*args, **kwargs)
        if node.target is operator.setitem:
            result = args[0]
        written = {storage_id(each) for each, old in zip(operands, versions, strict=True) if each._version != old}
        if written and variant == 0:
            self._recording.writes[node] = [
                each
                for each in node.all_input_nodes
                if any(storage_id(value) in written for value in _tensors([self._recording.values[each][0]]))
            ]
        for buffer, old in zip(buffers, before, strict=True):
            if not import_module("torch").equal(buffer, old):
                self._recording.written_buffers[storage_id(buffer)] = node
        return result

    def _buffers(self, node: FxNode) -> list[Any]:
        return list(self._root.get_submodule(node.target).buffers()) if node.op == "call_module" else []

    def _attribute(self, path: str) -> Any:
        owner, _, name = path.rpartition(".")
        return getattr(self._root.get_submodule(owner), name)

    def _callable(self, node: FxNode) -> Callable[..., Any]:
        if node.op == "call_module":
            module: Callable[..., Any] = self._root.get_submodule(node.target)
            return module
        if node.op == "call_method":
            return lambda tensor, *args, **kwargs: getattr(tensor, node.target)(*args, **kwargs)
        function: Callable[..., Any] = node.target
        return function

    def _substitute(self, value: Any, variant: int) -> Any:
        if isinstance(value, self._node_type):
            found = self._recording.values[value][variant]
            if found is UNKNOWN:
                raise ValueError("an operand has no value")
            return found
        if isinstance(value, tuple) and is_named_tuple(value):
            return type(value)(*(self._substitute(each, variant) for each in value))
        if isinstance(value, tuple | list):
            return type(value)(self._substitute(each, variant) for each in value)
        if isinstance(value, slice):
            return slice(*(self._substitute(each, variant) for each in (value.start, value.stop, value.step)))
        if isinstance(value, Mapping):
            return {name: self._substitute(each, variant) for name, each in value.items()}
        return value

    def _dependence(self, node: FxNode) -> Dependence:
        if node.op in ("placeholder", "call_module"):
            return Dependence.DATA
        if node.op == "get_attr":
            value = self._attribute(str(node.target))
            return Dependence.DATA if value.requires_grad or _is_parameter(value) else Dependence.CONSTANT
        name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
        if name in SIZE_METHODS and node.op == "call_method":
            return Dependence.SIZES
        if name in RANDOM_NAMES:
            return Dependence.DATA
        return max((self._recording.dependence(each) for each in node.all_input_nodes), default=Dependence.CONSTANT)


def _is_parameter(value: Any) -> bool:
    return isinstance(value, import_module("torch").nn.Parameter)


def is_named_tuple(value: tuple[Any, ...]) -> bool:
    """Return whether a tuple is a named one."""
    return "_fields" in dir(type(value))


def _tensors(value: Any) -> Iterator[Any]:
    """Yield the tensors in nested tuples and lists."""
    if isinstance(value, import_module("torch").Tensor):
        yield value
    elif isinstance(value, tuple | list):
        for each in value:
            yield from _tensors(each)
