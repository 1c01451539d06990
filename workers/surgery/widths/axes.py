"""Axes of tensors as sequences of parts: channels that change together, and sizes that stay."""

from dataclasses import dataclass, replace
from math import prod


@dataclass(frozen=True, slots=True)
class Part:
    """A range of an axis: `outer` repetitions of a group's channels, each with `inner` neighbouring entries.

    The entry of repetition a, channel c and place b has the index (a * channels + c) * inner + b in the range. A range
    without a group has a size that cannot change; `origin` says in words where it comes from.
    """

    size: int  # entries
    group: int | None = None
    outer: int = 1
    inner: int = 1
    origin: str = ""


Axis = tuple[Part, ...]
Axes = tuple[Axis, ...]  # of one value


def fixed_axis(size: int, origin: str) -> Axis:
    """Return an axis whose size cannot change."""
    return (Part(size, origin=origin),)


def axis_size(axis: Axis) -> int:
    """Return the number of entries."""
    return sum(part.size for part in axis)


def is_fixed(axis: Axis) -> bool:
    """Say whether no part of the axis can change."""
    return all(part.group is None for part in axis)


def nested_axis(axis: Axis, outer: int = 1, inner: int = 1) -> Axis:
    """Return the axis of `outer` repetitions of an axis, each of whose entries has become `inner` neighbours."""
    spread = tuple(replace(part, size=part.size * inner, inner=part.inner * inner) for part in axis)
    if outer == 1:
        return spread
    if len(spread) == 1:
        (part,) = spread
        return (replace(part, size=part.size * outer, outer=part.outer * outer),)
    return spread * outer


def merged_axis(axes: Axes) -> Axis | None:
    """Return the axis of neighbouring dimensions that are joined; `None` if several of them can change."""
    changing = [place for place, axis in enumerate(axes) if not is_fixed(axis)]
    if len(changing) > 1:
        return None
    place = changing[0] if changing else 0
    sizes = [axis_size(axis) for axis in axes]
    return nested_axis(axes[place], prod(sizes[:place]), prod(sizes[place + 1 :]))
