"""Elementwise operations on several tensors, reductions, leaves, and tensors that are created."""

from workers.surgery.widths.axes import Axes, Axis, axis_size
from workers.surgery.widths.dependencies import NodeScope
from workers.surgery.widths.groups import Prevents

Outputs = tuple[Axes, ...]

# What a reduction over channels that are copied, or added, does to its result.
REDUCTIONS: dict[str, tuple[Prevents, str]] = {
    "mean": ("uneven", "takes the mean over all channels"),
    "amax": ("zero", "takes the largest of all channels"),
    "amin": ("zero", "takes the smallest of all channels"),
    "any": ("zero", "asks whether any channel is true"),
    "all": ("zero", "asks whether all channels are true"),
    "argmax": ("change", "gives an index of a channel"),
    "argmin": ("change", "gives an index of a channel"),
    "cosine_similarity": ("uneven", "compares directions over all channels"),
}
PARTLY_DEFINED = frozenset({"div", "pow", "remainder", "fmod", "xlogy"})


def broadcast(node: NodeScope) -> Outputs:
    """Follow tensors that are combined element by element: their dimensions change alike."""
    rank = max(len(axes) for axes in node.inputs)
    output: list[Axis] = []
    for place in range(-rank, 0):
        axes = [axes[place] for axes in node.inputs if len(axes) >= -place]
        largest = max(axes, key=axis_size)
        for axis in axes:
            if axis_size(axis) != axis_size(largest):
                node.obstruct_all([axis], "repeats a dimension of size one")
            elif axis is not largest:
                node.unify(largest, axis)
        output.append(largest)
        if node.kind in PARTLY_DEFINED and (len(node.inputs) > 1 or node.kind == "pow"):
            node.obstruct(largest, "zero", "is not finite for every number")
    return tuple(tuple(output) for _ in node.output_shapes())


def reduction(node: NodeScope) -> Outputs:
    """Follow a reduction over `dim`, or over all dimensions."""
    rank = len(node.inputs[0])
    given = -1 if node.kind == "pairwise_distance" else node.parameters.get("dim")
    dims = range(rank) if given is None else given if isinstance(given, tuple) else (given,)
    reduced = {dim % rank for dim in dims}
    axes = broadcast(node)[0] if len(node.inputs) > 1 else node.inputs[0]
    prevents, detail = REDUCTIONS.get(node.kind, ("widen", "combines all channels"))
    for place in reduced:
        node.obstruct(axes[place], prevents, detail, "use narrow, or widen another layer")
    if node.parameters.get("keepdim"):
        output = tuple(node.fixed(1) if place in reduced else axis for place, axis in enumerate(axes))
    else:
        output = tuple(axis for place, axis in enumerate(axes) if place not in reduced)
    return tuple(output for _ in node.output_shapes())


def cumulative(node: NodeScope) -> Outputs:
    """Follow an operation whose values along `dim` depend on those before them."""
    node.obstruct(node.inputs[0][node.parameters["dim"]], "widen", "combines each channel with those before it")
    return tuple(node.inputs[0] for _ in node.output_shapes())


def position_dependent(node: NodeScope) -> Outputs:
    """Follow an operation that adds another number to each channel, by its position."""
    node.obstruct_all(node.inputs[0][1:-1], "works along them")
    node.obstruct(node.inputs[0][-1], "widen", "adds to every channel what depends on its position")
    return (node.inputs[0],)


def random_values(node: NodeScope) -> Outputs:
    """Follow random numbers in the shape of the input: those of copies differ."""
    for axis in node.inputs[0]:
        node.obstruct(axis, "widen", "draws another number for every channel")
    return (node.inputs[0],)


def pooled_sequence(node: NodeScope) -> Outputs:
    """Follow (N, L, *) → (N, *)."""
    batch, steps, *features = node.inputs[0]
    node.obstruct_all([steps], "works along them")
    return ((batch, *features),)


def leaf(node: NodeScope) -> Outputs:
    """Follow a tensor of the network, whose shape is in the document; a constant has its values there."""
    if "shape" not in node.parameters:
        return node.fixed_outputs()
    axes = tuple(node.group("shape", size, place) for place, size in enumerate(node.parameters["shape"]))
    for place, axis in enumerate(axes):
        node.size("shape", axis, place)
        node.produce("", axis, place)
    return (axes,)


def created(node: NodeScope) -> Outputs:
    """Follow a tensor (N, *shape) whose shape is in the document."""
    axes = tuple(node.group("shape", size, place) for place, size in enumerate(node.parameters["shape"]))
    for place, axis in enumerate(axes):
        node.size("shape", axis, place)
        if node.kind in ("rand", "randn"):
            node.obstruct(axis, "widen", "draws another number for every channel")
    return ((node.inputs[0][0], *axes),)


def constant(node: NodeScope) -> Outputs:
    """Follow a node whose output does not depend on the width of what it reads."""
    return node.fixed_outputs()


def counted(node: NodeScope) -> Outputs:
    """Follow `arange` and `length_mask`, which read the size of a dimension alone."""
    node.obstruct_all([node.inputs[0][node.parameters.get("dim", 1)]], "counts its entries")
    return node.fixed_outputs()


def opaque(node: NodeScope) -> Outputs:
    """Follow a node that no rule describes: nothing that it reads or gives can change."""
    for axes in node.inputs:
        node.obstruct_all(axes, "reads it in a way that is not followed")
    return node.fixed_outputs()
