"""Removing a node: those that read it read its input."""

from app.errors import InvalidInput, Problem
from app.spec.edits.operations import Remove
from app.spec.network.nodes import referenced_node
from workers.surgery.draft import Draft
from workers.surgery.initial.functions import inferred_nodes
from workers.surgery.node_places import JsonObject, NodePlace, node_references, replace_references


def remove(draft: Draft, operation: Remove, index: int) -> None:
    """Remove a node. Raises `InvalidInput` for an output, and where it is not clear what would be read instead."""
    pointer = f"/operations/{index}/node"
    place = draft.find(operation.node, pointer)
    within, node = place.within, place.node
    identity = f'{{"op": "replace", "node": "{operation.node}", "with": {{"kind": "Identity"}}}}'
    if len(within.nodes) == 1:
        detail = f'"{operation.node}" is the only node of its body'
        raise InvalidInput([Problem(pointer, "last_node", detail, f"replace it: {identity}")])
    outputs = _outputs(place)
    if outputs and not _keeps_shape(draft, node):
        what = f'the output "{outputs[0]}"' if outputs[0] else "the output"
        detail = f'"{operation.node}" is {what}, which would have another shape without it'
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


def _keeps_shape(draft: Draft, node: JsonObject) -> bool:
    """Say whether a node, wherever it is used, gives the shape and dtype of its only input."""
    pointer = draft.lineage.pointer_before(node)
    traces = [trace for trace, _ in inferred_nodes(draft.network) if trace.node.pointer == pointer]
    kept = [len(each.inputs) == 1 and each.inputs[0].shape == each.output.shape for each in traces]
    return bool(kept) and all(kept) and all(each.inputs[0].dtype == each.output.dtype for each in traces)


def _bypass(place: NodePlace, pointer: str, path: str) -> None:
    """Let those that read a node read its input. Raises `InvalidInput` if it has several, or none."""
    within, node, own = place.within, place.node, place.node["id"]
    read = {reference for reference in within.references() if referenced_node(reference) == own}
    is_default = not within.body.get("outputs") and place.index == len(within.nodes) - 1
    if not read and not is_default:
        return
    sources = list(dict.fromkeys(node_references(node)))
    if len(sources) != 1 or len(read) > 1:
        readers = [each["id"] for each in within.nodes if not read.isdisjoint(node_references(each))]
        names = ", ".join(readers) or "the outputs"
        reason = f"reads {', '.join(sources)}" if sources else "reads nothing"
        detail = f'"{path}" {reason}, and it is not clear what {names} would read instead'
        hint = f"remove {names} first"
        if sources:
            inputs = f'"inputs": ["{sources[0]}"]'
            hint = f'replace it: {{"op": "replace", "node": "{path}", "with": {{"kind": "Identity", {inputs}}}}}'
        raise InvalidInput([Problem(pointer, "ambiguous", detail, hint)])
    if is_default:
        within.body["outputs"] = {"output": sources[0]}
    replacements = dict.fromkeys(read, sources[0])
    for reader in within.nodes:
        replace_references(reader, replacements)
    if outputs := within.body.get("outputs"):
        within.body["outputs"] = {name: replacements.get(each, each) for name, each in outputs.items()}
