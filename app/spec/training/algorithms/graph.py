"""The graph of an algorithm while it is written: nodes, outputs, losses, updates, and where each comes from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.spec.training.algorithms.places import Places

OBJECTIVE = "/objective"


@dataclass(frozen=True, slots=True)
class ExpectedOutput:
    """The shape of what a body of the short form must give, without the batch dimension.

    `node` is a node of the network, or one of its outputs; `body` the pointer of the body in the user's document;
    `layer` that of what decides on its last dimension, and `is_linear` whether that is the width of a `Linear`.
    """

    node: str
    shape: tuple[int, ...]
    meaning: str  # such as "the mean and the log_std of 1 action"
    body: str
    layer: str
    is_linear: bool


@dataclass(frozen=True, slots=True)
class Update:
    """An update of the algorithm: its losses, which are heads, and what it trains (`None`: all parameters)."""

    losses: tuple[str, ...]
    parameters: tuple[str, ...] | None
    optimizer: str  # the setting with an optimiser of its own: "actor_optimizer"
    every: int = 1
    interval: str = ""  # the setting that `every` is, if it is one: "policy_delay"


@dataclass
class Graph:
    """What an algorithm consists of."""

    nodes: list[dict[str, Any]] = field(default_factory=list)
    outputs: dict[str, str] = field(default_factory=dict)  # output → node
    weights: dict[str, float] = field(default_factory=dict)  # head → weight; its loss is the output HEAD_loss
    updates: list[Update] = field(default_factory=list)
    targets: list[dict[str, Any]] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=dict)  # what the data section has by default
    expected: list[ExpectedOutput] = field(default_factory=list)
    places: Places = field(default_factory=Places)

    def add(self, name: str, kind: str, /, *inputs: str, place: str = OBJECTIVE, **fields: Any) -> str:
        """Add a node that follows from `place` in the user's document; return its id."""
        self.places.generated[f"/model/nodes/{len(self.nodes)}"] = place
        wiring = {"inputs": list(inputs)} if inputs else {}
        self.nodes.append({"id": name, "kind": kind, **wiring, **fields})
        return name

    def chain(self, source: str, *steps: tuple[str, str, Mapping[str, Any]]) -> str:
        """Add nodes of one input, (id, kind, fields), one after the other; return the id of the last."""
        for name, kind, fields in steps:
            source = self.add(name, kind, source, **fields)
        return source

    def add_loss(self, head: str, node: str, weight: float = 1.0) -> None:
        """Let a head minimise a node."""
        self.outputs[f"{head}_loss"] = node
        self.weights[head] = weight

    def follow(self, node: str, source: str, tau: float, every: int = 1, interval: str = "") -> None:
        """Let a node be the target network of another one; `interval` is the setting that `every` is."""
        if interval:
            self.places.moved[f"/training/target_networks/{len(self.targets)}/every"] = f"{OBJECTIVE}/{interval}"
        self.targets.append({"node": node, "source": source, "tau": tau, "every": every})
