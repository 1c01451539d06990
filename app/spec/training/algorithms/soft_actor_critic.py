"""Soft actor-critic (Haarnoja et al. 2018: "Soft actor-critic algorithms and applications")."""

import math
from collections.abc import Mapping
from typing import Any

from app.spec.data.environments.spaces import BoxSpace
from app.spec.training.algorithms.bodies import GAUSSIAN_OUTPUTS, UsedBody
from app.spec.training.algorithms.graph import Graph, Update
from app.spec.training.algorithms.policies import ActionScale, split_gaussian, squashed_sample
from app.spec.training.algorithms.values import CRITICS, bellman_target, critics_loss, minimum_of_critics, twin_critics


def write_sac(graph: Graph, bodies: Mapping[str, UsedBody], settings: Mapping[str, Any], space: BoxSpace) -> None:
    """Write the network and the updates of SAC into a graph."""
    actor, critic = bodies["actor"], bodies["critic"]
    actions, scale = space.shape[0], ActionScale(space)
    _write_policy(graph, actor, actions, scale)
    alpha, fixed_alpha = _write_alpha(graph, settings)
    _write_critic_loss(graph, actor, critic, settings, actions, scale, fixed_alpha)
    names: dict[str, str | None] = {f"{name}_of_policy": name for name in CRITICS}  # the same parameters
    minimum_of_critics(graph, critic, names, "observation", graph.outputs["explored"], "q")
    entropy_cost = _times_alpha(graph, "entropy_cost", "log_prob", fixed_alpha)
    graph.add_loss("actor", graph.add("actor_objective", "sub", entropy_cost, "q"))
    graph.updates += [
        Update(("critic",), CRITICS, "critic_optimizer"),
        Update(("actor",), ("policy",), "actor_optimizer"),
    ]
    if alpha is not None:
        _write_alpha_loss(graph, settings, actions, alpha)
    for name in CRITICS:
        graph.follow(f"target_{name}", name, settings["tau"])
    graph.outputs["entropy"] = graph.add("entropy", "neg", "log_prob")
    graph.outputs["q"] = "q"
    graph.data |= {"behaviour": "explored", "report": ["entropy", "q"]}


def _write_policy(graph: Graph, actor: UsedBody, actions: int, scale: ActionScale) -> None:
    """Add the policy's action, a sample of it, and the sample's log-probability."""
    policy = actor.use(graph, "policy", "policy", observation="observation")
    if actor.has_gaussian_outputs:
        for output in GAUSSIAN_OUTPUTS:
            actor.expect(graph, policy, (actions,), f"the {output} of {_count(actions)}", output)
    else:
        meaning = f"the mean and then the log_std of {_count(actions)}"
        actor.expect(graph, policy, (2 * actions,), meaning)
    mean, log_std = split_gaussian(graph, actor, policy, actions)
    best = graph.add("squashed_mean", "tanh", mean)
    graph.outputs["action"] = scale.to_action(graph, best, "mean_action")
    squashed, _ = squashed_sample(graph, mean, log_std, actions)
    graph.outputs["explored"] = scale.to_action(graph, squashed, "sampled_action")


def _count(actions: int) -> str:
    return f"{actions} action{'s' if actions != 1 else ''}"


def _write_alpha(graph: Graph, settings: Mapping[str, Any]) -> tuple[str | None, str | float]:
    """Add the temperature; return it, and the same without gradients. A fixed one is a number."""
    if settings["alpha"] != "auto":
        return None, float(settings["alpha"])
    init = {"kind": "constant", "value": math.log(settings["initial_alpha"])}
    log_alpha = graph.add("log_alpha", "Parameter", place="/objective/initial_alpha", shape=[1], init=init)
    alpha = graph.add("alpha", "exp", log_alpha)
    return alpha, graph.add("fixed_alpha", "stop_gradient", alpha)


def _times_alpha(graph: Graph, name: str, log_prob: str, alpha: str | float) -> str:
    if isinstance(alpha, str):
        return graph.add(name, "mul", log_prob, alpha)
    return graph.add(name, "mul", log_prob, place="/objective/alpha", scalar=alpha)


def _write_critic_loss(
    graph: Graph,
    actor: UsedBody,
    critic: UsedBody,
    settings: Mapping[str, Any],
    actions: int,
    scale: ActionScale,
    alpha: str | float,
) -> None:
    """Add the critics' errors: both are compared with the soft value of the next observation."""
    policy = actor.use(graph, "next_policy", "policy", observation="next_observation")
    mean, log_std = split_gaussian(graph, actor, policy, actions, "next_")
    squashed, log_prob = squashed_sample(graph, mean, log_std, actions, "next_")
    next_action = scale.to_action(graph, squashed, "next_action")
    targets: dict[str, str | None] = {f"target_{name}": None for name in CRITICS}
    value = minimum_of_critics(graph, critic, targets, "next_observation", next_action, "next_q")
    cost = _times_alpha(graph, "next_entropy_cost", log_prob, alpha)
    target = bellman_target(graph, settings["gamma"], graph.add("next_value", "sub", value, cost))
    twin_critics(graph, critic, "action")
    graph.add_loss("critic", critics_loss(graph, target))


def _write_alpha_loss(graph: Graph, settings: Mapping[str, Any], actions: int, alpha: str) -> None:
    """Add the loss by which the temperature rises while the entropy is below its target."""
    target = settings["target_entropy"]
    entropy = -float(actions) if target == "auto" else target
    excess = graph.add("entropy_gap", "add", "log_prob", place="/objective/target_entropy", scalar=entropy)
    fixed = graph.add("fixed_entropy_gap", "stop_gradient", excess)
    graph.add_loss("alpha", graph.chain(graph.add("alpha_gap", "mul", fixed, alpha), ("alpha_objective", "neg", {})))
    graph.updates.append(Update(("alpha",), ("log_alpha",), "alpha_optimizer"))
