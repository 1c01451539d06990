"""Control flow: bodies are followed with the axes that they get; what a body carries changes alike everywhere."""

from collections.abc import Sequence

from workers.surgery.widths.axes import Axes
from workers.surgery.widths.dependencies import NodeScope

Outputs = tuple[Axes, ...]


def _unify_values(node: NodeScope, first: Sequence[Axes], second: Sequence[Axes]) -> None:
    for axes, others in zip(first, second, strict=False):
        for axis, other in zip(axes, others, strict=True):
            node.unify(axis, other)


def block(node: NodeScope) -> Outputs:
    """Follow a use of a block."""
    return node.body("name", node.inputs)


def branches(node: NodeScope) -> Outputs:
    """Follow `If` and `Route`: all bodies give the same."""
    _, *inputs = node.inputs
    bodies = [node.body(name, inputs) for name in node.trace.node.bodies]
    if node.kind == "If" and len(bodies) == 1:
        bodies.append(tuple(inputs))
    for others in bodies[1:]:
        _unify_values(node, bodies[0], others)
    return bodies[0]


def repeat(node: NodeScope) -> Outputs:
    """Follow `Repeat`: each iteration reads what the one before gave."""
    inputs = list(node.inputs)[node.parameters["times"] is None :]
    carried: Sequence[Axes] = inputs
    for name in node.trace.node.bodies:
        outputs = node.body(name, [*carried[: node.parameters["carry"]], *inputs[node.parameters["carry"] :]])
        _unify_values(node, outputs, inputs)
        carried = outputs
    return tuple(carried)


def while_loop(node: NodeScope) -> Outputs:
    """Follow `While`: the body's outputs replace its first inputs."""
    outputs = node.body("body", node.inputs)
    _unify_values(node, outputs, node.inputs)
    node.body("condition", node.inputs)
    return outputs


def scan(node: NodeScope) -> Outputs:
    """Follow `Scan`: the body gets the carry, one step of each sequence, and the other inputs."""
    carry, over = node.parameters["carry"], node.parameters["over"]
    inputs = list(node.inputs)
    sequences = inputs[carry : carry + over]
    rest = inputs[carry + over + node.parameters["lengths"] :]
    for batch, steps, *_ in sequences:
        node.obstruct_all([batch, steps], "runs along them")
    steps_axes = [(batch, *features) for batch, _, *features in sequences]
    outputs = node.body("body", [*inputs[:carry], *steps_axes, *rest])
    _unify_values(node, outputs[:carry], inputs)
    steps = sequences[0][1]
    return (*outputs[:carry], *((axes[0], steps, *axes[1:]) for axes in outputs[carry:]))


def fold(node: NodeScope) -> Outputs:
    """Follow `Fold`: every cell gets a value and its children's states, and gives the states."""
    (batch, rows, *features), children = node.inputs[:2]
    value = (batch, *features)
    states = node.body("leaf", [value])
    arity = children[2]
    below = [(axes[0], arity, *axes[1:]) for axes in states]
    mask = [(batch, arity)] if node.parameters["pass_mask"] else []
    for name in node.trace.node.bodies:
        if name != "leaf":
            _unify_values(node, node.body(name, [value, *below, *mask]), states)
    return tuple((axes[0], rows, *axes[1:]) for axes in states) if node.parameters["all_nodes"] else states
