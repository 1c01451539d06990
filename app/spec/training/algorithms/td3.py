"""Twin delayed deep deterministic policy gradient (Fujimoto et al. 2018)."""

from collections.abc import Mapping
from typing import Any

from app.spec.data.environments.spaces import BoxSpace
from app.spec.training.algorithms.bodies import UsedBody
from app.spec.training.algorithms.graph import Graph, Update
from app.spec.training.algorithms.policies import ActionScale
from app.spec.training.algorithms.values import CRITICS, bellman_target, critics_loss, minimum_of_critics, twin_critics


def write_td3(graph: Graph, bodies: Mapping[str, UsedBody], settings: Mapping[str, Any], space: BoxSpace) -> None:
    """Write the network and the updates of TD3 into a graph."""
    actor, critic, scale, actions = bodies["actor"], bodies["critic"], ActionScale(space), space.shape[0]
    policy = actor.use(graph, "policy", "policy", observation="observation")
    actor.expect(graph, policy, (actions,), f"{actions} action{'s' if actions != 1 else ''}")
    squashed = graph.add("squashed", "tanh", policy)
    action = graph.outputs["action"] = scale.to_action(graph, squashed, "policy_action")
    next_action = _write_next_action(graph, actor, scale, settings)
    targets: dict[str, str | None] = {f"target_{name}": None for name in CRITICS}
    value = minimum_of_critics(graph, critic, targets, "next_observation", next_action, "next_value")
    target = bellman_target(graph, settings["gamma"], value)
    twin_critics(graph, critic, "action")
    graph.add_loss("critic", critics_loss(graph, target))
    graph.outputs["q"] = critic.use(graph, "q", CRITICS[0], observation="observation", action=action)
    graph.add_loss("actor", graph.add("minus_q", "neg", "q"))
    delay = settings["policy_delay"]
    graph.updates += [
        Update(("critic",), CRITICS, "critic_optimizer"),
        Update(("actor",), ("policy",), "actor_optimizer", delay, "policy_delay"),
    ]
    for name in (*CRITICS, "policy"):
        graph.follow(f"target_{name}", name, settings["tau"], delay, "policy_delay")
    graph.data |= {"exploration": {"kind": "gaussian", "std": settings["exploration_noise"]}, "report": ["q"]}


def _write_next_action(graph: Graph, actor: UsedBody, scale: ActionScale, settings: Mapping[str, Any]) -> str:
    """Add the action of the target policy, smoothed by noise that is clipped; return it."""
    policy = actor.use(graph, "target_policy", observation="next_observation")
    source = graph.add("target_squashed", "tanh", policy)
    if settings["target_noise"]:
        clip = settings["noise_clip"]
        noise = graph.chain(
            source,
            ("unit_noise", "randn_like", {}),
            ("free_noise", "mul", {"scalar": settings["target_noise"]}),
            ("target_noise", "clamp", {"min": -clip, "max": clip}),
        )
        smoothed = graph.add("target_smoothed", "add", source, noise)
        source = graph.add("target_clamped", "clamp", smoothed, min=-1.0, max=1.0)
    return scale.to_action(graph, source, "next_action")
