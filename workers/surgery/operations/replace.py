"""Replacing a node by another one, and drawing the weights of a node anew."""

from app.errors import InvalidInput, Problem
from app.spec.edits.operations import Reinit, Replace
from workers.network.analysis.parameters import index_parameters
from workers.network.blueprint import Blueprint
from workers.surgery.built_nodes import built_nodes
from workers.surgery.draft import Draft
from workers.surgery.layer_ids import write_node_ids
from workers.surgery.node_places import JsonObject, NodePlace, is_leaf
from workers.surgery.operations.rename import check_id, rename_node


def replace(draft: Draft, operation: Replace, index: int) -> None:
    """Replace a node by another one on the same inputs, unless that names its own. Raises `InvalidInput`."""
    pointer = f"/operations/{index}"
    place = draft.find(operation.node, f"{pointer}/node")
    old: JsonObject = place.node
    own: str = old["id"]
    new: JsonObject = operation.by.model_dump(mode="json", exclude_unset=True)
    name: str = new.get("id", own)
    if name != own:
        check_id(place.within, name, operation.by.kind, f"{pointer}/with/id")
    new = {"id": own, **{field: value for field, value in new.items() if field != "id"}}
    if not place.within.is_chain and not is_leaf(operation.by.kind) and "inputs" not in new and "inputs" in old:
        new["inputs"] = list(old["inputs"])
    write_node_ids(operation.by, new)
    place.within.nodes[place.index] = new
    draft.lineage.replace(old, new, operation.init)
    draft.write_node(new, pointer, "with", operation.init)
    if name != own:
        rename_node(draft, NodePlace(operation.node, place.within, place.index), name)
    elif id(old) in {id(layer) for layer in draft.implicit_ids}:
        draft.implicit_ids.append(new)


def reinit(draft: Draft, operation: Reinit, index: int) -> None:
    """Draw the weights of a node, and of the nodes in its bodies, anew. Raises `InvalidInput` if it has none."""
    pointer = f"/operations/{index}"
    place = draft.find(operation.node, f"{pointer}/node")
    node = place.node
    if draft.lineage.is_unchanged(node) and _has_no_tensors(draft.blueprint, operation.node):
        detail = f'"{operation.node}" has no weights'
        raise InvalidInput([Problem(f"{pointer}/node", "no_parameters", detail, "remove the operation")])
    draft.lineage.reset(node, operation.init)
    draft.set_function(node, pointer, operation.init)


def _has_no_tensors(blueprint: Blueprint, path: str) -> bool:
    """Say whether a network has a node at a path, and no tensors there."""
    beginning = f"{path}."
    if not any(each == path or each.startswith(beginning) for each in built_nodes(blueprint)):
        return False
    return not any(name == path or name.startswith(beginning) for name in index_parameters(blueprint).shapes)
