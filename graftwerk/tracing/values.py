"""What an operation of the user's gives, where that is not one tensor."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from graftwerk.tracing.graph_writer import GraphWriter
from graftwerk.tracing.symbolic_shapes import SymbolicShape, SymbolicSize
from graftwerk.tracing.unsupported import UnsupportedOperation


@dataclass(frozen=True)
class TensorRef:
    """One tensor: a node's id, or the name of an input."""

    ref: str


@dataclass(frozen=True)
class TupleValue:
    """Several values, of which each is written when it is taken."""

    get_item: Callable[[int], Any]
    names: tuple[str, ...] = ()  # attributes under which they are known


@dataclass(frozen=True)
class UnsupportedValue:
    """What a refused operation would have given."""


def tuple_item(parts: TupleValue, index: Any) -> Any:
    """Return one of several values. Raises `Refusal`."""
    if not isinstance(index, int):
        raise UnsupportedOperation("only single parts can be taken here", "take them one by one")
    return parts.get_item(index)


def index_tensor(writer: GraphWriter, value: TensorRef, index: Any) -> Any:
    """Write what ``value[index]`` gives. Raises `Refusal`."""
    items = list(index) if isinstance(index, tuple | list) else [index]
    if sum(each is Ellipsis for each in items) > 1 or any(isinstance(each, TensorRef | TupleValue) for each in items):
        raise UnsupportedOperation(
            "places are given as numbers here", "use gather-like operations of the language, or torch.where"
        )
    cut = items.index(Ellipsis) if Ellipsis in items else len(items)
    ref = value.ref
    place = 0
    for each in items[:cut]:
        ref, place = _apply_index(writer, ref, each, place)
    after = items[cut + 1 :]
    if None in after:
        raise UnsupportedOperation("None after ... is not followed", "use unsqueeze")
    for back, each in enumerate(reversed(after)):
        taken = len([one for one in after[len(after) - back :] if not isinstance(one, slice)])
        ref, _ = _apply_index(writer, ref, each, -1 - back + taken)
    return TensorRef(ref)


def _apply_index(writer: GraphWriter, ref: str, index: Any, place: int) -> tuple[str, int]:
    """Apply one index at a place; returns the reference and the place of the next index."""
    if index is None:
        return writer.add("unsqueeze", [ref], {"dim": place}), place + 1
    if isinstance(index, bool) or not isinstance(index, int | slice):
        raise UnsupportedOperation(f"the index {index!r} is no number", "use numbers and slices")
    if isinstance(index, int):
        return writer.add("select", [ref], {"dim": place, "index": index}), place
    if index == slice(None):
        return ref, place + 1
    start, stop = index.start or 0, index.stop
    if index.step not in (None, 1) or not isinstance(start, int) or not isinstance(stop, int) or not 0 <= start < stop:
        raise UnsupportedOperation(
            "a stretch has a start and a stop that are fixed and not counted from the end, and no step",
            "write it as x[:, START:STOP] with numbers",
        )
    return writer.add("narrow", [ref], {"dim": place, "start": start, "length": stop - start}), place + 1


def split_tensor(writer: GraphWriter, value: TensorRef, sizes: Any, dim: int) -> TupleValue:
    """Return what ``split`` gives: stretches of one size, or of several."""

    def take(index: int) -> TensorRef:
        if isinstance(sizes, int):
            start, length = index * sizes, sizes
        else:
            start, length = sum(sizes[:index]), sizes[index]
        if index < 0:
            raise UnsupportedOperation("parts are counted from the front here", "use a number that is not negative")
        return TensorRef(writer.add("narrow", [value.ref], {"dim": dim, "start": start, "length": length}))

    return TupleValue(take)


def unbind_tensor(writer: GraphWriter, value: TensorRef, dim: int) -> TupleValue:
    """Return what ``unbind`` gives: slices along a dimension."""
    return TupleValue(lambda index: TensorRef(writer.add("select", [value.ref], {"dim": dim, "index": index})))


def index_shape(writer: GraphWriter, shape: SymbolicShape, index: Any) -> Any:
    """Return one size, or several."""
    if isinstance(index, slice):
        stop = index.stop if index.stop is not None else writer.sizes.ranks.get(shape.ref)
        start = index.start or 0
        if stop is None or min(start, stop) < 0 or index.step not in (None, 1):
            raise UnsupportedOperation("how many sizes these are is not known", "take the sizes one by one")
        return [SymbolicSize(writer.sizes.size(shape.ref, place)) for place in range(start, stop)]
    return SymbolicSize(writer.sizes.size(shape.ref, index))
