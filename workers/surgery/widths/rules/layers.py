"""Layers with weights over channels: linear, convolution, embedding, normalisation."""

from workers.network.inference.input_checks import to_tuple
from workers.surgery.widths.axes import Axes, axis_size, nested_axis
from workers.surgery.widths.dependencies import NodeScope

Outputs = tuple[Axes, ...]
CHANNELS = 1  # the dimension of channels in (N, C, *)


def linear(node: NodeScope) -> Outputs:
    """Follow (N, *, in) → (N, *, out)."""
    *leading, features = node.inputs[0]
    output = node.width("out_features")
    node.size("in_features", features)
    node.produce("weight", output)
    node.read("weight", features)
    node.produce("bias", output)
    return ((*leading, output),)


def bilinear(node: NodeScope) -> Outputs:
    """Follow (N, a), (N, b) → (N, out)."""
    (*leading, first), (*others, second) = node.inputs
    for axis, other in zip(leading, others, strict=True):
        node.unify(axis, other)
    output = node.width("out_features")
    for place, (name, features) in enumerate((("in1_features", first), ("in2_features", second)), start=1):
        node.size(name, features)
        node.read("weight", features, place)
    node.produce("weight", output)
    node.produce("bias", output)
    return ((*leading, output),)


def convolution(node: NodeScope) -> Outputs:
    """Follow (N, in, *) → (N, out, *). Of a grouped convolution whole groups are added and removed."""
    batch, channels, *room = node.inputs[0]
    node.obstruct_all(room, "works along them")
    transposed = node.kind.startswith("ConvTranspose")
    groups = node.parameters["groups"]
    node.size("in_channels", channels)
    if groups == 1:
        output = node.width("out_channels")
        node.produce("weight", output, int(transposed))
        node.read("weight", channels, 1 - int(transposed))
    else:
        blocks = node.group("groups", groups)
        node.size("groups", blocks)
        node.unify(channels, nested_axis(blocks, inner=node.parameters["in_channels"] // groups))
        output = nested_axis(blocks, inner=node.parameters["out_channels"] // groups)
        node.size("out_channels", output)
        node.dependencies.widths[node.pointer] = output
        node.produce("weight", channels if transposed else output)
    node.produce("bias", output)
    return ((batch, output, *map(node.fixed, node.output_shapes()[0][2:])),)


def embedding(node: NodeScope) -> Outputs:
    """Follow integers (N, *) → (N, *, D)."""
    output = node.width("embedding_dim")
    node.produce("weight", output, 1)
    leading = node.inputs[0][: len(node.output_shapes()[0]) - 1]
    return ((*leading, output),)


def channel_norm(node: NodeScope) -> Outputs:
    """Follow a normalisation of every channel by itself: (N, C, *) → the same."""
    channels = node.inputs[0][CHANNELS]
    node.size("num_features", channels)
    _obstruct_room(node)
    for name in ("weight", "bias", "running_mean", "running_var"):
        node.produce(name, channels)
    return (node.inputs[0],)


def _obstruct_room(node: NodeScope) -> None:
    """Let only equally many copies be made along dimensions over which statistics are taken."""
    for axis in node.inputs[0][CHANNELS + 1 :]:
        node.obstruct(axis, "uneven", "takes statistics over them")


def layer_norm(node: NodeScope) -> Outputs:
    """Follow a normalisation over the last dimensions: it is the same for equally many copies of each channel."""
    sizes = to_tuple(node.parameters["normalized_shape"], 1)
    several = isinstance(node.parameters["normalized_shape"], tuple)
    for place, axis in enumerate(node.inputs[0][-len(sizes) :]):
        node.size("normalized_shape", axis, place if several else None)
        node.obstruct(axis, "uneven", "normalises over all channels together")
        node.produce("weight", axis, place)
        node.produce("bias", axis, place)
    return (node.inputs[0],)


def group_norm(node: NodeScope) -> Outputs:
    """Follow a normalisation of groups of channels: whole groups are added and removed, unless there is one."""
    channels, groups = node.inputs[0][CHANNELS], node.parameters["num_groups"]
    if groups == 1:
        node.obstruct(channels, "uneven", "normalises over all channels together")
    else:
        blocks = node.group("num_groups", groups)
        node.size("num_groups", blocks)
        if (block := axis_size(channels) // groups) > 1:
            node.obstruct(blocks, "zero", f"normalises blocks of {block} channels")
        node.unify(channels, nested_axis(blocks, inner=block))
    _obstruct_room(node)
    node.size("num_channels", channels)
    node.produce("weight", channels)
    node.produce("bias", channels)
    return (node.inputs[0],)


def prelu(node: NodeScope) -> Outputs:
    """Follow a rectifier with a slope for each channel, or one for all."""
    if node.parameters["num_parameters"] > 1:
        channels = node.inputs[0][CHANNELS]
        node.size("num_parameters", channels)
        node.produce("weight", channels)
    return (node.inputs[0],)
