"""Values: critics and their targets, as nodes; and deep Q-networks, which are that alone."""

from collections.abc import Mapping
from typing import Any

from app.spec.data.environments.spaces import DiscreteSpace
from app.spec.training.algorithms.bodies import UsedBody
from app.spec.training.algorithms.graph import Graph, Update
from app.spec.training.algorithms.policies import of_class

CRITICS = ("critic1", "critic2")


def bellman_target(graph: Graph, gamma: float, next_value: str) -> str:
    """Add reward + gamma * next_value, (N, 1) without gradients; the value after a terminated episode is 0."""
    ended = graph.add("ended", "ne", "terminated", scalar=0)
    kept = graph.add("later_value", "masked_fill", next_value, ended, value=0.0)
    discounted = graph.add("discounted", "mul", kept, place="/objective/gamma", scalar=gamma)
    total = graph.add("reward_and_value", "add", "reward", discounted)
    return graph.add("target", "stop_gradient", total)


def twin_critics(graph: Graph, critic: UsedBody, action: str) -> None:
    """Add two critics with parameters of their own, on `observation` and an action: critic1 and critic2."""
    for name in CRITICS:
        critic.use(graph, name, name, observation="observation", action=action)
        critic.expect(graph, name, (1,), "the value of an action")


def minimum_of_critics(
    graph: Graph, critic: UsedBody, names: Mapping[str, str | None], observation: str, action: str, name: str
) -> str:
    """Add uses of two critics, by id with what each shares, and the smaller of their values (N, 1)."""
    pair = [critic.use(graph, node, share, observation=observation, action=action) for node, share in names.items()]
    return graph.add(name, "minimum", *pair)


def critics_loss(graph: Graph, target: str) -> str:
    """Add the sum of the mean squared errors of both critics."""
    errors = [graph.add(f"{name}_error", "MSELoss", name, target) for name in CRITICS]
    return graph.add("critics_error", "add", *errors)


def write_dqn(graph: Graph, bodies: Mapping[str, UsedBody], settings: Mapping[str, Any], space: DiscreteSpace) -> None:
    """Write the network and the update of DQN (Mnih et al. 2015; double: van Hasselt et al. 2016) into a graph."""
    critic = bodies["critic"]
    values = critic.use(graph, "critic", "critic", observation="observation")
    critic.expect(graph, values, (space.n,), f"the values of {space.n} actions")
    graph.outputs["action"] = graph.add("greedy_action", "argmax", values, dim=1)
    next_values = critic.use(graph, "target_critic", observation="next_observation")
    if settings["double"]:
        chosen = critic.use(graph, "next_critic", "critic", observation="next_observation")
        best = graph.add("next_action", "argmax", chosen, dim=1)
        next_value = of_class(graph, next_values, best, "next_value")
    else:
        next_value = graph.add("next_value", "amax", next_values, dim=1, keepdim=True)
    target = bellman_target(graph, settings["gamma"], next_value)
    taken = of_class(graph, values, "action", "value_of_action")
    graph.add_loss("critic", graph.add("critic_error", settings["loss"], taken, target, place="/objective/loss"))
    graph.updates.append(Update(("critic",), ("critic",), ""))
    graph.follow("target_critic", "critic", settings["tau"], settings["target_every"], "target_every")
    graph.outputs["q"] = graph.add("q", "amax", values, dim=1, keepdim=True)
    graph.data |= {
        "exploration": {
            "kind": "epsilon_greedy",
            **{name: settings[f"epsilon_{name}"] for name in ("start", "end", "steps")},
        },
        "report": ["q"],
    }
