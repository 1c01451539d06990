"""Kinds that join, split, reorder or repeat dimensions."""

from collections.abc import Iterator, Sequence
from math import prod

from workers.surgery.widths.axes import Axes, Axis, axis_size, is_fixed, merged_axis, nested_axis
from workers.surgery.widths.dependencies import NodeScope

Outputs = tuple[Axes, ...]
Run = tuple[list[int], list[int]]  # neighbouring dimensions of the input, and those of the output, of one product


def concatenation(node: NodeScope) -> Outputs:
    """Follow tensors that are joined along `dim`."""
    first, *others = node.inputs
    dim = node.parameters["dim"] % len(first)
    for axes in others:
        for place in range(len(first)):
            if place != dim:
                node.unify(first[place], axes[place])
    joined = tuple(part for axes in node.inputs for part in axes[dim])
    return ((*first[:dim], joined, *first[dim + 1 :]),)


def stack(node: NodeScope) -> Outputs:
    """Follow tensors that are joined along a new dimension."""
    first, *others = node.inputs
    for axes in others:
        for axis, other in zip(first, axes, strict=True):
            node.unify(axis, other)
    dim = node.parameters["dim"] % (len(first) + 1)
    return ((*first[:dim], node.fixed(len(node.inputs)), *first[dim:]),)


def flatten(node: NodeScope) -> Outputs:
    """Follow dimensions that become one."""
    return (_follow_runs(node, {}),)


def unflatten(node: NodeScope) -> Outputs:
    """Follow one dimension that becomes several, of sizes that the document has."""
    first = node.parameters["dim"] % len(node.inputs[0])
    places = {first + place: place for place in range(len(node.parameters["unflattened_size"]))}
    output = _follow_runs(node, {})
    for place, index in places.items():
        node.size("unflattened_size", output[place], index)
    return (output,)


def reshape(node: NodeScope) -> Outputs:
    """Follow a new shape. Where one dimension becomes several, the one written as -1 is the one that changes."""
    given = node.parameters["shape"]
    output = _follow_runs(node, {place: size for place, size in enumerate(given) if size == -1})
    for place, size in enumerate(given):
        if size > 0:
            node.size("shape", output[place], place)
    return (output,)


def _follow_runs(node: NodeScope, inferred: dict[int, int]) -> Axes:
    """Return the axes of the output. `inferred` are its dimensions whose sizes follow from the others."""
    axes, shape = node.inputs[0], node.output_shapes()[0]
    output = [node.fixed(size) for size in shape]
    for sources, targets in _runs(axes, shape):
        read = tuple(axes[place] for place in sources)
        if all(map(is_fixed, read)):
            continue
        if len(sources) == 1 and len(targets) > 1:
            _split_axis(node, read[0], targets, output, [place for place in targets if place in inferred])
        elif len(targets) == 1 and (joined := merged_axis(read)) is not None:
            output[targets[0]] = joined
        else:
            node.obstruct_all(read, "joins or splits dimensions of which more than one can change")
    return tuple(output)


def _runs(axes: Axes, after: Sequence[int]) -> Iterator[Run]:
    """Yield the smallest runs of dimensions of equal products, without fixed ones of size one where others remain."""
    before = tuple(map(axis_size, axes))
    left, right = 0, 0
    while left < len(before) or right < len(after):
        sources, targets = [left] if left < len(before) else [], [right] if right < len(after) else []
        left, right = left + len(sources), right + len(targets)
        while (first := prod(before[at] for at in sources)) != (second := prod(after[at] for at in targets)):
            if first < second:
                sources.append(left)
                left += 1
            else:
                targets.append(right)
                right += 1
        yield (
            [at for at in sources if before[at] != 1 or not is_fixed(axes[at])] or sources,
            [at for at in targets if after[at] != 1] or targets,
        )


