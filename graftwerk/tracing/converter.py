"""Conversion of a recorded graph into nodes of the language."""

import builtins
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any

from graftwerk.tracing.functions.function_table import (
    DROPOUT_KINDS,
    NO_OP_METHODS,
    TORCH_FUNCTIONS,
    UNSUPPORTED_HINTS,
    schemas_by_function,
)
from graftwerk.tracing.functions.operator_call import OperatorCall
from graftwerk.tracing.functions.special_functions import (
    HANDLED_OPERATORS,
    OPERATOR_HANDLERS,
    trace_getattr,
    trace_getitem,
    trace_setitem,
)
from graftwerk.tracing.functions.table_operations import write_operation
from graftwerk.tracing.graph_analysis import (
    count_uses,
    frozen_tensors,
    live_nodes,
    owned_twice,
    shape_dependent_tensors,
    tied_tensors,
    used_items,
)
from graftwerk.tracing.graph_writer import GraphWriter
from graftwerk.tracing.module_calls import ModuleCallWriter
from graftwerk.tracing.module_parameters import Module
from graftwerk.tracing.recording.symbolic_trace import UNKNOWN, Dependence, FxNode, SymbolicTrace, storage_id
from graftwerk.tracing.unsupported import UnsupportedOperation
from graftwerk.tracing.values import TensorRef, TupleValue, UnsupportedValue, VaryingSize

ACCESSOR_HANDLERS: Mapping[Callable[..., Any], Callable[[OperatorCall], Any]] = {
    builtins.getattr: trace_getattr,
    operator.getitem: trace_getitem,
    operator.setitem: trace_setitem,
}
JOINING = frozenset({"cat", "concat", "concatenate", "stack"})


