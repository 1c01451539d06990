"""Removing a node: those that read it read its input."""

from app.errors import InvalidInput, Problem
from app.spec.edits.operations import Remove
from app.spec.network.nodes import referenced_node
from workers.surgery.draft import Draft
from workers.surgery.node_places import NodePlace, node_references, replace_references


def remove(draft: Draft, operation: Remove, index: int) -> None:
    """Remove a node. Raises `InvalidInput` for an output, and where it is not clear what would be read instead."""
    pointer = f"/operations/{index}/node"
    place = draft.find(operation.node, pointer)
    within, node = place.within, place.node
    identity = f'{{"op": "replace", "node": "{operation.node}", "with": {{"kind": "Identity"}}}}'
    if len(within.nodes) == 1:
        detail = f'"{operation.node}" is the only node of its body'
        raise InvalidInput([Problem(pointer, "last_node", detail, f"replace it: {identity}")])
    if outputs := _outputs(place):
        what = f'the output "{outputs[0]}"' if outputs[0] else "the output"
        detail = f'"{operation.node}" is {what}: removing it would change what the outputs mean'
        raise InvalidInput([Problem(pointer, "is_output", detail, f"replace it: {identity}")])
    if not within.is_chain:
        _bypass(place, pointer, operation.node)
    within.nodes.remove(node)


def _outputs(place: NodePlace) -> list[str]:
    """Return the names of the outputs that are the node; an output by default has the empty name."""
    within, own = place.within, place.node["id"]
    if outputs := within.body.get("outputs"):
        return [name for name, source in outputs.items() if referenced_node(source) == own]
    return [""] if place.index == len(within.nodes) - 1 else []


def _bypass(place: NodePlace, pointer: str, path: str) -> None:
    """Let those that read a node read its input. Raises `InvalidInput` if it has several, or none."""
    node, own = place.node, place.node["id"]
    readers = [each for each in place.within.nodes if any(referenced_node(r) == own for r in node_references(each))]
    if not readers:
        return
    sources = list(dict.fromkeys(node_references(node)))
    read = {reference for each in readers for reference in node_references(each) if referenced_node(reference) == own}
    if len(sources) != 1 or len(read) != 1:
        names = ", ".join(each["id"] for each in readers)
        reason = f"reads {', '.join(sources)}" if sources else "reads nothing"
        detail = f'"{path}" {reason}, and {names} would not know what to read instead'
        hint = f"remove {names} first"
        if sources:
            inputs = f'"inputs": ["{sources[0]}"]'
            hint = f'replace it: {{"op": "replace", "node": "{path}", "with": {{"kind": "Identity", {inputs}}}}}'
        raise InvalidInput([Problem(pointer, "ambiguous", detail, hint)])
    for reader in readers:
        replace_references(reader, {read.copy().pop(): sources[0]})
