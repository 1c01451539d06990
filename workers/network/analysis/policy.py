"""The policy of a job in an environment: what of its network acts, on observations as the environment gives them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from app.spec.data.environments.environment import OBSERVATION, EnvironmentData
from app.spec.data.environments.wrappers import BaseWrapper
from workers.network.analysis.dependencies import prune_to_outputs
from workers.network.blueprint import Blueprint, ResolvedNode


def policy_blueprint(blueprint: Blueprint, data: EnvironmentData) -> Blueprint:
    """Return the part of a network that acts, which reads observations as the environment gives them."""
    return prune_to_outputs(with_observation_wrappers(blueprint, data.wrappers), (data.action,))


def with_observation_wrappers(blueprint: Blueprint, wrappers: Sequence[BaseWrapper]) -> Blueprint:
    """Return a network that does what wrappers with numbers do to observations, in nodes of its own.

    A stack of frames remains what its caller makes: (N, frames, *observation). What is done to each element, or along
    the last dimension, is the same before and after frames are stacked.
    """
    added = _AddedNodes({*blueprint.inputs, *(node.id for node in blueprint.nodes)})
    source = OBSERVATION
    for wrapper in wrappers:
        settings = wrapper.settings()
        if wrapper.kind == "NormalizeObservation":
            source = added.add("centered", "sub", {"scalar": None}, source, added.constant("mean", settings["mean"]))
            source = added.add("normalized", "div", {"scalar": None}, source, added.constant("std", settings["std"]))
        elif wrapper.kind == "ClipObservation":
            source = added.add("clipped", "clamp", {"min": settings["low"], "max": settings["high"]}, source)
    return _with_input_read_as(source, blueprint, added.nodes) if added.nodes else blueprint


class _AddedNodes:
    """Nodes with names that a network does not have."""

    def __init__(self, taken: set[str]) -> None:
        self.nodes: list[ResolvedNode] = []
        self._taken = taken

    def add(self, word: str, kind: str, parameters: Mapping[str, Any], *inputs: str) -> str:
        """Add a node; return its id."""
        name = f"{OBSERVATION}_{word}"
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        self.nodes.append(ResolvedNode(name, kind, parameters, inputs, pointer=""))
        return name

    def constant(self, word: str, value: float | Sequence[float]) -> str:
        """Add a constant; return its id."""
        return self.add(word, "Constant", {"value": value if isinstance(value, float | int) else list(value)})


def _with_input_read_as(source: str, blueprint: Blueprint, added: Sequence[ResolvedNode]) -> Blueprint:
    """Return a network whose nodes read a node that was added where they read the observation."""
    nodes, name = list(added), source
    for node in blueprint.nodes:
        nodes.append(replace(node, inputs=tuple(name if each == OBSERVATION else each for each in node.inputs)))
        if node.id == OBSERVATION:  # a layer may have the name of the input: from here on it is meant
            name = OBSERVATION
    outputs = {output: name if each == OBSERVATION else each for output, each in blueprint.outputs.items()}
    return replace(blueprint, nodes=tuple(nodes), outputs=outputs)
