"""Policy gradients: REINFORCE (Williams 1992) and proximal policy optimisation (Schulman et al. 2017)."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.spec.data.environments.spaces import BoxSpace, DiscreteSpace
from app.spec.training.algorithms.bodies import GAUSSIAN_OUTPUTS, UsedBody
from app.spec.training.algorithms.graph import Graph, Update
from app.spec.training.algorithms.policies import (
    MAX_LOG_STD,
    MIN_LOG_STD,
    ActionScale,
    gaussian_log_prob,
    gumbel_max,
    of_class,
    sample_gaussian,
)

_ENTROPY_OF_UNIT_GAUSSIAN = 0.5 * (1 + math.log(2 * math.pi))
_ROW = {"dim": 1, "keepdim": True}


@dataclass(frozen=True, slots=True)
class Policy:
    """The nodes of a policy: log-probability (N, 1) of the column `action`, and the entropy, one number or (N, 1)."""

    log_prob: str
    entropy: str
    parameters: tuple[str, ...]


def write_ppo(
    graph: Graph, bodies: Mapping[str, UsedBody], settings: Mapping[str, Any], space: BoxSpace | DiscreteSpace
) -> None:
    """Write the network and the updates of PPO into a graph."""
    source = _write_trunk(graph, bodies)
    policy = _write_policy(graph, bodies["actor"], settings, space, source, with_log_prob=True)
    value = bodies["critic"].use(graph, "critic", **source)
    bodies["critic"].expect(graph, value, (1,), "the value of an observation")
    graph.outputs["value"] = value
    graph.add_loss("policy", _clipped_objective(graph, policy.log_prob, settings["clip_range"]))
    error = graph.add("value_error", "MSELoss", value, "returns")
    graph.add_loss("value", error, settings["value_coefficient"])
    losses = ("policy", *_add_entropy_loss(graph, policy, settings))
    if settings["actor_optimizer"] is None and settings["critic_optimizer"] is None:
        graph.updates.append(Update((*losses, "value"), None, ""))
    else:
        graph.updates += [
            Update(losses, policy.parameters, "actor_optimizer"),
            Update(("value",), ("critic",), "critic_optimizer"),
        ]
    graph.data |= {"behaviour": "explored", "report": ["entropy", "value"]}


def write_reinforce(
    graph: Graph, bodies: Mapping[str, UsedBody], settings: Mapping[str, Any], space: BoxSpace | DiscreteSpace
) -> None:
    """Write the network and the update of REINFORCE into a graph."""
    source = {"observation": "observation"}
    policy = _write_policy(graph, bodies["actor"], settings, space, source, with_log_prob=False)
    weighted = graph.add("weighted_log_prob", "mul", policy.log_prob, "returns")
    graph.add_loss("policy", graph.add("policy_objective", "neg", weighted))
    losses = ("policy", *_add_entropy_loss(graph, policy, settings))
    graph.updates.append(Update(losses, None, ""))
    graph.data |= {"behaviour": "explored", "report": ["entropy"]}


def _write_trunk(graph: Graph, bodies: Mapping[str, UsedBody]) -> dict[str, str]:
    """Return what actor and critic read by name: the observation, or the features of a trunk, which is added."""
    if "trunk" not in bodies:
        return {"observation": "observation"}
    return {"features": bodies["trunk"].use(graph, "trunk", observation="observation")}


def _write_policy(
    graph: Graph,
    actor: UsedBody,
    settings: Mapping[str, Any],
    space: BoxSpace | DiscreteSpace,
    source: Mapping[str, str],
    *,
    with_log_prob: bool,
) -> Policy:
    """Add a policy with the outputs action, explored, entropy, and the log_prob of what is explored."""
    node = actor.use(graph, "policy", **source)
    if isinstance(space, DiscreteSpace):
        return _categorical(graph, actor, node, space, with_log_prob=with_log_prob)
    return _gaussian(graph, actor, node, space, settings, with_log_prob=with_log_prob)


def _categorical(graph: Graph, actor: UsedBody, node: str, space: DiscreteSpace, *, with_log_prob: bool) -> Policy:
    """Add a policy over classes: the actor gives their scores (N, n)."""
    actor.expect(graph, node, (space.n,), f"the scores of {space.n} actions")
    scores = graph.add("log_probs", "log_softmax", node, dim=1)
    graph.outputs["action"] = graph.add("greedy_action", "argmax", node, dim=1)
    sample = graph.outputs["explored"] = gumbel_max(graph, scores, "sampled_action")
    if with_log_prob:
        graph.outputs["log_prob"] = of_class(graph, scores, sample, "sampled_log_prob")
    log_prob = of_class(graph, scores, "action", "log_prob_of_action")
    weighted = graph.add("weighted_log_probs", "mul", graph.add("probabilities", "exp", scores), scores)
    entropy = graph.chain(weighted, ("minus_entropy", "sum", _ROW), ("entropy", "neg", {}))
    graph.outputs["entropy"] = entropy
    return Policy(log_prob, entropy, ("policy",))


def _gaussian(
    graph: Graph, actor: UsedBody, node: str, space: BoxSpace, settings: Mapping[str, Any], *, with_log_prob: bool
) -> Policy:
    """Add a Gaussian policy: the actor gives means (N, A), and log_std is a parameter or its second output."""
    actions, scale = space.shape[0], ActionScale(space)
    mean, log_std = _mean_and_log_std(graph, actor, node, actions, settings)
    graph.outputs["action"] = scale.to_action(graph, mean, "mean_action")
    sample, noise = sample_gaussian(graph, mean, log_std)
    graph.outputs["explored"] = scale.to_action(graph, sample, "sampled_action")
    if with_log_prob:
        graph.outputs["log_prob"] = gaussian_log_prob(graph, noise, log_std, actions, "sampled_log_prob")
    taken = scale.from_action(graph, "action", "unit_action")
    distance = graph.add("distance", "sub", taken, mean)
    standard = graph.add("standard_distance", "div", distance, "std")
    log_prob = gaussian_log_prob(graph, standard, log_std, actions, "log_prob_of_action")
    constant = actions * _ENTROPY_OF_UNIT_GAUSSIAN
    if actor.has_gaussian_outputs:
        entropy = graph.chain(log_std, ("log_std_sum", "sum", _ROW), ("entropy", "add", {"scalar": constant}))
        graph.outputs["entropy"] = entropy
        return Policy(log_prob, entropy, ("policy",))
    total = graph.add("log_std_sum", "sum", log_std, dim=0)
    entropy = graph.add("entropy", "add", total, scalar=constant)
    rows = graph.add("no_entropy", "zeros", node, shape=[1])  # of every observation it is the same
    graph.outputs["entropy"] = graph.add("entropy_of_rows", "add", rows, entropy)
    return Policy(log_prob, entropy, ("policy", "log_std"))


def _mean_and_log_std(
    graph: Graph, actor: UsedBody, node: str, actions: int, settings: Mapping[str, Any]
) -> tuple[str, str]:
    count = f"{actions} action{'s' if actions != 1 else ''}"
    if actor.has_gaussian_outputs:
        for output in GAUSSIAN_OUTPUTS:
            actor.expect(graph, node, (actions,), f"the {output} of {count}", output)
        log_std = graph.add("log_std", "clamp", f"{node}.log_std", min=MIN_LOG_STD, max=MAX_LOG_STD)
        return f"{node}.mean", log_std
    actor.expect(graph, node, (actions,), f"the mean of {count}")
    init = {"kind": "constant", "value": math.log(settings["initial_std"])}
    place = "/objective/initial_std"
    return node, graph.add("log_std", "Parameter", place=place, shape=[actions], init=init)


def _clipped_objective(graph: Graph, log_prob: str, clip_range: float) -> str:
    """Add minus the clipped surrogate objective (N, 1) of PPO."""
    log_ratio = graph.add("log_ratio", "sub", log_prob, "log_prob")
    ratio = graph.add("ratio", "exp", log_ratio)
    limits = {"min": 1 - clip_range, "max": 1 + clip_range}
    clipped = graph.add("clipped_ratio", "clamp", ratio, place="/objective/clip_range", **limits)
    free = graph.add("surrogate", "mul", ratio, "advantage")
    limited = graph.add("clipped_surrogate", "mul", clipped, "advantage")
    return graph.chain(graph.add("least_surrogate", "minimum", free, limited), ("policy_objective", "neg", {}))


def _add_entropy_loss(graph: Graph, policy: Policy, settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Let a head raise the entropy, if it counts; return the heads that were added."""
    if not settings["entropy_coefficient"]:
        return ()
    graph.add_loss("entropy", graph.add("entropy_cost", "neg", policy.entropy), settings["entropy_coefficient"])
    return ("entropy",)
