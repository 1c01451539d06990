"""The training section of an algorithm: its updates, target networks, and what a plan has by default."""

from collections.abc import Mapping
from typing import Any

from app.spec.training.algorithms.catalog import BaseAlgorithm
from app.spec.training.algorithms.graph import Graph, Update
from app.spec.training.algorithms.places import Places
from app.spec.training.plan import Training
from app.spec.training.updates.update import BaseUpdate

EVALUATIONS = 20  # of a run
_SCALAR_FIELDS = ("schedule", "warmup")  # of an update of a single number


def written_plan(
    given: Mapping[str, Any], objective: Mapping[str, Any], plan: Training, algorithm: BaseAlgorithm, graph: Graph
) -> dict[str, Any]:
    """Return the training section: what the user gave, and all else that the algorithm says.

    `given` and `objective` are sections as they are written, `plan` and `algorithm` as they were read.
    """
    shared = {name: given[name] for name in BaseUpdate.model_fields if name in given}
    result = {name: value for name, value in given.items() if name not in shared}
    if "batch_size" not in given and algorithm.row.batch_size is not None:
        result["batch_size"] = algorithm.row.batch_size
    result["updates"] = [
        _written_update(place, update, shared, objective, plan, algorithm, graph.places)
        for place, update in enumerate(graph.updates)
    ]
    result |= {"target_networks": graph.targets} if graph.targets else {}
    graph.places.generated |= {"/training/updates": "/training", "/training/target_networks": "/objective"}
    every = max(1, (plan.steps or 1) // EVALUATIONS)
    result["evaluate"] = {"every_steps": every, **(given.get("evaluate") or {})}
    return result


def _written_update(
    place: int,
    update: Update,
    shared: Mapping[str, Any],
    objective: Mapping[str, Any],
    plan: Training,
    algorithm: BaseAlgorithm,
    places: Places,
) -> dict[str, Any]:
    """Return an update with the optimiser of its own, that of the plan, or the algorithm's."""
    pointer = f"/training/updates/{place}"
    written: dict[str, Any] = {"loss": list(update.losses)}
    if update.parameters is not None:
        written["parameters"] = list(update.parameters)
    if update.every != 1:
        written["every"] = update.every
    fields = dict(shared)
    if objective.get(update.optimizer) is not None:
        fields.pop("lr", None)
        fields["optimizer"] = objective[update.optimizer]
        places.moved[f"{pointer}/optimizer"] = f"/objective/{update.optimizer}"
    elif update.optimizer == "alpha_optimizer":  # a single number: with Adam, whatever trains the networks
        fields["optimizer"] = {"kind": "Adam", "lr": _actor_rate(objective, plan, algorithm, shared)}
    elif "optimizer" not in fields:
        rate = {"lr": fields.pop("lr")} if "lr" in fields else {}
        fields["optimizer"] = {**algorithm.row.optimizer, **rate}
        places.moved[f"{pointer}/optimizer/lr"] = "/training/lr"
    if update.optimizer == "alpha_optimizer":
        fields = {name: fields[name] for name in ("optimizer", *_SCALAR_FIELDS) if name in fields}
    elif "clip_norm" not in fields and algorithm.row.clip_norm is not None:
        fields["clip_norm"] = algorithm.row.clip_norm
    for name in fields:
        places.moved.setdefault(f"{pointer}/{name}", f"/training/{name}")
    return {**written, **fields}


def _actor_rate(
    objective: Mapping[str, Any], plan: Training, algorithm: BaseAlgorithm, shared: Mapping[str, Any]
) -> float:
    """Return the learning rate of the actor."""
    own = algorithm.settings()["actor_optimizer"]
    if objective.get("actor_optimizer") is None and not {"optimizer", "lr"} & shared.keys():
        rate: float = algorithm.row.optimizer["lr"]
    else:
        rate = (own or plan.optimizer).settings()["lr"]
    return rate