class GraphConverter:
    """Converts a trace node by node. Unsupported operations become obstacles, and conversion goes on after them."""

    def __init__(
        self, module: Module, recording: SymbolicTrace, writer: GraphWriter, kinds: Mapping[type, str]
    ) -> None:
        self._module, self._recording, self._writer = module, recording, writer
        self._values: dict[FxNode, Any] = {}
        self._tensors: dict[int, TensorRef] = {}
        self._functions = schemas_by_function((*OPERATOR_HANDLERS, *NO_OP_METHODS), HANDLED_OPERATORS)
        self._functions |= dict.fromkeys(ACCESSOR_HANDLERS)
        self._node_type: type = import_module("torch.fx").Node
        nodes = list(recording.graph.nodes)
        self._needed = set(nodes) if recording.is_incomplete else live_nodes(nodes)
        needed = [node for node in nodes if node in self._needed]
        read = {id(self._recording.values[node][0]) for node in needed if node.op == "get_attr"}
        lent = frozen_tensors(module) | read | shape_dependent_tensors(module, recording, needed)
        uses = count_uses(module, self._needed)
        tied = tied_tensors(module, kinds, uses, lent)
        lent |= owned_twice(module) - tied
        self._calls = ModuleCallWriter(writer, kinds, self._leaf, lent, uses, tied)

    def run(self, pins_sizes: bool) -> Any:
        """Write every operation that the output depends on; return the output.

        `pins_sizes`: the network accepts only inputs with as many dimensions as the examples, and the sizes that they
        share.
        """
        names = iter(self._writer.inputs)
        for node in self._recording.graph.nodes:
            if node.op == "placeholder":
                self._values[node] = self._placeholder(node, names, pins_sizes)
            elif node.op == "output":
                return self._result(node.args[0])
            elif node in self._needed:
                self._values[node] = self._located(node, self._convert_node(node))
        return UnsupportedValue()

    def _result(self, value: Any) -> Any:
        """Return forward's result, with the items of a tuple that an operation returned."""
        found = self._substitute_nodes(value)
        return self._items(value, found) if isinstance(found, TupleValue) and found.tensor is None else found

    def _items(self, node: FxNode, found: TupleValue) -> tuple[Any, ...]:
        """Return all items of a node's tuple."""
        return tuple(found.get_item(index) for index in range(len(self._recording.values[node][0])))

    def _placeholder(self, node: FxNode, names: Iterator[str], pins_sizes: bool) -> Any:
        """Return the input of a parameter of forward, or a tuple of the rest for ``*inputs``."""
        if str(node.target).startswith("*"):
            columns = zip(*self._recording.values[node], strict=True)
            rest = [self._input(name, each, pins_sizes) for name, each in zip(names, columns, strict=False)]
            return TupleValue(lambda index: rest[index])
        name = next(names, None)
        if name is None:
            return UnsupportedValue()
        return self._input(name, self._recording.tensors(node), pins_sizes)

    def _input(self, name: str, samples: Sequence[Any], pins_sizes: bool) -> TensorRef:
        value = TensorRef(name, samples)
        self._writer.note_sizes(name, value.shape)
        if pins_sizes and len(value.shape) > 1:
            shape = [0 if isinstance(size, VaryingSize) else size for size in value.shape]
            pinned = self._writer.add("reshape", [name], {"shape": shape}, name=f"{name}.sizes")
            return TensorRef(pinned, value.samples)
        return value

    def _located(self, node: FxNode, value: Any) -> Any:
        """Give a tensor its values on the examples, and remember which sizes it has."""
        if not isinstance(value, TensorRef):
            return value
        samples = self._recording.tensors(node) or value.samples
        dependence = self._recording.dependence(node)
        if value.is_written and samples and dependence is Dependence.DATA and node.op != "get_attr":
            located = TensorRef(value.ref, samples)
            self._writer.note_sizes(value.ref, located.shape)
            return located
        return TensorRef(lambda: value.ref, samples, dependence)

    def _convert_node(self, node: FxNode) -> Any:
        if node.op == "get_attr":
            return self._attribute(node)
        values, dependence = self._recording.values.get(node, ()), self._recording.dependence(node)
        if values and dependence is not Dependence.DATA and all(isinstance(each, int | float) for each in values):
            return values[0] if dependence is Dependence.CONSTANT else VaryingSize(tuple(values))
        if dependence is not Dependence.DATA and self._recording.tensors(node) and not self._is_written(node):
            return TensorRef(lambda: self._derived(node), values, dependence)
        return self._guarded(node, lambda: self._cut(node, self._write_node(node)))

    def _cut(self, node: FxNode, value: Any) -> Any:
        """Return a value that was computed within `torch.no_grad` without its gradient."""
        tensors = self._recording.tensors(node)
        if node not in self._recording.without_gradient or not tensors or not isinstance(value, TensorRef):
            return value
        return TensorRef(self._writer.add("stop_gradient", [value.ref])) if tensors[0].is_floating_point() else value

    def _guarded(self, node: FxNode, write: Callable[[], Any]) -> Any:
        """Return what `write` returns; where it cannot be expressed, record an obstacle."""
        try:
            return write()
        except UnsupportedOperation as error:
            self._recording.add_obstacle(node, error.detail, error.hint)
        except (TypeError, ValueError, LookupError, AttributeError) as error:  # arguments that no handler expects
            detail = f"{_name(node)} is called in a way that is not in the language: {error}"
            self._recording.add_obstacle(node, detail, "write it with simpler arguments")
        return UnsupportedValue()

    def _attribute(self, node: FxNode) -> TensorRef:
        """Return a parameter or buffer of the module, written when it is first used."""
        tensor = self._recording.values[node][0]
        return self._leaf(str(node.target), tensor)

    def _leaf(self, path: str, tensor: Any) -> TensorRef:
        if id(tensor) not in self._tensors:
            trained = isinstance(tensor, import_module("torch").nn.Parameter)
            writer = self._writer
            write = (lambda: writer.parameter(path, tensor)) if trained else (lambda: writer.constant(tensor, path))
            dependence = Dependence.DATA if trained else Dependence.CONSTANT
            self._tensors[id(tensor)] = TensorRef(write, (tensor, tensor), dependence)
        return self._tensors[id(tensor)]

    def _is_written(self, node: FxNode) -> bool:
        """Return whether an operation changes the memory of a node's value, so that the value at the end is another."""
        written = {
            storage_id(tensor)
            for operands in self._recording.writes.values()
            for operand in operands
            for tensor in self._recording.tensors(operand)[:1]
        }
        return any(storage_id(tensor) in written for tensor in self._recording.tensors(node)[:1])

    def _derived(self, node: FxNode) -> str:
        """Write a value that depends on no input: as a constant, or by its operations where sizes differ."""
        value = self._recording.tensors(node)[0]
        if self._recording.dependence(node) is Dependence.CONSTANT:
            try:
                return self._writer.constant(value, str(node.name))
            except UnsupportedOperation:
                if not node.all_input_nodes:
                    raise
        written = self._write_node(node)
        if not isinstance(written, TensorRef):
            raise UnsupportedOperation("this is not a single tensor", "take one of its items")
        self._writer.note_sizes(written.ref, TensorRef("", self._recording.tensors(node)).shape)
        return written.ref

    def _write_node(self, node: FxNode) -> Any:
        args, kwargs = self._substitute_nodes(node.args), self._substitute_nodes(node.kwargs)
        self._writer.scope = self._recording.scopes.get(node, "")
        if node.op != "call_module":
            self._check_supported(node)
        if _has_unsupported(args) or _has_unsupported(kwargs):
            return UnsupportedValue()
        if node.op == "call_module":
            module = self._module.get_submodule(node.target)
            return self._calls.call(str(node.target), module, args, kwargs, used_items(node))
        if _name(node) in JOINING and args and isinstance(args[0], TupleValue):
            args = (self._items(node.args[0], args[0]), *args[1:])
        return self._operation(node, args, kwargs)

    def _substitute_nodes(self, value: Any) -> Any:
        """Return arguments with values in place of nodes."""
        if isinstance(value, tuple | list):
            return (
                tuple(map(self._substitute_nodes, value))
                if isinstance(value, tuple)
                else list(map(self._substitute_nodes, value))
            )
        if isinstance(value, slice):
            return slice(*(self._substitute_nodes(each) for each in (value.start, value.stop, value.step)))
        if isinstance(value, Mapping):
            return {name: self._substitute_nodes(each) for name, each in value.items()}
        return self._values.get(value, UnsupportedValue()) if isinstance(value, self._node_type) else value

    def _function(self, node: FxNode) -> Any:
        """Return a node's function; that which makes a new tensor for one such as `torch.relu_`."""
        name = _name(node)
        if node.op != "call_function" or name == (plain := _out_of_place_name(name)):
            return node.target
        torch = import_module("torch")
        return getattr(torch, plain, getattr(torch.nn.functional, plain, node.target))

    def _check_supported(self, node: FxNode) -> None:
        """Raise `UnsupportedOperation` for an operation that no table has."""
        name = _name(node)
        known = {*TORCH_FUNCTIONS, *OPERATOR_HANDLERS, *NO_OP_METHODS}
        method = node.op == "call_method" and {name, _out_of_place_name(name)} & known
        if not method and self._function(node) not in self._functions and name != "stochastic_depth":
            raise UnsupportedOperation(
                f"{name} is not in the language", UNSUPPORTED_HINTS.get(_out_of_place_name(name), "")
            )
        if self._recording.values.get(node, (UNKNOWN,))[0] is UNKNOWN and not self._recording.obstacles:
            raise UnsupportedOperation(f"{name} could not be run on the examples", "pass examples=(…) to trace")

    def _operation(self, node: FxNode, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        name = _out_of_place_name(_name(node))
        if name not in ("getitem", "squeeze"):
            args = tuple(_as_tensor(each) for each in args)
        call = OperatorCall(self._writer, args, kwargs, self._recording.tensors(node))
        if node.target in ACCESSOR_HANDLERS:
            return ACCESSOR_HANDLERS[node.target](call)
        if name in NO_OP_METHODS:
            return args[0]
        schema = self._functions.get(self._function(node)) if node.op == "call_function" else TORCH_FUNCTIONS.get(name)
        if name in OPERATOR_HANDLERS and (node.op == "call_method" or schema is None):
            return OPERATOR_HANDLERS[name](call)
        if schema is None:
            raise UnsupportedOperation(f"{name} of tensors is not in the language", UNSUPPORTED_HINTS.get(name, ""))
        if schema.kind in DROPOUT_KINDS and kwargs.get("training") is False:
            return args[0]
        if kwargs.get("dtype") is not None and args and isinstance(args[0], TensorRef):
            if args[0].dtype != call.result_dtype:
                raise UnsupportedOperation(f"{name} has no dtype in the language", "convert the result")
            kwargs = {each: value for each, value in kwargs.items() if each != "dtype"}
        return write_operation(self._writer, schema, args, kwargs, call.result_dtype)


def _as_tensor(value: Any) -> Any:
    """Return a tuple of states as the tensor that it is."""
    return value.tensor() if isinstance(value, TupleValue) and value.tensor is not None else value


def _out_of_place_name(name: str) -> str:
    """Return the out-of-place name of a method."""
    return name[:-1] if name.endswith("_") and not name.endswith("__") else name


def _name(node: FxNode) -> str:
    """Return the name of a node's function or method."""
    return str(node.target) if isinstance(node.target, str) else getattr(node.target, "__name__", str(node.target))


def _has_unsupported(value: Any) -> bool:
    if isinstance(value, tuple | list):
        return any(map(_has_unsupported, value))
    if isinstance(value, Mapping):
        return any(map(_has_unsupported, value.values()))
    return isinstance(value, UnsupportedValue)
