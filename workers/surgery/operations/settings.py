"""Setting a value of the plan, of the objective or of a node; and another optimiser."""

from typing import Any

from app.errors import InvalidInput, Problem
from app.spec.edits.operations import Set, SwapOptimizer
from app.spec.edits.settings import (
    NODE_OPERATIONS,
    NODE_PREFIX,
    form_problem,
    numbered_path,
    optimizer_problem,
    refused_setting,
    setting_of,
)
from app.spec.hints.names import choices, did_you_mean
from app.spec.job import parse_job
from app.spec.network.control import BODY_FIELDS
from app.spec.network.nodes import NODE_KINDS, reference_fields
from app.spec.training.optimizers import BaseOptimizer
from app.spec.training.plan import Training
from workers.surgery.draft import Draft
from workers.surgery.node_places import JsonObject

RATE_PATH = "training.optimizer.lr"


def set_value(draft: Draft, operation: Set, index: int) -> None:
    """Give a setting another value. Raises `InvalidInput` for what cannot be set, with what can be done instead."""
    pointer = f"/operations/{index}"
    path = RATE_PATH if operation.path == "training.lr" else operation.path
    if path.startswith(f"{NODE_PREFIX}."):
        _set_node_value(draft, path.removeprefix(f"{NODE_PREFIX}."), operation.value, pointer)
        return
    plan = parse_job(draft.document).training
    path = numbered_path(path, plan)
    problem = form_problem(path, plan, f"{pointer}/path")
    if problem is None and setting_of(path) is None:
        problem = refused_setting(path, f"{pointer}/path")
    if problem is not None:
        raise InvalidInput([problem])
    *parents, name = path.split(".")
    if parents[-1] == "optimizer":
        update = plan.updates[int(parents[2])] if parents[1] == "updates" else plan
        _check_optimizer(update.optimizer, name, operation.value, pointer)
    here: Any = draft.document
    for part in parents:
        here = here[int(part)] if isinstance(here, list) else _child(draft, here, part, f"{pointer}/path")
    _write(here, name, operation.value)
    draft.written_settings[f"/{path.replace('.', '/')}"] = f"{pointer}/value"


def _child(draft: Draft, here: JsonObject, part: str, pointer: str) -> Any:
    """Return a part of the document, which a plan has by default. Raises `InvalidInput` for an unknown head."""
    if part not in here and "heads" in draft.document["objective"] and here is not draft.document:
        heads = draft.document["objective"]["heads"]
        if here is heads or here is draft.document["objective"]:
            detail = f'the objective has no "{part}"'
            hint = did_you_mean(part, heads) or choices(heads)
            raise InvalidInput([Problem(pointer, "unknown_setting", detail, hint)])
    if part == "heads" and "heads" not in here:
        detail = "the objective has one loss, and no heads"
        raise InvalidInput([Problem(pointer, "unknown_setting", detail, 'set "objective.loss.…"')])
    if part == "optimizer" and part not in here:
        here[part] = {"kind": parse_job(draft.document).training.optimizer.kind}
    child: Any = here.setdefault(part, {})
    return child


def _check_optimizer(optimizer: BaseOptimizer, name: str, value: Any, pointer: str) -> None:
    before = optimizer.settings().get(name)
    after = optimizer.row.fields[name][1] if value is None and name in optimizer.row.fields else value
    problem = optimizer_problem(optimizer.kind, name, before, after, f"{pointer}/path")
    if problem is not None:
        raise InvalidInput([problem])


def _write(here: JsonObject, name: str, value: Any) -> None:
    """Write a value; `None` is the default."""
    if value is None:
        here.pop(name, None)
    else:
        here[name] = value


def _set_node_value(draft: Draft, path: str, value: Any, pointer: str) -> None:
    owner, _, name = path.rpartition(".")
    place = draft.find(owner or path, f"{pointer}/path")
    node, kind = place.node, place.node["kind"]
    fields = NODE_KINDS[kind].fields
    is_number = isinstance(node.get(name), int) and isinstance(value, int)  # of iterations, and not a node
    is_structure = name in (*reference_fields(kind), *BODY_FIELDS.get(kind, ())) and not is_number
    if not owner or is_structure or (name in NODE_OPERATIONS and name in (*fields, "id", "kind")):
        hint = NODE_OPERATIONS.get(name, 'use {"op": "replace", "node": …, "with": …}')
        detail = f'"{NODE_PREFIX}.{path}" is not a setting that can be changed while a job runs'
        raise InvalidInput([Problem(f"{pointer}/path", "not_settable", detail, hint)])
    if name not in fields:
        hint = did_you_mean(name, fields) or choices(fields) or f"{kind} has no settings"
        raise InvalidInput([Problem(f"{pointer}/path", "unknown_field", f"{owner} ({kind}) has no {name}", hint)])
    _write(node, name, value)
    draft.written_fields[id(node), name] = f"{pointer}/value"


def swap_optimizer(draft: Draft, operation: SwapOptimizer, index: int) -> None:
    """Put another optimiser in the place of the present one. Raises `InvalidInput` for one of the same kind."""
    pointer = f"/operations/{index}"
    kind = operation.to.get("kind") if isinstance(operation.to, dict) else operation.to
    place = _chosen_update(parse_job(draft.document).training, operation.update, f"{pointer}/update")
    path, update = parse_job(draft.document).training.all_updates()[place]
    if kind == update.optimizer.kind:
        setting = f"training{path}.optimizer.lr".replace("/", ".")
        detail, hint = f"the optimizer is {kind} already", f'change its settings: "set" "{setting}"'
        raise InvalidInput([Problem(f"{pointer}/to", "same_kind", detail, hint)])
    training = draft.document.setdefault("training", {})
    (training["updates"][place] if path else training)["optimizer"] = operation.to
    draft.written_settings[f"/training{path}/optimizer"] = f"{pointer}/to"


def _chosen_update(plan: Training, name: str | None, pointer: str) -> int:
    """Return the place of the update that an operation is about. Raises `InvalidInput` if there is no such one."""
    names = [update.series_name for update in plan.updates]
    if name in names:
        return names.index(name)
    if name is None and len(names) < 2:
        return 0
    detail = "the plan has several updates" if name is None else f'the plan has no update "{name}"'
    hint = f'name "update": {choices(names)}' if names else "remove update"
    raise InvalidInput([Problem(pointer, "unknown_update", detail, hint)])
