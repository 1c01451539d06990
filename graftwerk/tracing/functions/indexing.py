"""Nodes for indexing, slicing and splitting tensors, and for assignments to items."""

from collections.abc import Sequence
from importlib import import_module
from typing import Any

from graftwerk.tracing.graph_writer import LOWEST_FLOAT, GraphWriter
from graftwerk.tracing.unsupported import UnsupportedOperation
from graftwerk.tracing.values import Size, TensorRef, TupleValue, VaryingSize

SLICE_HINT = "write it as x[:, START:STOP] with numbers, or pass examples=(…) to trace"


def index_tensor(writer: GraphWriter, value: TensorRef, index: Any) -> TensorRef:
    """Write the nodes of ``value[index]``. Raises `UnsupportedOperation`."""
    items, counted_back = _full_index(value, index)
    ref, place = value.ref, 0
    sizes = list(value.shape)
    if sum(isinstance(item, TensorRef) for item in items) > 1:
        raise UnsupportedOperation("only one vector of integers can be an index", "use torch.gather")
    for at, each in enumerate(items):
        dim = place if at < counted_back else -len(sizes)  # after ``...`` from the end, for tensors of any rank
        if each is None:
            ref = writer.add("unsqueeze", [ref], {"dim": dim if at < counted_back else dim - 1})
        else:
            ref = _apply_item(writer, ref, each, dim, sizes.pop(0))
        place += each is None or not isinstance(each, int)
    return TensorRef(ref)


def _apply_item(writer: GraphWriter, ref: str, item: Any, dim: int, size: Size) -> str:
    """Apply one item of an index at a dimension."""
    if isinstance(item, slice):
        return _slice(writer, ref, item, dim, size)
    if isinstance(item, TensorRef):
        if item.dtype == "bool":
            raise UnsupportedOperation("how many items a mask selects is not known", "use torch.where")
        if len(item.shape) != 1:
            raise UnsupportedOperation("only one vector of integers can be an index", "use torch.gather")
        return writer.add("index_select", [ref, item.ref], {"dim": dim})
    if isinstance(item, int) and not isinstance(item, bool):
        return writer.add("select", [ref], {"dim": dim, "index": item})
    raise UnsupportedOperation(f"the index {item!r} is not a number", "use numbers and slices")


def _full_index(value: TensorRef, index: Any) -> tuple[list[Any], int]:
    """Return one item for each dimension, and `None` for new ones: ``...`` is replaced by slices.

    Also returns the place of the first item after ``...``; the number of items if there is none.
    """
    items = list(index) if isinstance(index, tuple | list) else [index]
    if isinstance(index, list) and all(isinstance(each, int) for each in index):
        raise UnsupportedOperation("a list of indices is not in the language", "register it as a buffer")
    given = sum(each is not None and each is not Ellipsis for each in items)
    missing = len(value.shape) - given
    places = [place for place, each in enumerate(items) if each is Ellipsis]
    if len(places) > 1 or missing < 0:
        raise UnsupportedOperation("the index has more items than the tensor has dimensions")
    cut = places[0] if places else len(items)
    full = [*items[:cut], *[slice(None)] * missing, *items[cut + 1 :]]
    return full, cut + missing if places else len(full)


def _slice(writer: GraphWriter, ref: str, index: slice, dim: int, size: Size) -> str:
    start, stop, step = index.start or 0, index.stop, index.step
    if index == slice(None) or (start == 0 and stop == size and step in (None, 1)):
        return ref
    if step not in (None, 1):
        return _strided(writer, ref, index, dim, size)
    if isinstance(size, int) and isinstance(start, int) and isinstance(stop, int | None):
        first, last, _ = slice(start, stop).indices(size)
        if last <= first:
            raise UnsupportedOperation("this slice is empty", "leave it out")
        return (
            ref
            if last - first == size
            else writer.add("narrow", [ref], {"dim": dim, "start": first, "length": last - first})
        )
    if isinstance(stop, VaryingSize) and start == 0:
        return writer.add("index_select", [ref, positions(writer, stop)], {"dim": dim})
    if isinstance(size, VaryingSize) and isinstance(start, int) and isinstance(stop, int | None):
        return _slice_varying(writer, ref, dim, start, stop, size)
    raise UnsupportedOperation("the ends of this slice are computed from sizes", SLICE_HINT)


def _slice_varying(writer: GraphWriter, ref: str, dim: int, start: int, stop: int | None, size: VaryingSize) -> str:
    """Write a slice of a dimension whose size differs: all but some items at its ends, or some at its beginning."""
    if stop is not None and start >= 0 and stop > start:
        if stop > min(size.values):
            raise UnsupportedOperation("this slice is longer than some of the inputs", SLICE_HINT)
        return writer.add("narrow", [ref], {"dim": dim, "start": start, "length": stop - start})
    if start < 0 and stop is None:
        return writer.add("narrow", [ref], {"dim": dim, "start": start, "length": -start})
    raise UnsupportedOperation("the length of this slice differs between inputs", SLICE_HINT)


