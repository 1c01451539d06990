"""The inputs that each output depends on, and the part of a network that some outputs need."""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

from app.spec.network.nodes import NODE_KINDS, referenced_node
from workers.network.blueprint import Blueprint, ResolvedNode

NodeOrInput = int | str  # a node, by its index, or an input of the network
NodeOutput = tuple[int, str]  # an output, of a node by its index, that is computed of the first inputs alone
Source = NodeOrInput | NodeOutput
ROW_COUNT = ""  # an input (N, 1) of which only N is read; no column has this name
ROW_COUNT_KINDS = frozenset({"zeros", "ones", "full", "rand", "randn"})  # that read only N of their input


def with_row_count(blueprint: Blueprint) -> Blueprint:
    """Return the same network with `ROW_COUNT` as a further input, read by the nodes that need no more than N.

    So noise, and what is made of it alone, depends on no column. Nodes in bodies stay as they are.
    """
    nodes = tuple(
        replace(node, inputs=(ROW_COUNT,)) if node.kind in ROW_COUNT_KINDS else node for node in blueprint.nodes
    )
    return replace(blueprint, inputs=(*blueprint.inputs, ROW_COUNT), nodes=nodes)


def input_dependencies(blueprint: Blueprint) -> dict[str, frozenset[str]]:
    """Return the inputs that each output depends on."""
    reads, sources = _node_reads(blueprint)
    return {
        name: frozenset(each for each in _ancestors(reads, [_source(sources, source)]) if isinstance(each, str))
        for name, source in blueprint.outputs.items()
    }


def prune_to_outputs(blueprint: Blueprint, outputs: Sequence[str]) -> Blueprint:
    """Return the blueprint of the part of a network that these outputs depend on.

    A parameter that is tied to a node outside of the part is one of its own node: its weights have both names. A node
    of which only an output is needed that is computed of the first inputs alone has no other input or output there.
    """
    selected = {name: blueprint.outputs[name] for name in outputs}
    reads, sources = _node_reads(blueprint)
    needed = _ancestors(reads, [_source(sources, source) for source in selected.values()])
    alone = {each[0]: each[1] for each in needed if isinstance(each, tuple) and each[0] not in needed}
    part = [
        node if place in needed else _with_output_alone(node, alone[place])
        for place, node in enumerate(blueprint.nodes)
        if place in needed or place in alone
    ]
    names = {node.id for node in part}
    nodes = tuple(_with_ties_within(node, names) for node in part)
    inputs = tuple(name for name in blueprint.inputs if name in needed)
    return replace(blueprint, inputs=inputs, nodes=nodes, outputs=selected)


def _with_output_alone(node: ResolvedNode, output: str) -> ResolvedNode:
    return replace(node, inputs=node.inputs[: NODE_KINDS[node.kind].output_inputs[output]], outputs=(output,))


def _with_ties_within(node: ResolvedNode, names: AbstractSet[str]) -> ResolvedNode:
    ties: Mapping[str, str] = node.parameters.get("tie") or {} if "tie" in node.parameters else {}
    kept = {name: source for name, source in ties.items() if source.partition(".")[0] in names}
    return node if len(kept) == len(ties) else replace(node, parameters={**node.parameters, "tie": kept or None})


def prune_to_node(blueprint: Blueprint, node: ResolvedNode) -> Blueprint:
    """Return the blueprint of what stands before a node: its outputs are the inputs of the node, by their numbers."""
    inputs = {str(place): source for place, source in enumerate(node.inputs)}
    return prune_to_outputs(replace(blueprint, outputs=inputs), tuple(inputs))


def _node_reads(blueprint: Blueprint) -> tuple[dict[Source, list[Source]], dict[str, Source]]:
    """Return what each node reads, and the final meaning of each name: a layer may have the name of an input."""
    sources: dict[str, Source] = {name: name for name in blueprint.inputs}
    reads: dict[Source, list[Source]] = {}
    for place, node in enumerate(blueprint.nodes):
        reads[place] = [_source(sources, name) for name in node.inputs]
        sources[node.id] = place
        for output in NODE_KINDS[node.kind].output_inputs.keys() & {*node.outputs}:
            reads[place, output] = reads[place][: NODE_KINDS[node.kind].output_inputs[output]]
            sources[f"{node.id}.{output}"] = (place, output)
    return reads, sources


def _source(sources: Mapping[str, Source], ref: str) -> Source:
    return sources.get(ref, sources[referenced_node(ref)])


def _ancestors(reads: Mapping[Source, Sequence[Source]], start: Iterable[Source]) -> set[Source]:
    ancestors = list(dict.fromkeys(start))
    visited = set(ancestors)
    for source in ancestors:  # grows while it is walked
        for other in reads.get(source, ()):
            if other not in visited:
                visited.add(other)
                ancestors.append(other)
    return visited
