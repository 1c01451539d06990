"""What an operation of the user's gives, where that is not one tensor."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from graftwerk.tracing.sizes import Shape, Size
from graftwerk.tracing.unsupported import Refusal
from graftwerk.tracing.writer import Writer


@dataclass(frozen=True)
class Tensor:
    """One tensor: a node's id, or the name of an input."""

    ref: str


@dataclass(frozen=True)
class Parts:
    """Several values, of which each is written when it is taken."""

    take: Callable[[int], Any]
    names: tuple[str, ...] = ()  # attributes under which they are known


@dataclass(frozen=True)
class Lost:
    """What a refused operation would have given."""


def part(parts: Parts, index: Any) -> Any:
    """Return one of several values. Raises `Refusal`."""
    if not isinstance(index, int):
        raise Refusal("only single parts can be taken here", "take them one by one")
    return parts.take(index)


def item(writer: Writer, value: Tensor, index: Any) -> Any:
    """Write what ``value[index]`` gives. Raises `Refusal`."""
    items = list(index) if isinstance(index, tuple | list) else [index]
    if sum(each is Ellipsis for each in items) > 1 or any(isinstance(each, Tensor | Parts) for each in items):
        raise Refusal("places are given as numbers here", "use gather-like operations of the language, or torch.where")
    cut = items.index(Ellipsis) if Ellipsis in items else len(items)
    ref = value.ref
    place = 0
    for each in items[:cut]:
        ref, place = _taken(writer, ref, each, place)
    after = items[cut + 1 :]
    if None in after:
        raise Refusal("None after ... is not followed", "use unsqueeze")
    for back, each in enumerate(reversed(after)):
        taken = len([one for one in after[len(after) - back :] if not isinstance(one, slice)])
        ref, _ = _taken(writer, ref, each, -1 - back + taken)
    return Tensor(ref)


def _taken(writer: Writer, ref: str, index: Any, place: int) -> tuple[str, int]:
    """Apply one index at a place; returns the reference and the place of the next index."""
    if index is None:
        return writer.add("unsqueeze", [ref], {"dim": place}), place + 1
    if isinstance(index, bool) or not isinstance(index, int | slice):
        raise Refusal(f"the index {index!r} is no number", "use numbers and slices")
    if isinstance(index, int):
        return writer.add("select", [ref], {"dim": place, "index": index}), place
    if index == slice(None):
        return ref, place + 1
    start, stop = index.start or 0, index.stop
    if index.step not in (None, 1) or not isinstance(start, int) or not isinstance(stop, int) or not 0 <= start < stop:
        raise Refusal("a stretch has a start and a stop that are fixed and not counted from the end, and no step",
                      "write it as x[:, START:STOP] with numbers")  # fmt: skip
    return writer.add("narrow", [ref], {"dim": place, "start": start, "length": stop - start}), place + 1


def stretches(writer: Writer, value: Tensor, sizes: Any, dim: int) -> Parts:
    """Return what ``split`` gives: stretches of one size, or of several."""

    def take(index: int) -> Tensor:
        if isinstance(sizes, int):
            start, length = index * sizes, sizes
        else:
            start, length = sum(sizes[:index]), sizes[index]
        if index < 0:
            raise Refusal("parts are counted from the front here", "use a number that is not negative")
        return Tensor(writer.add("narrow", [value.ref], {"dim": dim, "start": start, "length": length}))

    return Parts(take)


def slices(writer: Writer, value: Tensor, dim: int) -> Parts:
    """Return what ``unbind`` gives: slices along a dimension."""
    return Parts(lambda index: Tensor(writer.add("select", [value.ref], {"dim": dim, "index": index})))


def shape_item(writer: Writer, shape: Shape, index: Any) -> Any:
    """Return one size, or several."""
    if isinstance(index, slice):
        stop = index.stop if index.stop is not None else writer.sizes.ranks.get(shape.ref)
        start = index.start or 0
        if stop is None or min(start, stop) < 0 or index.step not in (None, 1):
            raise Refusal("how many sizes these are is not known", "take the sizes one by one")
        return [Size(writer.sizes.at(shape.ref, place)) for place in range(start, stop)]
    return Size(writer.sizes.at(shape.ref, index))
