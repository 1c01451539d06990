"""Conversion of a symbolic trace into nodes of the language."""

import builtins
import operator
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Any

from graftwerk.tracing.function_table import (
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
from graftwerk.tracing.fx_trace import FxNode, SymbolicTrace
from graftwerk.tracing.graph_writer import GraphWriter
from graftwerk.tracing.module_calls import ModuleCallWriter, tensor_refs
from graftwerk.tracing.module_parameters import Module, to_json_value
from graftwerk.tracing.special_functions import OPERATOR_HANDLERS, OperatorCall, trace_getattr, trace_getitem
from graftwerk.tracing.symbolic_shapes import SymbolicShape, SymbolicSize
from graftwerk.tracing.unsupported import UnsupportedOperation
from graftwerk.tracing.values import TensorRef, TupleValue, UnsupportedValue

ARITHMETIC_MODULES = frozenset({"_operator", "math"})
ACCESSOR_HANDLERS: Mapping[Callable[..., Any], Callable[[OperatorCall], Any]] = {
    builtins.getattr: trace_getattr,
    operator.getitem: trace_getitem,
}


class GraphConverter:
    """Converts a trace node by node. Unsupported operations become obstacles, and conversion goes on after them."""

    def __init__(
        self, module: Module, recording: SymbolicTrace, writer: GraphWriter, kinds: Mapping[type, str]
    ) -> None:
        self._module, self._recording, self._writer = module, recording, writer
        self._calls = ModuleCallWriter(writer, kinds)
        self._values: dict[FxNode, Any] = {}
        self._tensors: dict[str, TensorRef] = {}
        self._functions = _schemas_by_function()
        self._node_type: type = import_module("torch.fx").Node

    def run(self) -> Any:
        """Write every operation that the output depends on; return the output."""
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
                value = self._values[node] = self._convert_node(node)
                if isinstance(value, SymbolicShape):
                    self._writer.sizes.set_min_rank(value.ref, 1 + max(_shape_indices(node), default=-1))
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
        except UnsupportedOperation as error:
            self._recording.add_obstacle(node, error.detail, error.hint)
            return UnsupportedValue()

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

    def _module_tensor(self, path: str) -> TensorRef:
        """Return a parameter or buffer of the module, written once."""
        if path not in self._tensors:
            owner, _, name = path.rpartition(".")
            part = self._module.get_submodule(owner)
            tensor = getattr(part, name)
            trained = name in dict(part.named_parameters(recurse=False))
            ref = self._writer.parameter(path, tensor) if trained else self._writer.constant(tensor, path)
            self._tensors[path] = TensorRef(ref)
        return self._tensors[path]

    def _check_supported(self, node: FxNode) -> None:
        """Raise `UnsupportedOperation` for an operation that no table has."""
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
        name, call = _out_of_place_name(_name(node)), OperatorCall(self._writer, args, kwargs)
        if node.target in ACCESSOR_HANDLERS:
            return ACCESSOR_HANDLERS[node.target](call)
        if self._is_arithmetic(node) and any(isinstance(each, SymbolicSize) for each in args):
            return SymbolicSize(object())  # a new unknown size
        if name in NO_OP_METHODS:
            return args[0]
        if name in OPERATOR_HANDLERS and (node.op == "call_method" or self._functions.get(node.target) is None):
            return OPERATOR_HANDLERS[name](call)
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
            raise UnsupportedOperation(
                f"the fields of {form.kind} are fixed, but here one depends on the data", "use numbers"
            )
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
    """Return the out-of-place name of a method."""
    return name[:-1] if name.endswith("_") and not name.endswith("__") else name


def _name(node: FxNode) -> str:
    """Return the name of a node's function or method."""
    return str(node.target) if isinstance(node.target, str) else getattr(node.target, "__name__", str(node.target))


def _schemas_by_function() -> dict[Callable[..., Any], OperatorSchema | None]:
    """Return the schemas by function of torch; `None` for functions with a handler."""
    torch, functional = import_module("torch"), import_module("torch.nn.functional")
    special = dict.fromkeys((*OPERATOR_HANDLERS, *NO_OP_METHODS))
    schemas: dict[Callable[..., Any], OperatorSchema | None] = dict.fromkeys(ACCESSOR_HANDLERS)
    for module, table in (
        (torch, special),
        (functional, special),
        (functional, NN_FUNCTIONS),
        (torch, TORCH_FUNCTIONS),
        (operator, PYTHON_OPERATORS),
    ):
        schemas |= {getattr(module, name): form for name, form in table.items() if name in dir(module)}
    return schemas


def _functionalize(module: Module, nodes: list[FxNode]) -> None:
    """Let users of a tensor that was changed in place read the operation's result."""
    replacements: dict[FxNode, FxNode] = {}
    for node in nodes:
        for old, new in replacements.items():
            node.replace_input_with(old, new)
        if _is_in_place(module, node) and node.all_input_nodes:
            changed = node.all_input_nodes[0]
            replacements = {old: node if new is changed else new for old, new in replacements.items()}
            replacements[changed] = node


def _is_in_place(module: Module, node: FxNode) -> bool:
    """Return whether a node changes its first operand."""
    if node.op == "call_module":
        return getattr(module.get_submodule(node.target), "inplace", False) is True
    name = str(node.target)
    return node.kwargs.get("inplace") is True or (node.op == "call_method" and _out_of_place_name(name) != name)


def _live_nodes(nodes: list[FxNode]) -> set[FxNode]:
    """Return the nodes that the output depends on, and those that assign to items of tensors."""
    live: set[FxNode] = set()
    pending = [node for node in nodes if node.op == "output" or node.target is operator.setitem]
    while pending:
        node = pending.pop()
        if node not in live:
            live.add(node)
            pending += node.all_input_nodes
    return live


def _only_used_index(node: FxNode) -> Any:
    """Return the index of the only item of a node's tuple that is used; `None` if there is not exactly one."""
    users = [user for user in node.users if user.users]
    parts = [user.args[1] if user.target is operator.getitem else None for user in users]
    return parts[0] if parts and all(part == parts[0] for part in parts) and isinstance(parts[0], int) else None


def _shape_indices(node: FxNode) -> Iterator[int]:
    """Yield the indices at which user code reads a shape."""
    for user in node.users:
        if user.target is operator.getitem and isinstance(user.args[1], int):
            yield user.args[1]


def _has_unsupported(value: Any) -> bool:
    if isinstance(value, tuple | list):
        return any(map(_has_unsupported, value))
    if isinstance(value, Mapping):
        return any(map(_has_unsupported, value.values()))
    return isinstance(value, UnsupportedValue)
