"""A network after shape inference: what `build` constructs and `write_source` writes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.spec.network.generation import Generation

Parameters = Mapping[str, Any]  # of a node, with every inferred size filled in
Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class FreeRunning:
    """How a node that scores the next token runs freely: its settings, and the arguments of the function for it."""

    settings: Generation
    arguments: Parameters


@dataclass(frozen=True, slots=True)
class ResolvedNode:
    """A node with all parameters of its kind, inferred sizes included."""

    id: str
    kind: str
    parameters: Parameters
    inputs: tuple[str, ...]  # nodes, their outputs ("scan.state"), or inputs of the network
    pointer: str  # where the user wrote it, relative to the network
    outputs: tuple[str, ...] = ()  # names, for a node with bodies
    bodies: Mapping[str, "Blueprint"] = field(default_factory=dict)
    share: str | None = None  # uses of a block with the same share are one
    free_running: FreeRunning | None = None


@dataclass(frozen=True, slots=True)
class Blueprint:
    """A network or body: its nodes in topological order."""

    inputs: tuple[str, ...]
    nodes: tuple[ResolvedNode, ...]
    outputs: Mapping[str, str]  # name → node, an output of a node, or input of the network

    @property
    def generator(self) -> ResolvedNode | None:
        """The node that can run freely, if there is one."""
        return next((node for node in self.nodes if node.free_running is not None), None)
