"""Handlers of operations that need more than a table row: sizes, views, dtypes, normalisation, sequences."""

from collections.abc import Callable, Mapping
from typing import Any

from graftwerk.tracing.functions.creation import CREATION_HANDLERS
from graftwerk.tracing.functions.functional_forms import FUNCTIONAL_HANDLERS
from graftwerk.tracing.functions.indexing import assign_items, finite, index_tensor, split_tensor, unbind_tensor
from graftwerk.tracing.functions.operator_call import OperatorCall
from graftwerk.tracing.functions.reductions import REDUCTION_HANDLERS
from graftwerk.tracing.graph_writer import DTYPES
from graftwerk.tracing.unsupported import UnsupportedOperation
from graftwerk.tracing.values import PackedValue, TensorRef, TupleValue, VaryingSize, tensor_refs, tuple_item

CASTS = ("float", "double", "half", "bfloat16", "long", "int", "short", "bool", "to", "type", "type_as")
ONLY_SIZES = "only the sizes of a tensor can be read here"


def trace_getattr(call: OperatorCall) -> Any:
    """Return the value of ``getattr(tensor, name)``. Raises `UnsupportedOperation`."""
    owner, name = call.args[0], call.args[1]
    if isinstance(owner, TupleValue):
        if name in owner.names:
            return owner.get_item(owner.names.index(name))
        raise UnsupportedOperation(f"the result has no attribute {name}")
    if name == "T" and len(call.shape) == 2:
        return call.add("transpose", [call.tensor()], dim0=0, dim1=1)
    if name == "mT":
        return call.add("transpose", [call.tensor()], dim0=-2, dim1=-1)
    if name == "data":
        return call.add("stop_gradient", [call.tensor()])
    raise UnsupportedOperation(f"{name} depends on the data", ONLY_SIZES)


def trace_getitem(call: OperatorCall) -> Any:
    """Return the value of ``value[index]``. Raises `UnsupportedOperation`."""
    value, index = call.args
    if isinstance(value, TupleValue):
        if isinstance(index, tuple) and all(each == slice(None) for each in index[1:]):
            index = index[0]  # states[-1, :, :]
        return tuple_item(value, index)
    if isinstance(value, TensorRef):
        return index_tensor(call.writer, value, index)
    return value[index]


def trace_setitem(call: OperatorCall) -> TensorRef:
    """Return the tensor after ``value[index] = assigned``. Raises `UnsupportedOperation`."""
    value, index, assigned = call.args
    if not isinstance(value, TensorRef):
        raise UnsupportedOperation("only items of tensors can be assigned", "join the parts with torch.cat")
    return assign_items(call.writer, value, index, assigned)


def _view(call: OperatorCall) -> TensorRef:
    rest = call.args[1:] or (call.kwargs.get("shape", call.kwargs.get("size")),)
    if len(rest) == 1 and isinstance(rest[0], TensorRef):  # view_as
        rest = rest[0].shape
    target = rest[0] if len(rest) == 1 and isinstance(rest[0], tuple | list) else rest
    sizes = call.shape
    shape = [
        0 if isinstance(each, VaryingSize) and dim < len(sizes) and sizes[dim] == each else each
        for dim, each in enumerate(target)
    ]
    unknown = [dim for dim, each in enumerate(shape) if isinstance(each, VaryingSize)]
    if len(unknown) + shape.count(-1) > 1 or not all(isinstance(each, int | VaryingSize) for each in shape):
        dims = ", ".join(map(str, unknown))
        raise UnsupportedOperation(
            f"the new sizes of dimensions {dims} are computed from sizes that differ between inputs",
            "write all but one as numbers, keep the dimensions where they are, or pass examples=(…) to trace",
        )
    return call.add("reshape", [call.tensor()], shape=[-1 if isinstance(each, VaryingSize) else each for each in shape])


def _addmm(call: OperatorCall) -> TensorRef:
    if call.kwargs.get("beta", 1) != 1 or call.kwargs.get("alpha", 1) != 1:
        raise UnsupportedOperation("addmm has no beta and alpha", "multiply the tensors")
    product = call.add("matmul", tensor_refs([call.argument(1, "mat1"), call.argument(2, "mat2")]))
    return call.add("add", [call.tensor(), product.ref])


