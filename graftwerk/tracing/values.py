"""Values of traced operations, and the nodes for indexing and splitting them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from graftwerk.tracing.graph_writer import GraphWriter
from graftwerk.tracing.symbolic_shapes import SymbolicShape, SymbolicSize
from graftwerk.tracing.unsupported import UnsupportedOperation


@dataclass(frozen=True)
class TensorRef:
    """A tensor: a node's id, or the name of an input."""

    ref: str


@dataclass(frozen=True)
class TupleValue:
    """A tuple of values; an item's nodes are written when it is used."""

    get_item: Callable[[int], Any]
    names: tuple[str, ...] = ()  # attributes of a named tuple


@dataclass(frozen=True)
class UnsupportedValue:
    """The result of an operation that cannot be expressed."""


def tuple_item(parts: TupleValue, index: Any) -> Any:
    """Return an item of a tuple. Raises `UnsupportedOperation`."""
    if not isinstance(index, int):
        raise UnsupportedOperation("only single items can be taken here", "take them one by one")
    return parts.get_item(index)


def index_tensor(writer: GraphWriter, value: TensorRef, index: Any) -> Any:
    """Write the nodes of ``value[index]``. Raises `UnsupportedOperation`."""
    items = list(index) if isinstance(index, tuple | list) else [index]
    if sum(each is Ellipsis for each in items) > 1 or any(isinstance(each, TensorRef | TupleValue) for each in items):
        raise UnsupportedOperation(
            "tensors cannot be indices here", "use gather-like operations of the language, or torch.where"
        )
    cut = items.index(Ellipsis) if Ellipsis in items else len(items)
    ref = value.ref
    place = 0
    for each in items[:cut]:
        ref, place = _apply_index(writer, ref, each, place)
    after = items[cut + 1 :]
    if None in after:
        raise UnsupportedOperation("None after ... is not supported", "use unsqueeze")
    for back, each in enumerate(reversed(after)):
        removed = len([item for item in after[len(after) - back :] if not isinstance(item, slice)])
        ref, _ = _apply_index(writer, ref, each, -1 - back + removed)
    return TensorRef(ref)


def _apply_index(writer: GraphWriter, ref: str, index: Any, dim: int) -> tuple[str, int]:
    """Apply one index at dimension `dim`; return the reference and the dimension of the next index."""
    if index is None:
        return writer.add("unsqueeze", [ref], {"dim": dim}), dim + 1
    if isinstance(index, bool) or not isinstance(index, int | slice):
        raise UnsupportedOperation(f"the index {index!r} is not a number", "use numbers and slices")
    if isinstance(index, int):
        return writer.add("select", [ref], {"dim": dim, "index": index}), dim
    if index == slice(None):
        return ref, dim + 1
    start, stop = index.start or 0, index.stop
    if index.step not in (None, 1) or not isinstance(start, int) or not isinstance(stop, int) or not 0 <= start < stop:
        raise UnsupportedOperation(
            "a slice needs a fixed, non-negative start and stop, and no step",
            "write it as x[:, START:STOP] with numbers",
        )
    return writer.add("narrow", [ref], {"dim": dim, "start": start, "length": stop - start}), dim + 1


def split_tensor(writer: GraphWriter, value: TensorRef, sizes: Any, dim: int) -> TupleValue:
    """Return the items of ``split``: slices of one size, or of several."""

    def take(index: int) -> TensorRef:
        if isinstance(sizes, int):
            start, length = index * sizes, sizes
        else:
            start, length = sum(sizes[:index]), sizes[index]
        if index < 0:
            raise UnsupportedOperation("negative indices of parts are not supported", "use a non-negative index")
        return TensorRef(writer.add("narrow", [value.ref], {"dim": dim, "start": start, "length": length}))

    return TupleValue(take)


def unbind_tensor(writer: GraphWriter, value: TensorRef, dim: int) -> TupleValue:
    """Return the items of ``unbind``: slices along a dimension."""
    return TupleValue(lambda index: TensorRef(writer.add("select", [value.ref], {"dim": dim, "index": index})))


def index_shape(writer: GraphWriter, shape: SymbolicShape, index: Any) -> Any:
    """Return one size of a shape, or a list of sizes. Raises `UnsupportedOperation`."""
    if isinstance(index, slice):
        stop = index.stop if index.stop is not None else writer.sizes.ranks.get(shape.ref)
        start = index.start or 0
        if stop is None or min(start, stop) < 0 or index.step not in (None, 1):
            raise UnsupportedOperation("the number of these sizes is not known", "take the sizes one by one")
        return [SymbolicSize(writer.sizes.size(shape.ref, dim)) for dim in range(start, stop)]
    return SymbolicSize(writer.sizes.size(shape.ref, index))
