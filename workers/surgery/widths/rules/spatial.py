"""Kinds that keep channels, or that move them about, and normalisation over channels without weights."""

from workers.surgery.widths.axes import Axes, nested_axis
from workers.surgery.widths.dependencies import NodeScope

Outputs = tuple[Axes, ...]


def unchanged(node: NodeScope) -> Outputs:
    """Follow a node that computes every value by itself."""
    return (node.inputs[0],)


def partly_defined(node: NodeScope) -> Outputs:
    """Follow a function that is not finite for every number: a new channel could be NaN, which times zero is NaN."""
    for axis in node.inputs[0]:
        node.obstruct(axis, "zero", "is not finite for every number")
    return (node.inputs[0],)


def channels_kept(node: NodeScope) -> Outputs:
    """Follow (N, C, *) → (N, C, *), where the other dimensions get other sizes."""
    batch, channels, *room = node.inputs[0]
    node.obstruct_all(room, "works along them")
    return tuple((batch, channels, *map(node.fixed, shape[2:])) for shape in node.output_shapes())


def softmax(node: NodeScope) -> Outputs:
    """Follow a softmax along `dim`: more values change all of them."""
    place = 1 if node.kind == "Softmax2d" else node.parameters["dim"]
    node.obstruct(node.inputs[0][place], "widen", "gives shares of a sum over all channels")
    return (node.inputs[0],)


def normalize(node: NodeScope) -> Outputs:
    """Follow a division by a norm along `dim`, which grows with the number of values."""
    node.obstruct(node.inputs[0][node.parameters["dim"]], "widen", "divides by a norm over all channels")
    return (node.inputs[0],)


def neighbour_norm(node: NodeScope) -> Outputs:
    """Follow a normalisation over neighbouring channels."""
    node.obstruct(node.inputs[0][1], "widen", "normalises over neighbouring channels")
    return (node.inputs[0],)


def gated(node: NodeScope) -> Outputs:
    """Follow the first half of a dimension times the sigmoid of its second half."""
    axes = list(node.inputs[0])
    place = node.parameters["dim"]
    half = node.create(node.output_shapes()[0][place])
    node.unify(axes[place], nested_axis(half, outer=2))
    axes[place] = half
    return (tuple(axes),)


def channel_shuffle(node: NodeScope) -> Outputs:
    """Follow channels (groups, C / groups) to (C / groups, groups)."""
    batch, channels, *room = node.inputs[0]
    groups = node.parameters["groups"]
    units = node.create(node.output_shapes()[0][1] // groups)
    node.unify(channels, nested_axis(units, outer=groups))
    return ((batch, nested_axis(units, inner=groups), *room),)


def channels_joined(node: NodeScope) -> Outputs:
    """Follow `k` neighbouring channels that become one: to pixels, or to the sum of windows."""
    batch, channels, *room = node.inputs[0]
    node.obstruct_all(room, "works along them")
    shape = node.output_shapes()[0]
    units = node.create(shape[1])
    node.unify(channels, nested_axis(units, inner=node.trace.inputs[0].shape[1] // shape[1]))
    return ((batch, units, *map(node.fixed, shape[2:])),)


def channels_divided(node: NodeScope) -> Outputs:
    """Follow one channel that becomes `k` neighbours: pixels, or windows."""
    batch, channels, *room = node.inputs[0]
    node.obstruct_all(room, "works along them")
    shape = node.output_shapes()[0]
    inner = shape[1] // node.trace.inputs[0].shape[1]
    return ((batch, nested_axis(channels, inner=inner), *map(node.fixed, shape[2:])),)