def _split_axis(node: NodeScope, axis: Axis, targets: list[int], output: list[Axis], inferred: list[int]) -> None:
    """Put the axis that changes among the dimensions that one becomes."""
    shape = node.output_shapes()[0]
    (part, *others) = node.dependencies.groups.resolve(axis)
    for place in targets:
        outer = prod(shape[at] for at in targets if at < place)
        inner = prod(shape[at] for at in targets if at > place)
        matches = not others and (part.outer, part.inner) == (outer, inner)
        if matches or inferred == [place]:
            channels = node.create(shape[place])
            node.unify(axis, nested_axis(channels, outer, inner))
            output[place] = channels
            return
    hint = 'use reshape, and write -1 in its "shape" for the dimension that shall change'
    node.obstruct(axis, "change", "splits a dimension into several, of which any could change", hint)


def reordered(node: NodeScope) -> Outputs:
    """Follow `permute`, `transpose`, `movedim`, `squeeze` and `unsqueeze`."""
    axes, parameters = list(node.inputs[0]), node.parameters
    rank = len(axes)
    if node.kind == "permute":
        axes = [axes[dim] for dim in parameters["dims"]]
    elif node.kind == "transpose":
        first, second = parameters["dim0"], parameters["dim1"]
        axes[first], axes[second] = axes[second], axes[first]
    elif node.kind == "movedim":
        moved = axes.pop(parameters["source"])
        axes.insert(parameters["destination"] % rank, moved)
    elif node.kind == "unsqueeze":
        axes.insert(parameters["dim"] % (rank + 1), node.fixed(1))
    elif len(node.output_shapes()[0]) < rank:  # squeeze does nothing to another size
        node.obstruct_all([axes.pop(parameters["dim"])], "drops a dimension of size one")
    return (tuple(axes),)


def repeated(node: NodeScope) -> Outputs:
    """Follow `tile`, `repeat_interleave` and `expand`."""
    axes, parameters = list(node.inputs[0]), node.parameters
    shape = node.output_shapes()[0]
    axes = [node.fixed(1)] * (len(shape) - len(axes)) + axes
    if node.kind == "repeat_interleave":
        place = parameters["dim"]
        axes[place] = nested_axis(axes[place], inner=parameters["repeats"])
        return (tuple(axes),)
    for place, size in enumerate(shape):
        before = axis_size(axes[place])
        if size == before:
            continue
        if node.kind == "expand":
            node.obstruct_all([axes[place]], "repeats a dimension of size one")
            axes[place] = node.fixed(size)
        else:
            axes[place] = nested_axis(axes[place], outer=size // before)
    for place, size in enumerate(parameters["size"] if node.kind == "expand" else ()):
        if size > 0:
            node.size("size", axes[place], place)
    return (tuple(axes),)


def one_dimension_changed(node: NodeScope) -> Outputs:
    """Follow a node that changes the size or the order of some dimensions, and keeps the others.

    Nothing may change along the dimensions in its fields.
    """
    places = [node.parameters[name] for name in ("dim", "dims", "dimension") if name in node.parameters]
    changed = {dim % len(node.inputs[0]) for each in places for dim in (each if isinstance(each, tuple) else (each,))}
    axes = list(node.inputs[0])
    shape = node.output_shapes()[0]
    for dim in sorted(changed, reverse=True):
        node.obstruct_all([axes[dim]], "takes some of its entries, or reorders them")
        if node.kind == "select":
            del axes[dim]
        else:
            axes[dim] = node.fixed(shape[dim])
    if node.kind == "windows":
        axes.append(node.fixed(shape[-1]))
    return tuple(tuple(axes) for _ in node.output_shapes())


def padding(node: NodeScope) -> Outputs:
    """Follow padding of the last dimensions, along which nothing may change."""
    axes = list(node.inputs[0])
    for place, size in enumerate(node.output_shapes()[0]):
        if size != node.trace.inputs[0].shape[place]:
            node.obstruct_all([axes[place]], "pads it")
            axes[place] = node.fixed(size)
    return (tuple(axes),)