def _flatten(call: OperatorCall) -> TensorRef:
    start, end = call.argument(1, "start_dim", 0), call.argument(2, "end_dim", -1)
    fields = {
        name: value for name, value, default in (("start_dim", start, 1), ("end_dim", end, -1)) if value != default
    }
    return call.add("flatten", [call.tensor()], **fields)


def _squeeze(call: OperatorCall) -> Any:
    dim = call.argument(1, "dim")
    if isinstance(call.args[0], TupleValue) and "squeeze" in call.args[0].names and dim in (0, None):
        return call.args[0].get_item(-1)
    if isinstance(dim, int) and call.shape[dim] != 1:
        if isinstance(call.shape[dim], VaryingSize) and 1 in call.shape[dim].values:  # type: ignore[union-attr]
            raise UnsupportedOperation("this size may be one", "pass examples=(…) to trace")
        return call.args[0]
    dims = [dim] if isinstance(dim, int) else [at for at, size in enumerate(call.shape) if size == 1]
    ref = call.tensor()
    for each in reversed(dims):
        ref = call.writer.add("squeeze", [ref], {"dim": each})
    return TensorRef(ref)


def _split(call: OperatorCall) -> TupleValue:
    sizes = call.argument(1, "split_size_or_sections", call.kwargs.get("split_size"))
    if not isinstance(sizes, int) and not (isinstance(sizes, tuple | list) and all(isinstance(s, int) for s in sizes)):
        raise UnsupportedOperation("the sizes of split depend on the data", "use numbers")
    return split_tensor(call.writer, call.operand, sizes, call.argument(2, "dim", 0))


