"""What the outputs of a network depend on, and the part of it that some of them need."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from app.spec.network.nodes import referenced_node
from workers.network.blueprint import Blueprint

NodeOrInput = int | str  # a node, by its place, or an input of the network


def input_dependencies(blueprint: Blueprint) -> dict[str, frozenset[str]]:
    """Return the inputs that each output depends on."""
    reads, made = _node_reads(blueprint)
    return {
        name: frozenset(each for each in _ancestors(reads, [made[referenced_node(source)]]) if isinstance(each, str))
        for name, source in blueprint.outputs.items()
    }


def prune_to_outputs(blueprint: Blueprint, outputs: Sequence[str]) -> Blueprint:
    """Return the blueprint of a network with these outputs alone, without what they do not depend on."""
    kept = {name: blueprint.outputs[name] for name in outputs}
    reads, made = _node_reads(blueprint)
    reached = _ancestors(reads, [made[referenced_node(source)] for source in kept.values()])
    nodes = tuple(node for place, node in enumerate(blueprint.nodes) if place in reached)
    inputs = tuple(name for name in blueprint.inputs if name in reached)
    return replace(blueprint, inputs=inputs, nodes=nodes, outputs=kept)


def _node_reads(blueprint: Blueprint) -> tuple[list[list[NodeOrInput]], dict[str, NodeOrInput]]:
    """Return what each node reads, and what each name stands for at the end: a layer may be named like an input."""
    made: dict[str, NodeOrInput] = {name: name for name in blueprint.inputs}
    reads = []
    for place, node in enumerate(blueprint.nodes):
        reads.append([made[referenced_node(name)] for name in node.inputs])
        made[node.id] = place
    return reads, made


def _ancestors(reads: Sequence[Sequence[NodeOrInput]], start: Iterable[NodeOrInput]) -> set[NodeOrInput]:
    waiting = list(dict.fromkeys(start))
    seen = set(waiting)
    for source in waiting:  # grows while it is walked
        for other in reads[source] if isinstance(source, int) else ():
            if other not in seen:
                seen.add(other)
                waiting.append(other)
    return seen
