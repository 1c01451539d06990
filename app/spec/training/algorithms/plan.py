"""The training section of an algorithm: its updates, target networks, and what a plan has by default."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from app.spec.training.algorithms.catalog import BaseAlgorithm
from app.spec.training.algorithms.graph import Graph, Update
from app.spec.training.optimizers import BaseOptimizer
from app.spec.training.plan import Training
from app.spec.training.updates.update import BaseUpdate

EVALUATIONS = 20  # of a run
ALPHA = "alpha_optimizer"  # of the temperature, a single number
_SCALAR_FIELDS = ("optimizer", "lr", "schedule", "warmup")  # of an update of a single number


@dataclass(frozen=True, slots=True)
class PlanWriter:
    """Writes the training section of a job out.

    `given` and `objective` are sections as they are written, `plan` and `algorithm` as they were read.
    """

    given: Mapping[str, Any]
    objective: Mapping[str, Any]
    plan: Training
    algorithm: BaseAlgorithm

    def write(self, graph: Graph) -> dict[str, Any]:
        """Return the section: what the user gave, and all else that the algorithm says."""
        places = graph.places
        result = {name: value for name, value in self.given.items() if name not in BaseUpdate.model_fields}
        if "batch_size" not in self.given and self.algorithm.row.batch_size is not None:
            result["batch_size"] = self.algorithm.row.batch_size
        result["updates"] = []
        for update, settings in self._updates(graph):
            pointer = f"/training/updates/{len(result['updates'])}"
            for name in settings:
                own = name == "optimizer" and self.objective.get(update.optimizer) is not None
                places.moved[f"{pointer}/{name}"] = f"/objective/{update.optimizer}" if own else f"/training/{name}"
            if update.interval:
                places.moved[f"{pointer}/every"] = f"/objective/{update.interval}"
            if "optimizer" not in self.given:
                places.moved[f"{pointer}/optimizer/lr"] = "/training/lr"
            result["updates"].append(_wiring(update) | settings)
        places.generated |= {"/training/updates": "/training", "/training/target_networks": "/objective"}
        if graph.targets:
            result["target_networks"] = graph.targets
        every = max(1, (self.plan.steps or 1) // EVALUATIONS)
        result["evaluate"] = {"every_steps": every, **(self.given.get("evaluate") or {})}
        return result

    def _updates(self, graph: Graph) -> list[tuple[Update, dict[str, Any]]]:
        """Return the updates with their settings. The temperature's is one with the actor's if they are alike.

        Adam treats each number by itself, so that both together do what one after the other would, with the gradients
        of before: one pass through the actor is spared.
        """
        updates: list[tuple[Update, dict[str, Any]]] = []
        for update in graph.updates:
            if update.optimizer != ALPHA:
                updates.append((update, self._settings(update)))
                continue
            actor, settings = updates[-1]
            own = self._alpha_settings(settings)
            if _is_alike(own, settings):
                parameters = (*(actor.parameters or ()), *(update.parameters or ()))
                losses = (*actor.losses, *update.losses)
                updates[-1] = replace(actor, losses=losses, parameters=parameters), settings
            else:
                updates.append((update, own))
        return updates

    def _settings(self, update: Update) -> dict[str, Any]:
        """Return the settings of an update: with an optimiser of its own, that of the plan, or the algorithm's."""
        settings = {name: self.given[name] for name in BaseUpdate.model_fields if name in self.given}
        if self.objective.get(update.optimizer) is not None:
            settings.pop("lr", None)
            settings["optimizer"] = self.objective[update.optimizer]
        elif "optimizer" not in settings:
            rate = {"lr": settings.pop("lr")} if settings.get("lr") is not None else {}
            settings["optimizer"] = {**self.algorithm.row.optimizer, **rate}
        if "clip_norm" not in settings and self.algorithm.row.clip_norm is not None:
            settings["clip_norm"] = self.algorithm.row.clip_norm
        return settings

    def _alpha_settings(self, actor: Mapping[str, Any]) -> dict[str, Any]:
        """Return the settings of the temperature's update, by default Adam at the rate of the actor."""
        settings = {name: actor[name] for name in _SCALAR_FIELDS if name in actor}
        optimizer = self._actor_optimizer()
        if self.objective.get(ALPHA) is not None:
            settings["optimizer"] = self.objective[ALPHA]
        elif optimizer is not None and (optimizer.kind != "Adam" or optimizer.settings()["weight_decay"]):
            settings["optimizer"] = {"kind": "Adam", "lr": optimizer.settings()["lr"]}
        else:
            return settings
        settings.pop("lr", None)
        return settings

    def _actor_optimizer(self) -> BaseOptimizer | None:
        """Return the optimiser that the user gave the actor, if there is one."""
        own: BaseOptimizer | None = self.algorithm.settings()["actor_optimizer"]
        return own or (self.plan.optimizer if "optimizer" in self.given else None)


def _is_alike(settings: Mapping[str, Any], others: Mapping[str, Any]) -> bool:
    """Say whether two updates do the same to gradients; `null` is as if it were not there."""
    names = settings.keys() | others.keys()
    return all((settings.get(name) or None) == (others.get(name) or None) for name in names)


def _wiring(update: Update) -> dict[str, Any]:
    """Return the losses, the parameters and the interval of an update."""
    wiring: dict[str, Any] = {"loss": list(update.losses)}
    if update.parameters is not None:
        wiring["parameters"] = list(update.parameters)
    return wiring if update.every == 1 else {**wiring, "every": update.every}
