"""Freezing parameters, and training them again: changes of the plan's parameter groups."""

from collections.abc import Sequence

from app.errors import InvalidInput, Problem
from app.spec.edits.operations import Freeze, Unfreeze
from app.spec.hints.names import choices
from workers.surgery.draft import Draft
from workers.surgery.group_parameters import GroupParameters, group_parameters
from workers.surgery.node_places import JsonObject


def freeze(draft: Draft, operation: Freeze, index: int) -> None:
    """Freeze the parameters of nodes. Raises `InvalidInput` for nodes without parameters, and if none would be left."""
    updates = group_parameters(draft.document, draft.blueprint)
    pointer = f"/operations/{index}/nodes"
    paths = _paths(draft, updates, operation.nodes, pointer)
    for parameters in updates:
        groups, already = parameters.groups, parameters.frozen()
        own = [path for path in paths if not parameters.below(path) <= already]
        if not own:
            continue
        parameters.take_out(groups, parameters.below_all(own))
        frozen = next((group for group in groups if _is_plainly_frozen(group)), None)
        if frozen is None:
            frozen = {"nodes": [], "frozen": True}
            groups.append(frozen)
        frozen["nodes"] += own
        parameters.write(groups)
        draft.written_settings[f"{parameters.pointer}/groups/{groups.index(frozen)}"] = pointer
        if parameters.all_frozen():
            detail = "all parameters are frozen: none is left to train"
            if len(updates) > 1:
                detail = f"all parameters of the update at {parameters.pointer} are frozen: none is left to train"
            raise InvalidInput([Problem(pointer, "nothing_to_train", detail, "leave some nodes out")])


def unfreeze(draft: Draft, operation: Unfreeze, index: int) -> None:
    """Train the parameters of nodes again. Raises `InvalidInput` for nodes of which none is frozen."""
    updates = group_parameters(draft.document, draft.blueprint)
    pointer = f"/operations/{index}/nodes"
    paths = _paths(draft, updates, operation.nodes, pointer)
    for place, path in enumerate(operation.nodes):
        if not any(each.below_all(each.expand(path)) & each.frozen() for each in updates):
            frozen = [group for each in updates for group in each.groups if group.get("frozen")]
            named = [entry for group in frozen for entry in group.get("nodes") or ()]
            hint = choices(named) or "remove it"
            raise InvalidInput([Problem(f"{pointer}/{place}", "not_frozen", f'"{path}" is not frozen', hint)])
    for parameters in updates:
        groups, thawed = parameters.groups, parameters.below_all(paths)
        parameters.take_out([group for group in groups if group.get("frozen") and group.get("nodes")], thawed)
        parameters.write(groups)
        if still := parameters.frozen() & thawed:  # by a group for all that no other one names
            names = parameters.covering(still)
            groups = [*parameters.groups, {"nodes": names}]
            parameters.write(groups)
            draft.written_settings[f"{parameters.pointer}/groups/{len(groups) - 1}"] = pointer


def _is_plainly_frozen(group: JsonObject) -> bool:
    return bool(group.get("frozen") and group.get("nodes") and group.get("parameters", "all") == "all")


def _paths(draft: Draft, updates: Sequence[GroupParameters], nodes: Sequence[str], pointer: str) -> list[str]:
    """Return the paths of nodes in groups. Raises `InvalidInput` for those that do not exist, or have no parameters."""
    result: list[str] = []
    for place, path in enumerate(nodes):
        expanded = [each for parameters in updates for each in parameters.expand(path)]
        if not expanded:
            draft.find(path, f"{pointer}/{place}")
            detail = f'"{path}" has no parameters that are trained'
            raise InvalidInput([Problem(f"{pointer}/{place}", "no_parameters", detail, "remove it")])
        result += [each for each in expanded if each not in result]
    return result
