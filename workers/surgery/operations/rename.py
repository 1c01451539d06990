"""Renaming a node: what names it follows, in the network and in the plan."""

from app.errors import InvalidInput, Problem
from app.spec.edits.operations import Rename
from app.spec.edits.settings import NODE_PREFIX
from app.spec.network.nodes import referenced_node
from workers.surgery.draft import Draft
from workers.surgery.node_places import BodyPlace, JsonObject, NodePlace, free_id, replace_references, use_paths

NODE_SETTINGS = f"{NODE_PREFIX}."
TARGET_SETTINGS = "training.target_networks."  # followed by the node


def rename(draft: Draft, operation: Rename, index: int) -> None:
    """Give a node another id. Raises `InvalidInput`."""
    pointer = f"/operations/{index}"
    place = draft.find(operation.node, f"{pointer}/node")
    for reader, source in place.within.ties_to(place.node["id"]):
        detail = f"a weight of {reader} is tied to {source}, and does not follow another name"
        raise InvalidInput([Problem(f"{pointer}/node", "not_supported", detail, "keep the id, or fork")])
    check_id(place.within, operation.to, place.node["kind"], f"{pointer}/to")
    draft.written_ids[id(place.node)] = f"{pointer}/to"
    rename_node(draft, place, operation.to)


def check_id(within: BodyPlace, name: str, kind: str, pointer: str) -> None:
    """Raise `InvalidInput` if an id is taken in a body."""
    if name in within.ids or name in (within.body.get("inputs") or ()):
        hint = f'use "{free_id(within, kind)}"'
        raise InvalidInput([Problem(pointer, "duplicate_id", f'the id "{name}" is taken', hint)])


def rename_node(draft: Draft, place: NodePlace, name: str) -> None:
    """Give a node another id, and let everything follow that names it: inputs, outputs, the plan and its edits."""
    within, node, old = place.within, place.node, place.node["id"]
    paths = list(use_paths(draft.model, place.pointer))
    renamed = {path: f"{path[: len(path) - len(old)]}{name}" for path in paths}
    references = {each for each in within.references() if referenced_node(each) == old}
    replacements = {each: name + each[len(old) :] for each in references}
    for reader in within.nodes:
        replace_references(reader, replacements)
    if outputs := within.body.get("outputs"):
        within.body["outputs"] = {key: replacements.get(each, each) for key, each in outputs.items()}
    node["id"] = name
    training = draft.document.get("training") or {}
    for update in (training, *(training.get("updates") or ())):
        if update.get("parameters"):
            update["parameters"] = [_renamed(each, renamed) for each in update["parameters"]]
        for group in update.get("groups") or ():
            if group.get("nodes"):
                group["nodes"] = [_renamed(each, renamed) for each in group["nodes"]]
    for target in training.get("target_networks") or ():
        target |= {field: _renamed(target[field], renamed) for field in ("node", "source")}
    for rule in training.get("edits") or ():
        for operation in rule["operations"]:
            _rename_in_operation(operation, renamed)


def _renamed(path: str, renamed: dict[str, str]) -> str:
    """Return a path whose beginning is renamed."""
    for old, new in renamed.items():
        if path == old or path.startswith(f"{old}."):
            return new + path[len(old) :]
    return path


def _rename_in_operation(operation: JsonObject, renamed: dict[str, str]) -> None:
    """Rename the node in an operation that the plan will apply."""
    for field in ("node", "after", "before"):
        if isinstance(operation.get(field), str):
            operation[field] = _renamed(operation[field], renamed)
    for field in ("nodes", "between"):
        if operation.get(field):
            operation[field] = [_renamed(each, renamed) for each in operation[field]]
    for beginning in (NODE_SETTINGS, TARGET_SETTINGS):
        if operation.get("path", "").startswith(beginning):
            operation["path"] = beginning + _renamed(operation["path"].removeprefix(beginning), renamed)
