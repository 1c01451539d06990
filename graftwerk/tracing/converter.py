"""The operations of a recording, one after the other, as nodes of the language."""

import builtins
import operator
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Any

from graftwerk.tracing.fx_trace import FxNode, SymbolicTrace
from graftwerk.tracing.graph_writer import GraphWriter
from graftwerk.tracing.module_calls import ModuleCallWriter, tensor_refs
from graftwerk.tracing.module_parameters import Module, to_json_value
from graftwerk.tracing.operator_handlers import OPERATOR_HANDLERS, OperatorCall, trace_getattr, trace_getitem
from graftwerk.tracing.operator_schemas import (
    DROPOUT_KINDS,
    NN_FUNCTIONS,
    NO_OP_METHODS,
    PYTHON_OPERATORS,
    REFLECTED_OPERATORS,
    TORCH_FUNCTIONS,
    UNSUPPORTED_HINTS,
    OperatorSchema,
    bind_arguments,
)
from graftwerk.tracing.symbolic_shapes import SymbolicShape, SymbolicSize
from graftwerk.tracing.unsupported import UnsupportedOperation
from graftwerk.tracing.values import TensorRef, TupleValue, UnsupportedValue

ARITHMETIC_MODULES = frozenset({"_operator", "math"})
ACCESSOR_HANDLERS: Mapping[Callable[..., Any], Callable[[OperatorCall], Any]] = {
    builtins.getattr: trace_getattr,
    operator.getitem: trace_getitem,
}


