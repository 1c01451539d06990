"""Deep Q-networks (Mnih et al. 2015; double: van Hasselt et al. 2016)."""

from collections.abc import Mapping
from typing import Any

from app.spec.data.environments.spaces import DiscreteSpace
from app.spec.training.algorithms.bodies import UsedBody
from app.spec.training.algorithms.graph import Graph, Update
from app.spec.training.algorithms.policies import of_class
from app.spec.training.algorithms.values import bellman_target


def write_dqn(graph: Graph, bodies: Mapping[str, UsedBody], settings: Mapping[str, Any], space: DiscreteSpace) -> None:
    """Write the network and the update of DQN into a graph."""
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
    graph.follow("target_critic", "critic", settings["tau"], settings["target_every"])
    graph.outputs["q"] = graph.add("q", "amax", values, dim=1, keepdim=True)
    graph.data |= {
        "exploration": {
            "kind": "epsilon_greedy",
            **{name: settings[f"epsilon_{name}"] for name in ("start", "end", "steps")},
        },
        "report": ["q"],
    }
