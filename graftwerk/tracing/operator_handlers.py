"""Operations that are more than one row of a table: sizes, views, parts of tensors, pairs of results."""

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

ONLY_SIZES = "only sizes can be asked of a tensor here"


@dataclass(frozen=True)
class OperatorCall:
    """A call: the first operand is the tensor that it is made of."""

    writer: GraphWriter
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]

    def tensor(self) -> str:
        """Return the first operand. Raises `Refusal`."""
        return tensor_refs([self.args[0] if self.args else self.kwargs.get("input")])[0]

    def argument(self, place: int, name: str, default: Any = None) -> Any:
        """Return an argument by its place or its name."""
        return self.args[place] if len(self.args) > place else self.kwargs.get(name, default)

    def add(self, kind: str, inputs: list[str], **parameters: Any) -> TensorRef:
        """Write a node."""
        return TensorRef(self.writer.add(kind, inputs, parameters))


def trace_getattr(asked: OperatorCall) -> Any:
    """Return what ``getattr`` gives."""
    owner, name = asked.args[0], asked.args[1]
    if isinstance(owner, TupleValue):
        if name in owner.names:
            return owner.get_item(owner.names.index(name))
        raise UnsupportedOperation(f"there is no {name} here")
    ref = asked.tensor()
    if name == "shape":
        return SymbolicShape(ref)
    if name == "T" and asked.writer.sizes.ranks.get(ref, 2) == 2:
        return asked.add("transpose", [ref], dim0=0, dim1=1)
    if name == "mT":
        return asked.add("transpose", [ref], dim0=-2, dim1=-1)
    raise UnsupportedOperation(f"{name} is not known before there is data", ONLY_SIZES)


def trace_getitem(asked: OperatorCall) -> Any:
    """Return what ``value[index]`` gives."""
    value, index = asked.args
    if isinstance(value, TupleValue):
        return tuple_item(value, index)
    if isinstance(value, SymbolicShape):
        return index_shape(asked.writer, value, index)
    if isinstance(value, TensorRef):
        return index_tensor(asked.writer, value, index)
    return value[index]


def _size(asked: OperatorCall) -> Any:
    dim = asked.argument(1, "dim")
    shape = SymbolicShape(asked.tensor())
    return shape if dim is None else index_shape(asked.writer, shape, dim)


def _view(asked: OperatorCall) -> TensorRef:
    rest = asked.args[1:] or (asked.kwargs.get("shape", asked.kwargs.get("size")),)
    wanted = rest[0] if len(rest) == 1 and isinstance(rest[0], tuple | list | SymbolicShape) else rest
    if isinstance(wanted, SymbolicShape) or any(isinstance(each, SymbolicShape) for each in wanted):
        raise UnsupportedOperation("the shape of another tensor is not known", "write its sizes one by one")
    ref, writer = asked.tensor(), asked.writer
    shape = writer.sizes.resolve_shape(ref, wanted)
    tokens = [
        each.token if isinstance(each, SymbolicSize) and size == -1 else size
        for each, size in zip(wanted, shape, strict=True)
    ]
    return TensorRef(writer.add("reshape", [ref], {"shape": shape}, known={"tokens": tokens}))


def _squeeze(asked: OperatorCall) -> Any:
    dim = asked.argument(1, "dim")
    if isinstance(asked.args[0], TupleValue) and "squeeze" in asked.args[0].names and dim in (0, None):
        return asked.args[0].get_item(-1)
    if dim is None:
        raise UnsupportedOperation("which dimensions have size one is not known", "name the dimension")
    return asked.add("squeeze", [asked.tensor()], dim=dim)


def _min_max(kind: str, several: str) -> Callable[[OperatorCall], Any]:
    def written(asked: OperatorCall) -> Any:
        other = asked.argument(1, "other", asked.kwargs.get("dim"))
        if isinstance(other, TensorRef):
            return asked.add(several, [asked.tensor(), other.ref])
        if other is None:
            return asked.add(kind, [asked.tensor()])
        keep = {"keepdim": True} if asked.argument(2, "keepdim", False) else {}

        def take(index: int) -> TensorRef:
            if index != 0:
                raise UnsupportedOperation(
                    "the places of the largest and smallest values are not given", "use the values"
                )
            return asked.add(kind, [asked.tensor()], dim=other, **keep)

        return TupleValue(take, ("values", "indices"))

    return written


def _split(asked: OperatorCall) -> TupleValue:
    sizes = asked.argument(1, "split_size_or_sections", asked.kwargs.get("split_size"))
    if not isinstance(sizes, int) and not (isinstance(sizes, tuple | list) and all(isinstance(s, int) for s in sizes)):
        raise UnsupportedOperation("the sizes of the parts come from the data", "use numbers")
    return split_tensor(asked.writer, TensorRef(asked.tensor()), sizes, asked.argument(2, "dim", 0))


def _unbind(asked: OperatorCall) -> TupleValue:
    return unbind_tensor(asked.writer, TensorRef(asked.tensor()), asked.argument(1, "dim", 0))


def _linear(asked: OperatorCall) -> TensorRef:
    weight, bias = asked.argument(1, "weight"), asked.argument(2, "bias")
    turned = asked.add("transpose", tensor_refs([weight]), dim0=0, dim1=1)
    product = asked.add("matmul", [asked.tensor(), turned.ref])
    return product if bias is None else asked.add("add", [product.ref, *tensor_refs([bias])])


def _where(asked: OperatorCall) -> TensorRef:
    given = [asked.args[0], asked.argument(1, "input"), asked.argument(2, "other")]
    return asked.add("where", [_ref(asked.writer, each) for each in given])


def _einsum(asked: OperatorCall) -> TensorRef:
    if not isinstance(asked.args[0], str):
        raise UnsupportedOperation("einsum is told what to do by a string", "write it as one equation")
    rest = asked.args[1:]
    operands = list(rest[0]) if len(rest) == 1 and isinstance(rest[0], tuple | list) else list(rest)
    return asked.add("einsum", tensor_refs(operands), equation=asked.args[0])


def _ref(writer: GraphWriter, value: Any) -> str:
    if isinstance(value, int | float):
        return writer.constant(float(value))
    return tensor_refs([value])[0]


def _transpose(asked: OperatorCall) -> TensorRef:
    return asked.add("transpose", [asked.tensor()], dim0=0, dim1=1)


def _cast(dtype: str) -> Callable[[OperatorCall], TensorRef]:
    return lambda asked: asked.add("to", [asked.tensor()], dtype=dtype)


# Methods that convert → the language's name of what they convert to.
CAST_METHODS: Mapping[str, str] = {
    "float": "float32",
    "double": "float64",
    "long": "int64",
    "int": "int32",
    "bool": "bool",
}

# Names of methods, and of functions of torch or torch.nn.functional.
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
