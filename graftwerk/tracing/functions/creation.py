"""Tensors that forward makes: positions, constants and random numbers whose sizes differ between inputs; expansion."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graftwerk.tracing.functions.indexing import finite, positions
from graftwerk.tracing.functions.operator_call import OperatorCall
from graftwerk.tracing.graph_writer import DTYPES
from graftwerk.tracing.unsupported import UnsupportedOperation
from graftwerk.tracing.values import Size, TensorRef, VaryingSize

SIZES_HINT = "pass examples=(…) to trace"


def _arange(call: OperatorCall) -> TensorRef:
    numbers = [*call.args, *(call.kwargs[name] for name in ("start", "end", "step") if name in call.kwargs)]
    start, end, step = (0, numbers[0], 1) if len(numbers) == 1 else (*numbers, 1)[:3]
    if not isinstance(end, VaryingSize) or step != 1 or not isinstance(start, int):
        raise UnsupportedOperation("arange needs a size as its end, and steps of one", SIZES_HINT)
    dtype = call.result_dtype
    if dtype not in DTYPES:
        raise UnsupportedOperation(f"networks have no {dtype}", "use int64 or float32")
    if start:
        raise UnsupportedOperation("arange of a size that differs begins at zero here", "slice it, or " + SIZES_HINT)
    return TensorRef(positions(call.writer, end, DTYPES[dtype]))


def _filled(value: Any, position: int = 0) -> Callable[[OperatorCall], TensorRef]:
    """Return a handler of zeros, ones and full, whose sizes begin at `position`; `value`: `None` for an argument."""

    def handler(call: OperatorCall) -> TensorRef:
        args = call.args[position:]
        shape = args[0] if args and isinstance(args[0], tuple | list) else call.kwargs.get("size", args)
        number = value
        if number is None:
            number = call.kwargs.get("fill_value", args[-1] if len(args) > 1 else None)
            shape = args[0] if args and isinstance(args[0], tuple | list) else call.kwargs.get("size", args[:1])
        if not isinstance(number, int | float):
            raise UnsupportedOperation("full needs a number", "multiply ones by the tensor")
        return _constant_tensor(call, list(shape), finite(number))

    return handler


def _constant_tensor(call: OperatorCall, shape: list[Size], number: Any) -> TensorRef:
    """Write a number in a tensor, of whose sizes at most one dimension, that of the batch, may differ.

    With two that differ, ones of each are multiplied.
    """
    dtype = DTYPES.get(call.result_dtype)
    if dtype is None:
        raise UnsupportedOperation(f"networks have no {call.result_dtype}", "use float32, int64 or bool")
    varying = [dim for dim, size in enumerate(shape) if isinstance(size, VaryingSize)]
    ref = ""
    if varying == [0] and call.writer.source(shape[0])[1] == 0:  # type: ignore[arg-type]
        source = call.writer.source(shape[0])[0]  # type: ignore[arg-type]
        kind = {0: "zeros", 1: "ones"}.get(number, "full")
        fields: dict[str, Any] = {} if kind != "full" else {"value": float(number)}
        fields |= {} if dtype == "float32" else {"dtype": dtype}
        if dtype == "float32" or kind != "full":
            return call.add(kind, [source], shape=shape[1:], **fields)
    for dim in varying:
        line = positions(call.writer, shape[dim], "float32")  # type: ignore[arg-type]
        line = call.writer.add("mul", [line], {"scalar": 0})
        for _ in range(len(shape) - 1 - dim):
            line = call.writer.add("unsqueeze", [line], {"dim": -1})
        ref = call.writer.add("add", [ref, line]) if ref else line
    rest = [size if isinstance(size, int) else 1 for size in shape]
    if any(size != 1 for size in rest) or len(shape) > len(shape[varying[0] :]):
        ones = [call.writer.constant(0.0)]
        full = call.writer.add("expand", ones, {"size": rest})
        ref = call.writer.add("add", [ref, full])
    if number:
        ref = call.writer.add("add", [ref], {"scalar": number})
    return TensorRef(ref if dtype == "float32" else call.writer.add("to", [ref], {"dtype": dtype}))


def _random(kind: str) -> Callable[[OperatorCall], TensorRef]:
    def handler(call: OperatorCall) -> TensorRef:
        shape = call.args[0] if call.args and isinstance(call.args[0], tuple | list) else call.args
        first, *rest = shape or (1,)
        inputs = [ref for ref, dim in call.writer.sources.values() if dim == 0][:1]
        if call.writer.sources.get(first) != (*inputs, 0) or not all(isinstance(size, int) for size in rest):
            raise UnsupportedOperation(f"{kind} needs the number of rows first, then numbers", f"use {kind}_like")
        return call.add(kind, inputs, shape=list(rest))

    return handler


def _expand(call: OperatorCall) -> TensorRef:
    rest = call.args[1:] or (call.kwargs.get("size"),)
    sizes = list(rest[0]) if len(rest) == 1 and isinstance(rest[0], tuple | list) else list(rest)
    return _expanded(call, sizes)


def _expand_as(call: OperatorCall) -> TensorRef:
    other = call.argument(1, "other")
    return _expanded(call, list(other.shape) if isinstance(other, TensorRef) else [])


def _expanded(call: OperatorCall, sizes: list[Any]) -> TensorRef:
    own: Sequence[Size] = call.shape
    before = len(sizes) - len(own)
    kept = [-1 if at >= before and size == own[at - before] else size for at, size in enumerate(sizes)]
    varying = [at for at, size in enumerate(kept) if isinstance(size, VaryingSize)]
    if all(size == -1 for size in kept):
        return call.operand
    if not varying:
        return call.add("expand", [call.tensor()], size=kept)
    ref = call.tensor()
    if call.operand.dtype != "float32":
        raise UnsupportedOperation("only float32 can be expanded to a size that differs between inputs", SIZES_HINT)
    fixed = [1 if isinstance(size, VaryingSize) else size for size in kept]
    if any(size not in (1, -1) for size in fixed) or before:
        ref = call.writer.add("expand", [ref], {"size": fixed})
    for at in varying:
        line = call.writer.add("mul", [positions(call.writer, sizes[at], "float32")], {"scalar": 0})
        for _ in range(len(kept) - 1 - at):
            line = call.writer.add("unsqueeze", [line], {"dim": -1})
        ref = call.writer.add("add", [ref, line])
    return TensorRef(ref)


def _repeat(call: OperatorCall) -> TensorRef:
    rest = call.args[1:] or (call.kwargs.get("repeats"),)
    counts = list(rest[0]) if len(rest) == 1 and isinstance(rest[0], tuple | list) else list(rest)
    own = [1] * (len(counts) - len(call.shape)) + list(call.shape)
    if all(isinstance(count, int) for count in counts):
        return call.operand if set(counts) == {1} else call.add("tile", [call.tensor()], dims=counts)
    if any(isinstance(count, VaryingSize) and size != 1 for count, size in zip(counts, own, strict=True)):
        raise UnsupportedOperation("only dimensions of size one repeat as often as another size", SIZES_HINT)
    numbers = [1 if isinstance(count, VaryingSize) else count for count in counts]
    ref = call.tensor() if set(numbers) == {1} else call.writer.add("tile", [call.tensor()], {"dims": numbers})
    samples = call.operand.samples
    tiled = TensorRef(ref, [each.repeat(numbers) for each in samples])
    inner = OperatorCall(call.writer, (tiled,), {}, call.results)
    return _expanded(inner, list(call.result_shape))


def _filled_like(number: float | None) -> Callable[[OperatorCall], TensorRef]:
    def handler(call: OperatorCall) -> TensorRef:
        value = call.argument(1, "fill_value") if number is None else number
        if not isinstance(value, int | float):
            raise UnsupportedOperation("full_like needs a number", "multiply ones_like by the tensor")
        before, after = call.operand.dtype, call.result_dtype
        ref = call.writer.add("zeros_like", [call.tensor()])
        if before != after:
            if after not in DTYPES:
                raise UnsupportedOperation(f"networks have no {after}", "use float32, int64 or bool")
            ref = call.writer.add("to", [ref], {"dtype": DTYPES[after]})
        return call.add("add", [ref], scalar=finite(value))

    return handler


CREATION_HANDLERS: Mapping[str, Callable[[OperatorCall], Any]] = {
    "arange": _arange,
    "zeros": _filled(0.0),
    "ones": _filled(1.0),
    "full": _filled(None),
    "new_zeros": _filled(0.0, 1),
    "new_ones": _filled(1.0, 1),
    "new_full": _filled(None, 1),
    "full_like": _filled_like(None),
    "rand": _random("rand"),
    "randn": _random("randn"),
    "expand": _expand,
    "expand_as": _expand_as,
    "repeat": _repeat,
}
