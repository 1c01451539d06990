"""What a trace records: operations with their values on the examples, lines of user code, and obstacles."""

import linecache
from dataclasses import dataclass, field
from enum import IntEnum
from importlib import import_module
from typing import Any

from graftwerk.errors import Obstacle

FxNode = Any  # torch.fx.Node
SourceLocation = tuple[str, int]  # file and line; ("", 0) if there is none
UNKNOWN_LOCATION: SourceLocation = ("", 0)


class Dependence(IntEnum):
    """What a value depends on, besides the module's buffers."""

    CONSTANT = 0
    SIZES = 1
    DATA = 2  # inputs, parameters or random numbers


class Unknown:
    """The value of an operation that could not be run."""


UNKNOWN = Unknown()


@dataclass
class SymbolicTrace:
    """A traced forward. `is_incomplete`: the trace ended early.

    `values` are those of a node for each set of examples; `writes` are the operands whose memory a node changes.
    """

    graph: Any
    locations: dict[FxNode, SourceLocation] = field(default_factory=dict)
    scopes: dict[FxNode, str] = field(default_factory=dict)  # path of the innermost module
    values: dict[FxNode, tuple[Any, ...]] = field(default_factory=dict)
    writes: dict[FxNode, list[FxNode]] = field(default_factory=dict)
    written_buffers: dict[int, FxNode] = field(default_factory=dict)  # by memory
    dependences: dict[FxNode, Dependence] = field(default_factory=dict)
    sizes: dict[FxNode, dict[int, Any]] = field(default_factory=dict)  # proxies of sizes, by dimension
    obstacles: list[Obstacle] = field(default_factory=list)
    without_gradient: set[FxNode] = field(default_factory=set)  # called within torch.no_grad
    is_incomplete: bool = False
    reads_rank: bool = False  # user code has asked for the number of dimensions

    def add_obstacle(self, node: FxNode, detail: str, hint: str) -> None:
        """Record that a node cannot be expressed."""
        self.obstacles.append(make_obstacle(str(node.name), self.locations.get(node, UNKNOWN_LOCATION), detail, hint))

    def copy_node(self, node: FxNode, copy: FxNode) -> None:
        """Record for a copy of a node what is recorded for the node."""
        self.locations[copy], self.scopes[copy] = self.locations[node], self.scopes[node]
        self.values[copy], self.dependences[copy] = self.values[node], self.dependences[node]
        self.without_gradient |= {copy} if node in self.without_gradient else set()

    def dependence(self, node: FxNode) -> Dependence:
        """Return what a node's value depends on."""
        return self.dependences.get(node, Dependence.DATA)

    def tensors(self, node: FxNode) -> tuple[Any, ...]:
        """Return the values of a node if they are tensors, else an empty tuple."""
        values = self.values.get(node, ())
        tensor = import_module("torch").Tensor
        return values if values and all(isinstance(value, tensor) for value in values) else ()


def make_obstacle(name: str, location: SourceLocation, detail: str, hint: str) -> Obstacle:
    """Return an obstacle with the source line of its location."""
    return Obstacle(name, *location, linecache.getline(*location).strip() if location[0] else "", detail, hint)


def storage_id(tensor: Any) -> int:
    """Return the identity of a tensor's memory."""
    return int(tensor.untyped_storage()._cdata)
