"""Groups of channels that change together, by union-find (Tarjan 1975) with the layout of one group in another."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import lcm
from typing import Literal

from workers.surgery.widths.axes import Axis, Part, nested_axis

Prevents = Literal["change", "output", "widen", "zero", "uneven"]


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a group of channels cannot change in some way, and what a user can do.

    `prevents` is "change" where nothing can follow; "output" where the network's output would change; "widen" where no
    wider network computes the same; "zero" where new channels that are not copies change what is computed; "uneven"
    where copies do too, unless there are equally many of each channel.
    """

    prevents: Prevents
    node: str
    detail: str
    hint: str = ""


class ChannelGroups:
    """Groups of channels. What holds for one is known by its root; others have a layout of parts of roots."""

    def __init__(self) -> None:
        self._sizes: list[int] = []
        self._layouts: dict[int, Axis] = {}  # of groups that are no roots
        self._obstacles: dict[int, list[Obstacle]] = {}

    def create(self, channels: int) -> Axis:
        """Return the axis of a new group."""
        self._sizes.append(channels)
        return (Part(channels, len(self._sizes) - 1),)

    def channels(self, group: int) -> int:
        """Return the number of channels of a group."""
        return self._sizes[group]

    def resolve(self, axis: Axis) -> Axis:
        """Return the axis in parts of roots."""
        return tuple(root for part in axis for root in self._resolve(part))

    def _resolve(self, part: Part) -> Iterator[Part]:
        if part.group is None or part.group not in self._layouts:
            yield part
            return
        layout = self._layouts[part.group] = self.resolve(self._layouts[part.group])
        if len(layout) == 1:
            (only,) = layout
            outer, inner = part.outer * only.outer, part.inner * only.inner
            yield replace(only, size=part.size, outer=outer, inner=inner)
            return
        for _ in range(part.outer):
            for inside in layout:
                yield replace(inside, size=inside.size * part.inner, inner=inside.inner * part.inner)

    def obstruct(self, axis: Axis, obstacle: Obstacle) -> None:
        """Add an obstacle to all groups of an axis."""
        for part in self.resolve(axis):
            if part.group is not None:
                self._add_obstacle(part.group, obstacle)

    def _add_obstacle(self, group: int, obstacle: Obstacle) -> None:
        entries = self._obstacles.setdefault(group, [])
        if obstacle not in entries:
            entries.append(obstacle)

    def obstacles(self, group: int) -> tuple[Obstacle, ...]:
        """Return the obstacles of a root."""
        return tuple(self._obstacles.get(group, ()))

    def unify(self, first: Axis, second: Axis, node: str) -> None:
        """Let two axes of equal size change alike. `node` is why, for messages."""
        left, right = list(first[::-1]), list(second[::-1])
        while left and right:
            part, other = self._next_root(left), self._next_root(right)
            if part.size == other.size:
                self._unify_parts(part, other, node)
                continue
            larger, size = (part, other.size) if part.size > other.size else (other, part.size)
            pieces = self._split(larger, size)
            if pieces is None:
                detail = f"{node} joins channels that are laid out differently"
                self.obstruct((part, other, *left, *right), Obstacle("change", node, detail))
                return
            left.extend(pieces[::-1] if larger is part else (part,))
            right.extend(pieces[::-1] if larger is other else (other,))

    def _next_root(self, parts: list[Part]) -> Part:
        """Remove the last part of a list, and return the first root in it; the others return to the list."""
        first, *rest = self.resolve((parts.pop(),))
        parts.extend(rest[::-1])
        return first

    def _unify_parts(self, part: Part, other: Part, node: str) -> None:
        if part.group is None or other.group is None:
            constant = part if part.group is None else other
            detail = f"{node} joins it with {constant.origin or 'a fixed size'}"
            hint = "widen or narrow a layer whose outputs only layers read, or insert a Linear or a 1x1 convolution"
            self.obstruct((part, other), Obstacle("change", node, detail, hint))
            return
        if part.group == other.group:
            if (part.outer, part.inner) != (other.outer, other.inner):
                detail = f"{node} joins channels with themselves in another order"
                self.obstruct((part,), Obstacle("change", node, detail))
            return
        outer, inner = lcm(part.outer, other.outer), lcm(part.inner, other.inner)
        if part.size % (outer * inner):
            detail = f"{node} joins channels that are laid out differently"
            self.obstruct((part, other), Obstacle("change", node, detail))
            return
        (root,) = self.create(part.size // (outer * inner))
        for each, group in ((part, part.group), (other, other.group)):
            size = each.size // (each.outer * each.inner)
            layout = replace(root, size=size, outer=outer // each.outer, inner=inner // each.inner)
            self._set_layout(group, (layout,))

    def _set_layout(self, group: int, layout: Axis) -> None:
        self._layouts[group] = layout
        for obstacle in self._obstacles.pop(group, ()):
            self.obstruct(layout, obstacle)

    def _split(self, part: Part, size: int) -> tuple[Part, Part] | None:
        """Return two parts, of which the first has this size or is a whole repetition; `None` if it cannot be split."""
        if part.group is None:
            return replace(part, size=size), replace(part, size=part.size - size)
        if part.outer > 1:
            row = part.size // part.outer
            count = max(1, size // row)
            first, rest = replace(part, size=count * row, outer=count), part.outer - count
            return first, replace(part, size=rest * row, outer=rest)
        if size % part.inner:
            return None
        count = size // part.inner
        (first,), (second,) = self.create(count), self.create(self._sizes[part.group] - count)
        self._set_layout(part.group, (first, second))
        head, tail = nested_axis((first, second), inner=part.inner)
        return head, tail
