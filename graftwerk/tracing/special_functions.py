"""Handlers of operations that need more than a table row: sizes, views, indexing, tuples of results."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from graftwerk.tracing.graph_writer import GraphWriter
from graftwerk.tracing.module_calls import tensor_refs
from graftwerk.tracing.symbolic_shapes import SymbolicShape, SymbolicSize
from graftwerk.tracing.unsupported import UnsupportedOperation
from graftwerk.tracing.values import (
    TensorRef,
    TupleValue,
    index_shape,
    index_tensor,
    split_tensor,
    tuple_item,
    unbind_tensor,
)

ONLY_SIZES = "only the sizes of a tensor can be read here"


@dataclass(frozen=True)
class OperatorCall:
    """A call of a function, or of a method with its tensor as the first argument."""

    writer: GraphWriter
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]

    def tensor(self) -> str:
        """Return the first operand's reference. Raises `UnsupportedOperation`."""
        return tensor_refs([self.args[0] if self.args else self.kwargs.get("input")])[0]

    def argument(self, position: int, name: str, default: Any = None) -> Any:
        """Return an argument by position or name."""
        return self.args[position] if len(self.args) > position else self.kwargs.get(name, default)

    def add(self, kind: str, inputs: list[str], **parameters: Any) -> TensorRef:
        """Write a node."""
        return TensorRef(self.writer.add(kind, inputs, parameters))


def trace_getattr(call: OperatorCall) -> Any:
    """Return the value of ``getattr(tensor, name)``. Raises `UnsupportedOperation`."""
    owner, name = call.args[0], call.args[1]
    if isinstance(owner, TupleValue):
        if name in owner.names:
            return owner.get_item(owner.names.index(name))
        raise UnsupportedOperation(f"the result has no attribute {name}")
    ref = call.tensor()
    if name == "shape":
        return SymbolicShape(ref)
    if name == "T" and call.writer.sizes.ranks.get(ref, 2) == 2:
        return call.add("transpose", [ref], dim0=0, dim1=1)
    if name == "mT":
        return call.add("transpose", [ref], dim0=-2, dim1=-1)
    raise UnsupportedOperation(f"{name} depends on the data", ONLY_SIZES)


def trace_getitem(call: OperatorCall) -> Any:
    """Return the value of ``value[index]``. Raises `UnsupportedOperation`."""
    value, index = call.args
    if isinstance(value, TupleValue):
        return tuple_item(value, index)
    if isinstance(value, SymbolicShape):
        return index_shape(call.writer, value, index)
    if isinstance(value, TensorRef):
        return index_tensor(call.writer, value, index)
    return value[index]


def _size(call: OperatorCall) -> Any:
    dim = call.argument(1, "dim")
    shape = SymbolicShape(call.tensor())
    return shape if dim is None else index_shape(call.writer, shape, dim)


def _view(call: OperatorCall) -> TensorRef:
    rest = call.args[1:] or (call.kwargs.get("shape", call.kwargs.get("size")),)
    target = rest[0] if len(rest) == 1 and isinstance(rest[0], tuple | list | SymbolicShape) else rest
    if isinstance(target, SymbolicShape) or any(isinstance(each, SymbolicShape) for each in target):
        raise UnsupportedOperation("the shape of another tensor is not known", "write its sizes one by one")
    ref, writer = call.tensor(), call.writer
    shape = writer.sizes.resolve_shape(ref, target)
    tokens = [
        each.token if isinstance(each, SymbolicSize) and size == -1 else size
        for each, size in zip(target, shape, strict=True)
    ]
    return TensorRef(writer.add("reshape", [ref], {"shape": shape}, known={"tokens": tokens}))


def _squeeze(call: OperatorCall) -> Any:
    dim = call.argument(1, "dim")
    if isinstance(call.args[0], TupleValue) and "squeeze" in call.args[0].names and dim in (0, None):
        return call.args[0].get_item(-1)
    if dim is None:
        raise UnsupportedOperation("the dimensions of size one are not known", "give dim")
    return call.add("squeeze", [call.tensor()], dim=dim)


def _min_max(kind: str, pairwise: str) -> Callable[[OperatorCall], Any]:
    def handler(call: OperatorCall) -> Any:
        other = call.argument(1, "other", call.kwargs.get("dim"))
        if isinstance(other, TensorRef):
            return call.add(pairwise, [call.tensor(), other.ref])
        if other is None:
            return call.add(kind, [call.tensor()])
        keep = {"keepdim": True} if call.argument(2, "keepdim", False) else {}

        def take(index: int) -> TensorRef:
            if index != 0:
                raise UnsupportedOperation("the indices of max and min are not available", "use the values")
            return call.add(kind, [call.tensor()], dim=other, **keep)

        return TupleValue(take, ("values", "indices"))

    return handler


def _split(call: OperatorCall) -> TupleValue:
    sizes = call.argument(1, "split_size_or_sections", call.kwargs.get("split_size"))
    if not isinstance(sizes, int) and not (isinstance(sizes, tuple | list) and all(isinstance(s, int) for s in sizes)):
        raise UnsupportedOperation("the sizes of split depend on the data", "use numbers")
    return split_tensor(call.writer, TensorRef(call.tensor()), sizes, call.argument(2, "dim", 0))


def _unbind(call: OperatorCall) -> TupleValue:
    return unbind_tensor(call.writer, TensorRef(call.tensor()), call.argument(1, "dim", 0))


def _linear(call: OperatorCall) -> TensorRef:
    weight, bias = call.argument(1, "weight"), call.argument(2, "bias")
    transposed = call.add("transpose", tensor_refs([weight]), dim0=0, dim1=1)
    product = call.add("matmul", [call.tensor(), transposed.ref])
    return product if bias is None else call.add("add", [product.ref, *tensor_refs([bias])])


def _where(call: OperatorCall) -> TensorRef:
    operands = [call.args[0], call.argument(1, "input"), call.argument(2, "other")]
    return call.add("where", [_ref(call.writer, each) for each in operands])


def _einsum(call: OperatorCall) -> TensorRef:
    if not isinstance(call.args[0], str):
        raise UnsupportedOperation("einsum needs its equation as a string", "write it as one equation")
    rest = call.args[1:]
    operands = list(rest[0]) if len(rest) == 1 and isinstance(rest[0], tuple | list) else list(rest)
    return call.add("einsum", tensor_refs(operands), equation=call.args[0])


def _ref(writer: GraphWriter, value: Any) -> str:
    if isinstance(value, int | float):
        return writer.constant(float(value))
    return tensor_refs([value])[0]


def _transpose(call: OperatorCall) -> TensorRef:
    return call.add("transpose", [call.tensor()], dim0=0, dim1=1)


def _cast(dtype: str) -> Callable[[OperatorCall], TensorRef]:
    return lambda call: call.add("to", [call.tensor()], dtype=dtype)


# Method → the dtype that it converts to.
CAST_METHODS: Mapping[str, str] = {
    "float": "float32",
    "double": "float64",
    "long": "int64",
    "int": "int32",
    "bool": "bool",
}

# Names of methods and of functions of torch or torch.nn.functional → handler.
OPERATOR_HANDLERS: Mapping[str, Callable[[OperatorCall], Any]] = {
    "size": _size,
    "view": _view,
    "reshape": _view,
    "squeeze": _squeeze,
    "max": _min_max("amax", "maximum"),
    "min": _min_max("amin", "minimum"),
    "split": _split,
    "unbind": _unbind,
    "linear": _linear,
    "where": _where,
    "einsum": _einsum,
    "t": _transpose,
    **{method: _cast(dtype) for method, dtype in CAST_METHODS.items()},
}
