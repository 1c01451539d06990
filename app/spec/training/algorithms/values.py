"""Values: critics and their targets, as nodes."""

from collections.abc import Mapping

from app.spec.training.algorithms.bodies import UsedBody
from app.spec.training.algorithms.graph import Graph

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