def _chunk(call: OperatorCall) -> TupleValue:
    count, dim = call.argument(1, "chunks"), call.argument(2, "dim", 0)
    size = call.shape[dim]
    if not isinstance(size, int):
        raise UnsupportedOperation("this size differs between inputs", "pass examples=(…) to trace")
    return split_tensor(call.writer, call.operand, -(-size // count), dim)


def _unbind(call: OperatorCall) -> TupleValue:
    return unbind_tensor(call.writer, call.operand, call.argument(1, "dim", 0))


def _where(call: OperatorCall) -> TensorRef:
    operands = [call.args[0], call.argument(1, "input"), call.argument(2, "other")]
    return call.add("where", [call.number_or_ref(each) for each in operands])


def _masked_fill(call: OperatorCall) -> TensorRef:
    value = call.argument(2, "value")
    mask = tensor_refs([call.argument(1, "mask")])[0]
    if isinstance(value, TensorRef):
        return call.add("where", [mask, value.ref, call.tensor()])
    return call.add("masked_fill", [call.tensor(), mask], value=finite(value))


def _einsum(call: OperatorCall) -> TensorRef:
    if not isinstance(call.args[0], str):
        raise UnsupportedOperation("einsum needs its equation as a string", "write it as one equation")
    rest = call.args[1:]
    operands = list(rest[0]) if len(rest) == 1 and isinstance(rest[0], tuple | list) else list(rest)
    return call.add("einsum", tensor_refs(operands), equation=call.args[0].replace("...", "...").strip())


def _transpose(call: OperatorCall) -> TensorRef:
    return call.add("transpose", [call.tensor()], dim0=0, dim1=1)


def _cast(call: OperatorCall) -> TensorRef:
    """Convert to the dtype that the call's result has on the examples."""
    before, after = call.operand.dtype, call.result_dtype
    if after == before:
        return call.operand
    if after not in DTYPES or (before.startswith("float") and before != "float32"):
        raise UnsupportedOperation(
            f"networks have no {after}, only float32, int64 and bool", "leave the conversion out"
        )
    return call.add("to", [call.tensor()], dtype=DTYPES[after])


def _invert(call: OperatorCall) -> TensorRef:
    if call.operand.dtype != "bool":
        raise UnsupportedOperation("~ of integers is not in the language", "use it on bool tensors")
    return call.add("logical_not", [call.tensor()])


def _logical(kind: str) -> Callable[[OperatorCall], TensorRef]:
    def handler(call: OperatorCall) -> TensorRef:
        if call.operand.dtype != "bool" or call.result_dtype != "bool":
            raise UnsupportedOperation("bitwise operations of integers are not in the language", "use bool tensors")
        return call.add(kind, tensor_refs([call.args[0], call.argument(1, "other")]))

    return handler


def _interpolate(call: OperatorCall) -> TensorRef:
    size, factor = call.argument(1, "size"), call.argument(2, "scale_factor")
    if call.argument(4, "align_corners") or call.kwargs.get("antialias"):
        raise UnsupportedOperation("interpolate has no align_corners and antialias", "leave them out")
    if isinstance(factor, tuple | list):
        raise UnsupportedOperation("the scale factor of interpolate is one number", "give size")
    fields = {"size": list(size) if isinstance(size, tuple | list) else size, "scale_factor": factor}
    mode = call.argument(3, "mode", "nearest")
    fields = {name: value for name, value in fields.items() if value is not None}
    return call.add("interpolate", [call.tensor()], **fields, **({} if mode == "nearest" else {"mode": mode}))


def _copy(call: OperatorCall) -> TensorRef:
    source = call.argument(1, "src")
    if isinstance(source, TensorRef) and source.shape == call.shape and source.dtype == call.operand.dtype:
        return source
    return _fill(call)


def _fill(call: OperatorCall) -> TensorRef:
    value = call.argument(1, "value", call.kwargs.get("src", 0.0))
    zeros = call.add("zeros_like", [call.tensor()])
    if isinstance(value, TensorRef):
        return call.add("add", [zeros.ref, value.ref])
    return call.add("add", [zeros.ref], scalar=finite(value)) if value else zeros


def _floor_divide(call: OperatorCall) -> TensorRef:
    other = call.argument(1, "other")
    divided = (
        call.add("div", [call.tensor(), other.ref])
        if isinstance(other, TensorRef)
        else call.add("div", [call.tensor()], scalar=other)
    )
    floored = call.add("floor", [divided.ref])
    return floored if call.result_dtype == "float32" else call.add("to", [floored.ref], dtype="int64")


def _pack(call: OperatorCall) -> PackedValue:
    lengths, batch_first = call.argument(1, "lengths"), call.argument(2, "batch_first", False)
    if not isinstance(lengths, TensorRef):
        raise UnsupportedOperation("the lengths must be a tensor", "make them an input")
    return PackedValue(call.operand, lengths, not batch_first)


def _pad_packed(call: OperatorCall) -> TupleValue:
    packed, padding = call.args[0], call.argument(2, "padding_value", 0.0)
    if not isinstance(packed, PackedValue) or padding:
        raise UnsupportedOperation("only outputs of recurrent modules can be unpacked, padded with zeros")
    batch_first = bool(call.argument(1, "batch_first", False))
    sequence = packed.sequence
    if batch_first == packed.is_time_first:
        sequence = call.add("transpose", [sequence.ref], dim0=0, dim1=1)
    return TupleValue(lambda index: sequence if index == 0 else packed.lengths)


# Names of methods and of functions of torch or torch.nn.functional → handler.
OPERATOR_HANDLERS: Mapping[str, Callable[[OperatorCall], Any]] = {
    "view": _view,
    "reshape": _view,
    "view_as": _view,
    "reshape_as": _view,
    "addmm": _addmm,
    "flatten": _flatten,
    "ravel": _flatten,
    "squeeze": _squeeze,
    "split": _split,
    "chunk": _chunk,
    "unbind": _unbind,
    "where": _where,
    "masked_fill": _masked_fill,
    "einsum": _einsum,
    "t": _transpose,
    "invert": _invert,
    "bitwise_not": _invert,
    **{prefix + name: _logical(f"logical_{name}") for name in ("and", "or", "xor") for prefix in ("", "i")},
    **{f"bitwise_{name}": _logical(f"logical_{name}") for name in ("and", "or", "xor")},
    "interpolate": _interpolate,
    "copy": _copy,
    "fill": _fill,
    "zero": _fill,
    "floordiv": _floor_divide,
    "ifloordiv": _floor_divide,
    "floor_divide": _floor_divide,
    **dict.fromkeys(
        ["float", "double", "half", "bfloat16", "long", "int", "short", "bool", "to", "type", "type_as"], _cast
    ),
    "pack_padded_sequence": _pack,
    "pad_packed_sequence": _pad_packed,
    **REDUCTION_HANDLERS,
    **CREATION_HANDLERS,
    **FUNCTIONAL_HANDLERS,
}
# Operators of Python, under their names in the module `operator`, with a handler above.
HANDLED_OPERATORS = ("invert", "and_", "or_", "xor", "floordiv", "iand", "ior", "ixor", "ifloordiv")
