"""What `set` may change in a running job, and what else there is for the rest.

A path has the names of fields as in the document, joined by dots; `*` stands for one of them. Settings of nodes have
the path of the node and the name of a field: `model.drop1.p`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.errors import Problem
from app.spec.hints.names import choices, did_you_mean
from app.spec.training.objective import Objective
from app.spec.training.optimizers import OPTIMIZERS, OptimizerKind
from app.spec.training.plan import Training
from app.spec.training.updates.update import BaseUpdate

FORK = "fork the job with this change"
NODE_PREFIX = "model"


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting that may be changed, and what it means from then on."""

    sentence: str


OF_UPDATES = "training.updates.*."  # the same setting of one of several updates
PLAIN_SETTINGS: Mapping[str, Setting] = {
    "training.optimizer.*": Setting(
        "A number of the optimiser. The rate, that of its schedule and of a warm-up change in the same proportion."
    ),
    "training.schedule": Setting("Another schedule, which begins at the edit and takes the steps that remain."),
    "training.warmup": Setting("Another warm-up, which begins at the edit."),
    "training.epochs": Setting("The length of the run, counted from its beginning."),
    "training.steps": Setting("The length of the run, counted from its beginning."),
    "training.batch_size": Setting("From the next epoch on."),
    "training.average": Setting("From the next step on; an average of another kind begins anew."),
    "training.l1": Setting("From the next step on."),
    "training.clip_value": Setting("From the next step on."),
    "training.clip_norm": Setting("From the next step on."),
    "training.gradient_noise": Setting("From the next step on."),
    "training.precision": Setting("From the next step on; weights stay in float32."),
    "training.on_nan": Setting("From the next step on."),
    "training.evaluate": Setting("From the next step on."),
    "training.evaluate.*": Setting("From the next step on."),
    "training.early_stop": Setting("From the next evaluation on; another monitor begins anew."),
    "training.early_stop.*": Setting("From the next evaluation on; another monitor begins anew."),
    "training.checkpoint": Setting("From the next checkpoint on; another monitor begins anew."),
    "training.checkpoint.*": Setting("From the next checkpoint on; another monitor begins anew."),
    "training.statistics": Setting("From the next step on."),
    "training.statistics.*": Setting("From the next step on."),
    "objective.loss.*": Setting("A setting of the loss."),
    "objective.heads.*.weight": Setting("The weight of a loss in the sum."),
    "objective.heads.*.loss.*": Setting("A setting of a head's loss."),
}
SETTINGS: Mapping[str, Setting] = {
    **PLAIN_SETTINGS,
    **{
        OF_UPDATES + path.removeprefix("training."): row
        for path, row in PLAIN_SETTINGS.items()
        if path.startswith("training.") and path.split(".")[1] in BaseUpdate.model_fields
    },
    "training.updates.*.parameters": Setting("From the next step on, with new states of those that are new there."),
    "training.updates.*.every": Setting("From the next step on."),
    "training.target_networks.*.tau": Setting("From the next step on."),
    "training.target_networks.*.every": Setting("From the next step on."),
}

# What `set` does not change, and what does: the first row that a path begins with.
OTHER_WAYS: Mapping[str, str] = {
    "training.optimizer.kind": 'use {"op": "swap_optimizer", "to": …}',
    "training.optimizer": 'use {"op": "swap_optimizer", "to": …}, or set one of its numbers: "training.optimizer.lr"',
    "training.schedule": 'set the whole schedule: "training.schedule"',
    "training.warmup": 'set the whole warm-up: "training.warmup"',
    "training.updates": 'set one of its numbers, such as "training.updates.<name>.optimizer.lr"; or ' + FORK,
    "training.target_networks": 'set "training.target_networks.<node>.tau"; or ' + FORK,
    "training.groups": 'use {"op": "freeze", "nodes": […]} or "unfreeze"; or ' + FORK,
    "training": FORK,
    "objective.loss.kind": FORK,
    "objective.heads": 'set its weight: "objective.heads.<name>.weight"; or ' + FORK,
    "objective": FORK,
    "data": FORK,
    "start_from": FORK,
    "name": "change the job itself (PATCH /v1/jobs/{id}), not its training",
    "metadata": "change the job itself (PATCH /v1/jobs/{id}), not its training",
    "priority": "change the job itself (PATCH /v1/jobs/{id}), not its training",
}

