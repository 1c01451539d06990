"""Policies: from what an actor gives to actions, their log-probabilities and entropies, as nodes.

Numbers are computed for actions scaled to [-1, 1]; so alpha, noise and entropy mean the same whatever the units of an
environment are. Only the action itself is in the environment's units.
"""

import math
from collections.abc import Sequence

from app.spec.data.environments.spaces import BoxSpace
from app.spec.training.algorithms.bodies import UsedBody
from app.spec.training.algorithms.graph import Graph

MIN_LOG_STD, MAX_LOG_STD = -20.0, 2.0
_HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)
_ROW = {"dim": 1, "keepdim": True}


class ActionScale:
    """The map from [-1, 1] to the actions of a box; the identity where there are no bounds."""

    def __init__(self, space: BoxSpace) -> None:
        ranges = list(zip(space.lows, space.highs, strict=True))
        bounded = all(low is not None and high is not None for low, high in ranges)
        self.halves = [((high or 0.0) - (low or 0.0)) / 2 if bounded else 1.0 for low, high in ranges]
        self.middles = [((high or 0.0) + (low or 0.0)) / 2 if bounded else 0.0 for low, high in ranges]

    def to_action(self, graph: Graph, source: str, name: str) -> str:
        """Add the nodes from [-1, 1] to an action; return the last one, called `name` unless nothing is to be done."""
        scaled = any(half != 1 for half in self.halves)
        moved = any(middle != 0 for middle in self.middles)
        if scaled:
            source = _with_each(
                graph, name if not moved else f"{name}_scaled", "mul", source, "half_range", self.halves
            )
        if moved:
            source = _with_each(graph, name, "add", source, "middle", self.middles)
        return source

    def from_action(self, graph: Graph, source: str, name: str) -> str:
        """Add the nodes from an action to [-1, 1]; return the last one."""
        if any(middle != 0 for middle in self.middles):
            source = _with_each(graph, f"{name}_centred", "sub", source, "middle", self.middles)
        if any(half != 1 for half in self.halves):
            source = _with_each(graph, name, "div", source, "half_range", self.halves)
        return source


def _with_each(graph: Graph, name: str, kind: str, source: str, constant: str, values: Sequence[float]) -> str:
    """Add an operation with one number, or with one for each dimension."""
    if len(set(values)) == 1:
        return graph.add(name, kind, source, place="/data", scalar=values[0])
    if all(node["id"] != constant for node in graph.nodes):
        graph.add(constant, "Constant", place="/data", value=list(values))
    return graph.add(name, kind, source, constant, place="/data")


def split_gaussian(graph: Graph, actor: UsedBody, node: str, actions: int, prefix: str = "") -> tuple[str, str]:
    """Add mean and log_std, each (N, A), of an actor that gives both; with a prefix without gradients."""
    if actor.has_gaussian_outputs:
        mean, log_std = f"{node}.mean", f"{node}.log_std"
        if prefix:
            mean = graph.add(f"{prefix}mean", "stop_gradient", mean)
            log_std = graph.add(f"{prefix}log_std_fixed", "stop_gradient", log_std)
    else:
        if prefix:
            node = graph.add(f"{prefix}gaussian", "stop_gradient", node)
        mean = graph.add(f"{prefix}mean", "narrow", node, dim=1, start=0, length=actions)
        log_std = graph.add(f"{prefix}log_std_free", "narrow", node, dim=1, start=actions, length=actions)
    return mean, graph.add(f"{prefix}log_std", "clamp", log_std, min=MIN_LOG_STD, max=MAX_LOG_STD)


def sample_gaussian(graph: Graph, mean: str, log_std: str, prefix: str = "") -> tuple[str, str]:
    """Add `std`, and a sample (N, A) of a Gaussian, as mean + std * noise; return the sample and the noise."""
    std = graph.add(f"{prefix}std", "exp", log_std)
    noise = graph.add(f"{prefix}noise", "randn_like", mean)
    deviation = graph.add(f"{prefix}deviation", "mul", noise, std)
    return graph.add(f"{prefix}gaussian_sample", "add", mean, deviation), noise


def squashed_sample(graph: Graph, mean: str, log_std: str, actions: int, prefix: str = "") -> tuple[str, str]:
    """Add tanh of a Gaussian sample (N, A), and the log-probability of that (N, 1).

    The density is divided by the derivative of tanh, 1 - tanh(x)^2 = 1 / cosh(x)^2, whose logarithm is
    -2 (log(e^x + e^-x) - log 2): exact for any x (Haarnoja et al. 2018, appendix C, has 1 - tanh(x)^2 itself).
    """
    sample, noise = sample_gaussian(graph, mean, log_std, prefix)
    minus = graph.add(f"{prefix}minus_sample", "neg", sample)
    squashed = graph.add(f"{prefix}squashed", "tanh", sample)
    cosh = graph.add(f"{prefix}log_2cosh", "logaddexp", sample, minus)
    volume = graph.add(f"{prefix}log_volume", "mul", cosh, scalar=2.0)
    density = graph.add(f"{prefix}without_noise", "sub", volume, log_std)
    squares = graph.chain(
        noise, (f"{prefix}noise_square", "square", {}), (f"{prefix}noise_term", "mul", {"scalar": -0.5})
    )
    terms = graph.add(f"{prefix}log_prob_terms", "add", density, squares)
    constant = -actions * (_HALF_LOG_2PI + 2 * math.log(2))
    log_prob = graph.chain(
        terms, (f"{prefix}log_prob_sum", "sum", _ROW), (f"{prefix}log_prob", "add", {"scalar": constant})
    )
    return squashed, log_prob


def gaussian_log_prob(graph: Graph, standard: str, log_std: str, actions: int, name: str) -> str:
    """Add the log-probability (N, 1) of mean + std * standard; standard is (N, A), and log_std (N, A) or (A)."""
    half = graph.chain(standard, (f"{name}_square", "square", {}), (f"{name}_half", "mul", {"scalar": -0.5}))
    terms = graph.add(f"{name}_terms", "sub", half, log_std)
    return graph.chain(terms, (f"{name}_sum", "sum", _ROW), (name, "add", {"scalar": -actions * _HALF_LOG_2PI}))


def gumbel_max(graph: Graph, scores: str, name: str) -> str:
    """Add a class number, int64 (N), drawn with the probabilities of scores (N, n) (Gumbel 1954).

    The largest of scores + g, where g = -log(-log(u)) of uniform u, is class i with the probability softmax(scores)_i.
    """
    noise = graph.chain(
        scores,
        ("uniform", "rand_like", {}),
        ("log_uniform", "log", {}),
        ("exponential", "neg", {}),
        ("minus_gumbel", "log", {}),
    )
    perturbed = graph.add("perturbed_scores", "sub", scores, noise)
    return graph.add(name, "argmax", perturbed, dim=1)


def of_class(graph: Graph, values: str, classes: str, name: str) -> str:
    """Add the value (N, 1) of a class number (N) among values (N, n)."""
    column = graph.add(f"{name}_index", "unsqueeze", classes, dim=1)
    return graph.add(name, "gather", values, column, dim=1)