def _strided(writer: GraphWriter, ref: str, index: slice, dim: int, size: Size) -> str:
    if not isinstance(size, int) or any(isinstance(each, VaryingSize) for each in (index.start, index.stop)):
        raise UnsupportedOperation("a slice with a step needs a fixed size", SLICE_HINT)
    torch_indices = list(range(*index.indices(size)))
    places = writer.constant(_integers(torch_indices))
    return writer.add("index_select", [ref, places], {"dim": dim})


def _integers(values: Sequence[int]) -> Any:
    torch = import_module("torch")
    return torch.tensor(values, dtype=torch.int64)


def positions(writer: GraphWriter, size: VaryingSize, dtype: str = "int64") -> str:
    """Write 0, 1, 2, … up to a size."""
    source, dim = writer.source(size)
    fields: dict[str, Any] = {} if dim == 1 else {"dim": dim}
    return writer.add("arange", [source], fields | ({} if dtype == "int64" else {"dtype": dtype}))


def assign_items(writer: GraphWriter, value: TensorRef, index: Any, assigned: Any) -> TensorRef:
    """Write the tensor after ``value[index] = assigned``. Raises `UnsupportedOperation`."""
    if isinstance(index, TensorRef) and index.dtype == "bool" and isinstance(assigned, int | float):
        mask = index.ref
        for _ in range(len(value.shape) - len(index.shape)):
            mask = writer.add("unsqueeze", [mask], {"dim": -1})
        return TensorRef(writer.add("masked_fill", [value.ref, mask], {"value": finite(assigned)}))
    if isinstance(index, TensorRef) or (
        isinstance(index, tuple) and any(isinstance(each, TensorRef) for each in index)
    ):
        raise UnsupportedOperation("only numbers can be assigned where a mask is true", "use torch.where")
    items, _ = _full_index(value, index)
    changed = [dim for dim, each in enumerate(items) if each != slice(None)]
    if None in items or len(changed) != 1:
        raise UnsupportedOperation("items of one dimension can be assigned", "join the parts with torch.cat")
    return _assign_range(writer, value, changed[0], items[changed[0]], assigned)


def _assign_range(writer: GraphWriter, value: TensorRef, dim: int, item: Any, assigned: Any) -> TensorRef:
    size = value.shape[dim]
    if not isinstance(size, int) or not isinstance(item, int | slice):
        raise UnsupportedOperation("the items that are assigned must be numbers", "join the parts with torch.cat")
    places = [item % size] if isinstance(item, int) else list(range(size))[item]
    if not places or places != list(range(places[0], places[-1] + 1)):
        raise UnsupportedOperation("the items that are assigned must be a range", "join the parts with torch.cat")
    start, stop = places[0], places[-1] + 1
    part = writer.add("narrow", [value.ref], {"dim": dim, "start": start, "length": stop - start})
    zeros = writer.add("zeros_like", [part])
    if isinstance(assigned, TensorRef):
        new = assigned.ref
        if isinstance(item, int) and len(assigned.shape) >= len(value.shape) - dim:
            new = writer.add("unsqueeze", [new], {"dim": dim - len(value.shape)})
        part = writer.add("add", [zeros, new])  # broadcast
    else:
        part = writer.add("add", [zeros], {"scalar": finite(assigned)})
    before = [writer.add("narrow", [value.ref], {"dim": dim, "start": 0, "length": start})] if start else []
    after = (
        [writer.add("narrow", [value.ref], {"dim": dim, "start": stop, "length": size - stop})] if stop < size else []
    )
    parts = [*before, part, *after]
    return TensorRef(writer.add("cat", parts, {"dim": dim} if dim != 1 else {}) if len(parts) > 1 else part)


def finite(value: Any) -> Any:
    """Return a number for JSON: the lowest float32 for minus infinity."""
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return LOWEST_FLOAT if value < 0 else -LOWEST_FLOAT
    return value


def split_tensor(writer: GraphWriter, value: TensorRef, sizes: Any, dim: int) -> TupleValue:
    """Return the items of ``split``: slices of one size, or of several."""
    size = value.shape[dim]

    def take(index: int) -> TensorRef:
        if isinstance(sizes, int):
            if not isinstance(size, int):
                raise UnsupportedOperation("the number of parts differs between inputs", "use fixed sizes")
            ends = [*range(0, size, sizes), size]
            start, length = ends[:-1][index], ends[1:][index] - ends[:-1][index]
        else:
            start, length = sum(sizes[: index % len(sizes)]), sizes[index]
        return TensorRef(writer.add("narrow", [value.ref], {"dim": dim, "start": start, "length": length}))

    return TupleValue(take)


def unbind_tensor(writer: GraphWriter, value: TensorRef, dim: int) -> TupleValue:
    """Return the items of ``unbind``: slices along a dimension."""
    return TupleValue(lambda index: TensorRef(writer.add("select", [value.ref], {"dim": dim, "index": index})))
