"""Products of tensors: the dimensions that they share change alike, and sums over more channels are other sums."""

from workers.surgery.widths.axes import Axes, Axis, axis_size
from workers.surgery.widths.dependencies import NodeScope
from workers.surgery.widths.rules.elementwise import opaque

Outputs = tuple[Axes, ...]
SUMMED = "sums products over all channels"
SUM_HINT = "use narrow, or widen another layer"


def contraction(node: NodeScope, first: Axis, second: Axis) -> None:
    """Follow a sum of products along two dimensions."""
    node.unify(first, second)
    node.obstruct(first, "widen", SUMMED, SUM_HINT)


def matmul(node: NodeScope) -> Outputs:
    """Follow (*, n, m), (*, m, p) → (*, n, p), and `baddbmm`, which adds to it."""
    *added, first, second = node.inputs
    if min(len(first), len(second)) < 2 or not _equal_sizes(first[:-2], second[:-2], len(second) == 2):
        return opaque(node)
    contraction(node, first[-1], second[-2])
    _unify_all(node, first[:-2], second[:-2])
    output = (*first[:-1], second[-1])
    for axes in added:
        _unify_all(node, output, axes)
    return (output,)


def _equal_sizes(first: Axes, second: Axes, optional: bool = False) -> bool:
    """Say whether nothing is broadcast. With `optional` the second may have no dimensions."""
    return (optional and not second) or tuple(map(axis_size, first)) == tuple(map(axis_size, second))


def _unify_all(node: NodeScope, first: Axes, second: Axes) -> None:
    for axis, other in zip(first, second, strict=False):
        node.unify(axis, other)


def linear_function(node: NodeScope) -> Outputs:
    """Follow x (N, *, in), weights (out, in) and bias (out) that other nodes compute."""
    values, weights, *bias = node.inputs
    contraction(node, values[-1], weights[-1])
    for axes in bias:
        node.unify(weights[0], axes[0])
    return ((*values[:-1], weights[0]),)


def convolution_function(node: NodeScope) -> Outputs:
    """Follow images and weights (out, in, *) that other nodes compute."""
    (batch, channels, *room), weights, *bias = node.inputs
    if node.parameters["groups"] != 1:
        return opaque(node)
    node.obstruct_all([*room, *weights[2:]], "works along them")
    contraction(node, channels, weights[1])
    for axes in bias:
        node.unify(weights[0], axes[0])
    return ((batch, weights[0], *map(node.fixed, node.output_shapes()[0][2:])),)


def attention_function(node: NodeScope) -> Outputs:
    """Follow query (N, *, L, E), key (N, *, S, E) and value (N, *, S, V) → (N, *, L, V)."""
    query, key, value, *masks = node.inputs
    if not _equal_sizes(query[:-2], key[:-2]) or not _equal_sizes(query[:-2], value[:-2]):
        return opaque(node)
    contraction(node, query[-1], key[-1])
    node.obstruct_all([query[-2], key[-2], value[-2], *(axis for axes in masks for axis in axes)], "attends along them")
    _unify_all(node, query[:-2], key[:-2])
    _unify_all(node, query[:-2], value[:-2])
    return ((*query[:-1], value[-1]),)


def einsum(node: NodeScope) -> Outputs:
    """Follow the letters of an equation: equal ones change alike, and those that are summed sum other products."""
    equation = node.parameters["equation"].replace(" ", "")
    if "." in equation or "->" not in equation:
        return opaque(node)
    left, output = equation.split("->")
    by_letter: dict[str, Axis] = {}
    for letters, axes in zip(left.split(","), node.inputs, strict=True):
        for letter, axis in zip(letters, axes, strict=True):
            node.unify(by_letter.setdefault(letter, axis), axis)
    for letter, axis in by_letter.items():
        if letter not in output:
            node.obstruct(axis, "widen", SUMMED, SUM_HINT)
    return (tuple(by_letter[letter] for letter in output),)


def outer(node: NodeScope) -> Outputs:
    """Follow (N, a), (N, b) → (N, a, b)."""
    first, second = node.inputs
    if not _equal_sizes(first[:-1], second[:-1]):
        return opaque(node)
    _unify_all(node, first[:-1], second[:-1])
    return ((*first, second[-1]),)


def lookup(node: NodeScope) -> Outputs:
    """Follow integers (N, *) and weights (rows, D) → (N, *, D)."""
    places, weights = node.inputs
    node.obstruct_all([weights[0]], "looks up its entries")
    return ((*places, weights[1]),)