# Fields of nodes that other operations change.
NODE_OPERATIONS: Mapping[str, str] = {
    **dict.fromkeys(("kind", "share", "name", "returns"), 'use {"op": "replace", "node": …, "with": …}'),
    "id": 'use {"op": "rename", "node": …, "to": …}',
    **dict.fromkeys(
        ("out_features", "out_channels", "hidden_size", "embedding_dim", "dim_feedforward", "num_heads", "nhead"),
        'use {"op": "widen", "node": …, "to": …} or "narrow"',
    ),
    "num_embeddings": 'use {"op": "grow_vocabulary", "node": …, "to": …}',
    "init": 'use {"op": "reinit", "node": …} after a "replace"',
}
SECTIONS: Mapping[str, frozenset[str]] = {
    "training": frozenset(Training.model_fields),
    "objective": frozenset(Objective.model_fields),
}
RATE_AT_START_ONLY = frozenset({"Rprop"})  # optimisers that read their rate once
CREATES_STATE_LATER = frozenset({("SGD", "momentum")})  # optional states that may come and go


def setting_of(path: str) -> Setting | None:
    """Return the row of a path that may be set, other than that of a node."""
    parts = path.split(".")
    return next((row for pattern, row in SETTINGS.items() if _matches(parts, pattern.split("."))), None)


def numbered_path(path: str, plan: Training) -> str:
    """Return the path of a setting with the number of an update, or target network, in the place of its name."""
    for field, names in _item_names(plan).items():
        beginning = f"training.{field}."
        for place, name in enumerate(names):
            if path.startswith(f"{beginning}{name}."):
                return f"{beginning}{place}{path.removeprefix(beginning + name)}"
    return path


def _item_names(plan: Training) -> Mapping[str, Sequence[str]]:
    """Return what the items of the lists of a plan are called in paths of settings."""
    return {
        "updates": [update.series_name for update in plan.updates],
        "target_networks": [target.node for target in plan.target_networks],
    }


def form_problem(path: str, plan: Training, pointer: str) -> Problem | None:
    """Return why a plan does not have a setting: it has one update, or several."""
    section, *rest = path.split(".")
    if section != "training" or not rest:
        return None
    if plan.updates and rest[0] in BaseUpdate.model_fields:
        name = plan.updates[0].series_name
        hint = f'name one of them: "training.updates.{name}.{".".join(rest)}"'
        return Problem(pointer, "unknown_setting", f"the plan has several updates, and no {rest[0]} of its own", hint)
    for field, names in _item_names(plan).items():
        if rest[0] == field and rest[1:] and not (rest[1].isdecimal() and int(rest[1]) < len(names)):
            hint = did_you_mean(rest[1], names) or choices(names) or f"the plan has no {field}"
            return Problem(pointer, "unknown_setting", f"the plan has no {field}.{rest[1]}", hint)
    return None


def _matches(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    if len(parts) != len(pattern) or parts[-1] == "kind":
        return False
    return all(each in ("*", part) for part, each in zip(parts, pattern, strict=True))


def refused_setting(path: str, pointer: str) -> Problem:
    """Return the problem of a path that may not be set."""
    way = next((way for beginning, way in OTHER_WAYS.items() if f"{path}.".startswith(f"{beginning}.")), FORK)
    section, _, rest = path.partition(".")
    fields = SECTIONS.get(section, frozenset())
    is_unknown = rest and fields and rest.partition(".")[0] not in fields
    alike = did_you_mean(path, [pattern for pattern in SETTINGS if "*" not in pattern]) if is_unknown else ""
    if section in SECTIONS["training"] and setting_of(f"training.{path}") is not None:
        alike = f'did you mean "training.{path}"?'
    hint = alike or way
    return Problem(pointer, "not_settable", f'"{path}" cannot be changed while a job runs', hint)


def optimizer_problem(kind: str, name: str, before: Any, after: Any, pointer: str) -> Problem | None:
    """Return why a setting of an optimiser cannot be changed while it has a state, if so."""
    row: OptimizerKind = OPTIMIZERS[kind]
    if name not in row.fields:
        hint = did_you_mean(name, row.fields) or "one of: " + ", ".join(row.fields)
        return Problem(pointer, "unknown_field", f"{kind} has no {name}", hint)
    detail = ""
    if name in row.optional_states and bool(before) != bool(after) and (kind, name) not in CREATES_STATE_LATER:
        detail = f"{kind} with {name} {after} keeps other tensors than with {before}"
    elif name in row.global_settings or (row.history is not None and name == row.history[0]):
        detail = f"{kind} reads {name} only when it begins"
    elif name == "lr" and kind in RATE_AT_START_ONLY:
        detail = f"{kind} reads its rate only at the first step"
    hint = 'begin with a new state: use {"op": "swap_optimizer", "to": …} to another kind, or ' + FORK
    return Problem(pointer, "not_settable", detail, hint) if detail else None