class GraphConverter:
    """Goes through a recording; what is refused is noted, and so is what comes after it and stands alone."""

    def __init__(
        self, module: Module, recording: SymbolicTrace, writer: GraphWriter, kinds: Mapping[type, str]
    ) -> None:
        self._module, self._recording, self._writer = module, recording, writer
        self._calls = ModuleCallWriter(writer, kinds)
        self._values: dict[FxNode, Any] = {}
        self._held: dict[str, TensorRef] = {}
        self._functions = _schemas_by_function()
        self._node_type: type = import_module("torch.fx").Node

    def run(self) -> Any:
        """Write every operation that the output needs; returns the output."""
        nodes = list(self._recording.graph.nodes)
        _functionalize(self._module, nodes)
        needed = set(nodes) if self._recording.is_incomplete else _live_nodes(nodes)
        for node in nodes:
            if node.op == "call_module" and node in needed:
                self._calls.uses[id(self._module.get_submodule(node.target))] += 1
        names = iter(self._writer.inputs)
        for node in nodes:
            if node.op == "placeholder":
                name = next(names, None)
                self._values[node] = TensorRef(name) if name is not None else UnsupportedValue()
            elif node.op == "output":
                return self._substitute_nodes(node.args[0])
            elif node in needed:
                found = self._values[node] = self._convert_node(node)
                if isinstance(found, SymbolicShape):
                    self._writer.sizes.set_min_rank(found.ref, 1 + max(_shape_indices(node), default=-1))
        return UnsupportedValue()

    def _convert_node(self, node: FxNode) -> Any:
        args, kwargs = self._substitute_nodes(node.args), self._substitute_nodes(node.kwargs)
        self._writer.scope = self._recording.scopes.get(node, "")
        try:
            if node.op == "get_attr":
                return self._module_tensor(str(node.target))
            if node.op != "call_module":
                self._check_supported(node)
            if _has_unsupported(args) or _has_unsupported(kwargs):
                return UnsupportedValue()
            if node.op == "call_module":
                module = self._module.get_submodule(node.target)
                return self._calls.call(str(node.target), module, args, kwargs, _only_used_index(node))
            return self._operation(node, args, kwargs)
        except UnsupportedOperation as refusal:
            self._recording.add_obstacle(node, refusal.detail, refusal.hint)
            return UnsupportedValue()

    def _substitute_nodes(self, value: Any) -> Any:
        """Return arguments with values in the place of nodes."""
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

    def _module_tensor(self, path: str) -> TensorRef:
        """Return a tensor that belongs to the module, written once."""
        if path not in self._held:
            owner, _, name = path.rpartition(".")
            part = self._module.get_submodule(owner)
            tensor = getattr(part, name)
            trained = name in dict(part.named_parameters(recurse=False))
            ref = self._writer.parameter(path, tensor) if trained else self._writer.constant(tensor, path)
            self._held[path] = TensorRef(ref)
        return self._held[path]

    def _check_supported(self, node: FxNode) -> None:
        """Raise `Refusal` for an operation that no table has, whatever it is used on."""
        name = _name(node)
        method = node.op == "call_method" and (
            {name, _out_of_place_name(name)} & {*TORCH_FUNCTIONS, *OPERATOR_HANDLERS, *NO_OP_METHODS}
        )
        if not method and node.target not in self._functions and not self._is_arithmetic(node):
            raise UnsupportedOperation(
                f"{name} is not in the language", UNSUPPORTED_HINTS.get(_out_of_place_name(name), "")
            )

    def _is_arithmetic(self, node: FxNode) -> bool:
        return getattr(node.target, "__module__", "") in ARITHMETIC_MODULES and node.target is not operator.setitem

    def _operation(self, node: FxNode, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        name, asked = _out_of_place_name(_name(node)), OperatorCall(self._writer, args, kwargs)
        if node.target in ACCESSOR_HANDLERS:
            return ACCESSOR_HANDLERS[node.target](asked)
        if self._is_arithmetic(node) and any(isinstance(each, SymbolicSize) for each in args):
            return SymbolicSize(object())  # whatever is computed from sizes is a size
        if name in NO_OP_METHODS:
            return args[0]
        if name in OPERATOR_HANDLERS and (node.op == "call_method" or self._functions.get(node.target) is None):
            return OPERATOR_HANDLERS[name](asked)
        form = TORCH_FUNCTIONS.get(name) if node.op == "call_method" else self._functions.get(node.target)
        if form is None:
            raise UnsupportedOperation(f"{name} of tensors is not in the language", UNSUPPORTED_HINTS.get(name, ""))
        if form.kind in DROPOUT_KINDS and kwargs.get("training") is False:
            return args[0]
        return self._emit_node(form, args, kwargs)

    def _emit_node(self, form: OperatorSchema, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> TensorRef:
        operands, fields = bind_arguments(form, args, kwargs)
        fields = {name: to_json_value(name, value) for name, value in fields.items()}
        if any(isinstance(value, SymbolicSize | TensorRef | TupleValue) for value in fields.values()):
            raise UnsupportedOperation(f"{form.kind} has fixed fields, and here one comes from the data", "use numbers")
        kind = form.kind
        if form.allows_scalars and len(operands) == 2:
            first, second = operands
            if not isinstance(first, TensorRef) and kind in REFLECTED_OPERATORS:
                kind, first, second = REFLECTED_OPERATORS[kind], second, first
            if isinstance(first, TensorRef) and isinstance(second, int | float):
                return TensorRef(self._writer.add(kind, [first.ref], fields | {"scalar": second}))
            operands = [
                TensorRef(self._writer.constant(float(each))) if isinstance(each, int | float) else each
                for each in (first, second)
            ]
        return TensorRef(self._writer.add(kind, tensor_refs(operands), fields))


def _out_of_place_name(name: str) -> str:
    """Return the name of the method that an in-place method is like."""
    return name[:-1] if name.endswith("_") and not name.endswith("__") else name


def _name(node: FxNode) -> str:
    """Return the name of a node's function or method."""
    return str(node.target) if isinstance(node.target, str) else getattr(node.target, "__name__", str(node.target))


def _schemas_by_function() -> dict[Callable[..., Any], OperatorSchema | None]:
    """Return the forms by torch's own functions; none for what is written by a function of `SPECIAL`."""
    torch, functional = import_module("torch"), import_module("torch.nn.functional")
    special = dict.fromkeys((*OPERATOR_HANDLERS, *NO_OP_METHODS))
    found: dict[Callable[..., Any], OperatorSchema | None] = dict.fromkeys(ACCESSOR_HANDLERS)
    for module, table in (
        (torch, special),
        (functional, special),
        (functional, NN_FUNCTIONS),
        (torch, TORCH_FUNCTIONS),
        (operator, PYTHON_OPERATORS),
    ):
        found |= {getattr(module, name): form for name, form in table.items() if name in dir(module)}
    return found


def _functionalize(module: Module, nodes: list[FxNode]) -> None:
    """Let what follows an operation in place read its result, as the changed tensor is."""
    instead: dict[FxNode, FxNode] = {}
    for node in nodes:
        for old, new in instead.items():
            node.replace_input_with(old, new)
        if _is_in_place(module, node) and node.all_input_nodes:
            changed = node.all_input_nodes[0]
            instead = {old: node if new is changed else new for old, new in instead.items()}
            instead[changed] = node


def _is_in_place(module: Module, node: FxNode) -> bool:
    """Return whether a node changes its first operand."""
    if node.op == "call_module":
        return getattr(module.get_submodule(node.target), "inplace", False) is True
    named = str(node.target)
    return node.kwargs.get("inplace") is True or (node.op == "call_method" and _out_of_place_name(named) != named)


def _live_nodes(nodes: list[FxNode]) -> set[FxNode]:
    """Return what the output is computed from, and what changes a tensor."""
    found: set[FxNode] = set()
    waiting = [node for node in nodes if node.op == "output" or node.target is operator.setitem]
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting += node.all_input_nodes
    return found


def _only_used_index(node: FxNode) -> Any:
    """Return which part of a node's several values is taken, if only one is."""
    used = [user for user in node.users if user.users]
    parts = [user.args[1] if user.target is operator.getitem else None for user in used]
    return parts[0] if parts and all(part == parts[0] for part in parts) and isinstance(parts[0], int) else None


def _shape_indices(node: FxNode) -> Iterator[int]:
    """Yield the places of a shape that the user's code names, whether it uses them or not."""
    for user in node.users:
        if user.target is operator.getitem and isinstance(user.args[1], int):
            yield user.args[1]


def _has_unsupported(value: Any) -> bool:
    if isinstance(value, tuple | list):
        return any(map(_has_unsupported, value))
    if isinstance(value, Mapping):
        return any(map(_has_unsupported, value.values()))
    return isinstance(value, UnsupportedValue)
