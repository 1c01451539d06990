"""How channels of one group change, and the tensor map that follows."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from workers.network.analysis.parameters import index_parameters
from workers.network.blueprint import Blueprint
from workers.surgery.tensor_map import NEW, AxisMap, Fill, TensorSource
from workers.surgery.widths.axes import Axis, Part
from workers.surgery.widths.dependencies import Dependencies, SizeField, TensorAxis


@dataclass(frozen=True, slots=True)
class ChannelMap:
    """For each new channel of a group the old one that it continues, or `NEW`; `channels` is their number before."""

    group: int
    channels: int
    indices: tuple[int, ...]

    def entries(self, axis: Axis) -> tuple[int, ...]:
        """Return for each new entry of an axis, in parts of roots, the old one that it continues, or `NEW`."""
        entries: list[int] = []
        start = 0
        for part in axis:
            entries.extend(range(start, start + part.size) if part.group != self.group else self._of_part(part, start))
            start += part.size
        return tuple(entries)

    def _of_part(self, part: Part, start: int) -> Iterator[int]:
        for repetition in range(part.outer):
            for channel in self.indices:
                first = start + (repetition * self.channels + channel) * part.inner
                yield from [NEW] * part.inner if channel == NEW else range(first, first + part.inner)

    def shares(self, axis: Axis) -> tuple[float, ...] | None:
        """Return 1 / copies for each new entry of an axis; `None` if nothing is copied."""
        copies = Counter(channel for channel in self.indices if channel != NEW)
        if max(copies.values()) == 1:
            return None
        channel_shares = [1.0 if channel == NEW else 1.0 / copies[channel] for channel in self.indices]
        shares: list[float] = []
        for part in axis:
            if part.group != self.group:
                shares.extend([1.0] * part.size)
                continue
            for _ in range(part.outer):
                shares.extend(share for share in channel_shares for _ in range(part.inner))
        return tuple(shares)


def changed_sizes(dependencies: Dependencies, change: ChannelMap) -> Iterator[tuple[SizeField, int]]:
    """Yield the fields of the document that change, with their new values."""
    for entry in dependencies.sizes.values():
        axis = dependencies.groups.resolve(entry.parts)
        if any(part.group == change.group for part in axis):
            yield entry, len(change.entries(axis)) // entry.divisor


def changed_tensors(dependencies: Dependencies, change: ChannelMap) -> Iterator[tuple[TensorAxis, Axis]]:
    """Yield the axes of tensors that change, with their parts in roots."""
    for entry in dependencies.tensors:
        axis = dependencies.groups.resolve(entry.parts)
        if any(part.group == change.group for part in axis):
            yield entry, axis


def tensor_map(
    dependencies: Dependencies,
    change: ChannelMap,
    after: Blueprint,
    *,
    output_fill: Fill = "default",
    noise: float = 0.0,
) -> dict[str, TensorSource] | None:
    """Return where every tensor of the changed network comes from; `None` if its shapes are not those that follow.

    What reads channels is divided by the number of their copies (Chen et al. 2016, Net2Net). The gradient of what makes
    a channel is divided too: with y = W h and W'[:, j'] = W[:, j] / n, the gradient of each copy h'[j'] is that of h[j]
    by n, and that of W'[:, j'] is that of W[:, j]. New entries of what reads channels are zero, others are filled.
    """
    axes: dict[str, dict[int, AxisMap]] = {}
    reading: set[str] = set()
    for entry, axis in changed_tensors(dependencies, change):
        shares, is_output = change.shares(axis), entry.role == "output"
        row = AxisMap(entry.axis, change.entries(axis), None if is_output else shares, shares if is_output else None)
        if axes.setdefault(entry.name, {}).setdefault(entry.axis, row) != row:
            return None
        reading |= set() if is_output else {entry.name}
    old_shapes, new_shapes = dependencies.parameters.shapes, index_parameters(after).shapes
    sources: dict[str, TensorSource] = {}
    adds = NEW in change.indices
    for name, shape in new_shapes.items():
        rows = axes.get(name, {})
        expected = [len(rows[place].indices) if place in rows else size for place, size in enumerate(shape)]
        kept = [size for place, size in enumerate(old_shapes.get(name, ())) if place not in rows]
        if list(shape) != expected or kept != [size for place, size in enumerate(shape) if place not in rows]:
            return None
        weighs = len(shape) > 1 and any(each.gradient_factors is not None for each in rows.values())
        sources[name] = TensorSource(
            name,
            tuple(rows[place] for place in sorted(rows)),
            fill="default" if not adds or not rows else "zero" if name in reading else output_fill,
            noise=noise if weighs else 0.0,
        )
    return sources
