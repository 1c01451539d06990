"""The operations of a recording, one after the other, as nodes of the language."""

import builtins
import operator
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Any

from graftwerk.tracing.calls import Calls, references
from graftwerk.tracing.functions import DROPOUTS, FUNCTIONAL, HINTS, OPERATOR, SAME, SWAPPED, TORCH, Form, bound
from graftwerk.tracing.modules import Module, plain
from graftwerk.tracing.recording import FxNode, Recording
from graftwerk.tracing.sizes import Shape, Size
from graftwerk.tracing.special import SPECIAL, Asked, attribute, taken
from graftwerk.tracing.unsupported import Refusal
from graftwerk.tracing.values import Lost, Parts, Tensor
from graftwerk.tracing.writer import Writer

ARITHMETIC = frozenset({"_operator", "math"})
PARTS: Mapping[Callable[..., Any], Callable[[Asked], Any]] = {builtins.getattr: attribute, operator.getitem: taken}


class Translation:
    """Goes through a recording; what is refused is noted, and so is what comes after it and stands alone."""

    def __init__(self, module: Module, recording: Recording, writer: Writer, kinds: Mapping[type, str]) -> None:
        self._module, self._recording, self._writer = module, recording, writer
        self._calls = Calls(writer, kinds)
        self._values: dict[FxNode, Any] = {}
        self._held: dict[str, Tensor] = {}
        self._functions = _functions()
        self._node_type: type = import_module("torch.fx").Node

    def run(self) -> Any:
        """Write every operation that the output needs; returns the output."""
        nodes = list(self._recording.graph.nodes)
        _rebind(self._module, nodes)
        needed = set(nodes) if self._recording.broke else _needed(nodes)
        for node in nodes:
            if node.op == "call_module" and node in needed:
                self._calls.uses[id(self._module.get_submodule(node.target))] += 1
        names = iter(self._writer.inputs)
        for node in nodes:
            if node.op == "placeholder":
                name = next(names, None)
                self._values[node] = Tensor(name) if name is not None else Lost()
            elif node.op == "output":
                return self._filled(node.args[0])
            elif node in needed:
                found = self._values[node] = self._translated(node)
                if isinstance(found, Shape):
                    self._writer.sizes.at_least(found.ref, 1 + max(_indices(node), default=-1))
        return Lost()

    def _translated(self, node: FxNode) -> Any:
        args, kwargs = self._filled(node.args), self._filled(node.kwargs)
        self._writer.scope = self._recording.scopes.get(node, "")
        try:
            if node.op == "get_attr":
                return self._attribute(str(node.target))
            if node.op != "call_module":
                self._check_known(node)
            if _is_lost(args) or _is_lost(kwargs):
                return Lost()
            if node.op == "call_module":
                module = self._module.get_submodule(node.target)
                return self._calls.call(str(node.target), module, args, kwargs, _only_part(node))
            return self._operation(node, args, kwargs)
        except Refusal as refusal:
            self._recording.refuse(node, refusal.detail, refusal.hint)
            return Lost()

    def _filled(self, value: Any) -> Any:
        """Return arguments with values in the place of nodes."""
        if isinstance(value, tuple | list):
            return tuple(map(self._filled, value)) if isinstance(value, tuple) else list(map(self._filled, value))
        if isinstance(value, slice):
            return slice(*(self._filled(each) for each in (value.start, value.stop, value.step)))
        if isinstance(value, Mapping):
            return {name: self._filled(each) for name, each in value.items()}
        return self._values.get(value, Lost()) if isinstance(value, self._node_type) else value

    def _attribute(self, path: str) -> Tensor:
        """Return a tensor that belongs to the module, written once."""
        if path not in self._held:
            owner, _, name = path.rpartition(".")
            part = self._module.get_submodule(owner)
            tensor = getattr(part, name)
            trained = name in dict(part.named_parameters(recurse=False))
            ref = self._writer.parameter(path, tensor) if trained else self._writer.constant(tensor, path)
            self._held[path] = Tensor(ref)
        return self._held[path]

    def _check_known(self, node: FxNode) -> None:
        """Raise `Refusal` for an operation that no table has, whatever it is used on."""
        name = _name(node)
        method = node.op == "call_method" and ({name, _bare(name)} & {*TORCH, *SPECIAL, *SAME})
        if not method and node.target not in self._functions and not self._is_arithmetic(node):
            raise Refusal(f"{name} is not in the language", HINTS.get(_bare(name), ""))

    def _is_arithmetic(self, node: FxNode) -> bool:
        return getattr(node.target, "__module__", "") in ARITHMETIC and node.target is not operator.setitem

    def _operation(self, node: FxNode, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        name, asked = _bare(_name(node)), Asked(self._writer, args, kwargs)
        if node.target in PARTS:
            return PARTS[node.target](asked)
        if self._is_arithmetic(node) and any(isinstance(each, Size) for each in args):
            return Size(object())  # whatever is computed from sizes is a size
        if name in SAME:
            return args[0]
        if name in SPECIAL and (node.op == "call_method" or self._functions.get(node.target) is None):
            return SPECIAL[name](asked)
        form = TORCH.get(name) if node.op == "call_method" else self._functions.get(node.target)
        if form is None:
            raise Refusal(f"{name} of tensors is not in the language", HINTS.get(name, ""))
        if form.kind in DROPOUTS and kwargs.get("training") is False:
            return args[0]
        return self._formed(form, args, kwargs)

    def _formed(self, form: Form, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Tensor:
        operands, fields = bound(form, args, kwargs)
        fields = {name: plain(name, value) for name, value in fields.items()}
        if any(isinstance(value, Size | Tensor | Parts) for value in fields.values()):
            raise Refusal(f"{form.kind} has fixed fields, and here one comes from the data", "use numbers")
        kind = form.kind
        if form.numeric and len(operands) == 2:
            first, second = operands
            if not isinstance(first, Tensor) and kind in SWAPPED:
                kind, first, second = SWAPPED[kind], second, first
            if isinstance(first, Tensor) and isinstance(second, int | float):
                return Tensor(self._writer.add(kind, [first.ref], fields | {"scalar": second}))
            operands = [Tensor(self._writer.constant(float(each))) if isinstance(each, int | float) else each
                        for each in (first, second)]  # fmt: skip
        return Tensor(self._writer.add(kind, references(operands), fields))


def _bare(name: str) -> str:
    """Return the name of the method that an in-place method is like."""
    return name[:-1] if name.endswith("_") and not name.endswith("__") else name


def _name(node: FxNode) -> str:
    """Return the name of a node's function or method."""
    return str(node.target) if isinstance(node.target, str) else getattr(node.target, "__name__", str(node.target))


def _functions() -> dict[Callable[..., Any], Form | None]:
    """Return the forms by torch's own functions; none for what is written by a function of `SPECIAL`."""
    torch, functional = import_module("torch"), import_module("torch.nn.functional")
    special = dict.fromkeys((*SPECIAL, *SAME))
    found: dict[Callable[..., Any], Form | None] = dict.fromkeys(PARTS)
    for module, table in (
        (torch, special), (functional, special), (functional, FUNCTIONAL), (torch, TORCH), (operator, OPERATOR),
    ):  # fmt: skip
        found |= {getattr(module, name): form for name, form in table.items() if name in dir(module)}
    return found


def _rebind(module: Module, nodes: list[FxNode]) -> None:
    """Let what follows an operation in place read its result, as the changed tensor is."""
    instead: dict[FxNode, FxNode] = {}
    for node in nodes:
        for old, new in instead.items():
            node.replace_input_with(old, new)
        if _in_place(module, node) and node.all_input_nodes:
            changed = node.all_input_nodes[0]
            instead = {old: node if new is changed else new for old, new in instead.items()}
            instead[changed] = node


def _in_place(module: Module, node: FxNode) -> bool:
    """Return whether a node changes its first operand."""
    if node.op == "call_module":
        return getattr(module.get_submodule(node.target), "inplace", False) is True
    named = str(node.target)
    return node.kwargs.get("inplace") is True or (node.op == "call_method" and _bare(named) != named)


def _needed(nodes: list[FxNode]) -> set[FxNode]:
    """Return what the output is computed from, and what changes a tensor."""
    found: set[FxNode] = set()
    waiting = [node for node in nodes if node.op == "output" or node.target is operator.setitem]
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting += node.all_input_nodes
    return found


def _only_part(node: FxNode) -> Any:
    """Return which part of a node's several values is taken, if only one is."""
    used = [user for user in node.users if user.users]
    parts = [user.args[1] if user.target is operator.getitem else None for user in used]
    return parts[0] if parts and all(part == parts[0] for part in parts) and isinstance(parts[0], int) else None


def _indices(node: FxNode) -> Iterator[int]:
    """Yield the places of a shape that the user's code names, whether it uses them or not."""
    for user in node.users:
        if user.target is operator.getitem and isinstance(user.args[1], int):
            yield user.args[1]


def _is_lost(value: Any) -> bool:
    if isinstance(value, tuple | list):
        return any(map(_is_lost, value))
    if isinstance(value, Mapping):
        return any(map(_is_lost, value.values()))
    return isinstance(value, Lost)
