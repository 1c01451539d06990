"""The result of shape inference: nodes with their tensors on the meta device, and problems."""

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from torch import Tensor

from app.errors import Problem
from app.spec.base import bounded_count
from workers.network.blueprint import Blueprint, ResolvedNode


def too_many_nodes_problem(count: int, limit: int) -> Problem:
    """Return the problem of a network with more nodes than are allowed."""
    detail = f"the network has {bounded_count(count):,} nodes, at most {limit:,} are allowed"
    return Problem("/model", "too_many_nodes", detail, "make the network smaller")


BRANCHING_KINDS = frozenset({"If", "Route"})  # of whose bodies one runs


@dataclass(frozen=True, slots=True)
class InferredNode:
    """A node with its inputs and outputs for a batch of `SYMBOLIC_BATCH_SIZE` examples."""

    node: ResolvedNode
    inputs: tuple[Tensor, ...]
    output: Tensor
    parameters: int = 0
    buffers: int = 0  # elements
    other_outputs: tuple[Tensor, ...] = ()  # outputs after the first
    bodies: "Mapping[str, InferredBody]" = field(default_factory=dict)
    flops: int | None = None  # floating point operations, if they were counted

    def named_outputs(self) -> dict[str, Tensor]:
        """Return the outputs by the names under which other nodes read them."""
        outputs = (self.output, *self.other_outputs)
        own = {f"{self.node.id}.{name}": value for name, value in zip(self.node.outputs, outputs, strict=False)}
        return {self.node.id: self.output, **own}

    def cost_of_bodies(self, cost: "Callable[[InferredNode], int]") -> int:
        """Return the sum of a cost over the nodes of all bodies, once for each run; of branches, the largest sum."""
        costs = [body.iterations * sum(map(cost, body.network.nodes)) for body in self.bodies.values()]
        return max(costs) if self.node.kind in BRANCHING_KINDS else sum(costs)


@dataclass(slots=True)
class PartialNetwork:
    """A network on the meta device, without nodes that have problems and those that read them."""

    blueprint: Blueprint
    nodes: list[InferredNode] = field(default_factory=list)
    values: dict[str, Tensor] = field(default_factory=dict)  # inputs and outputs of nodes, by name
    problems: list[Problem] = field(default_factory=list)

    @property
    def parameters(self) -> int:
        """The number of trained elements."""
        return sum(trace.parameters for trace in self.nodes)

    @property
    def buffers(self) -> int:
        """The number of elements in buffers."""
        return sum(trace.buffers for trace in self.nodes)

    def count_nodes(self) -> int:
        """Return the number of nodes that are built, those in bodies included: a block counts for each use."""
        sizes: dict[int, int] = {}

        def count(network: PartialNetwork) -> int:
            if id(network) not in sizes:
                inner = [part.network for trace in network.nodes for part in trace.bodies.values()]
                sizes[id(network)] = len(network.nodes) + sum(map(count, inner))
            return sizes[id(network)]

        return count(self)

    def trainable_nodes(self, frozen: AbstractSet[str] = frozenset()) -> set[str]:
        """Return the nodes and outputs through which a gradient reaches a parameter outside the nodes `frozen`."""
        trainable: set[str] = set()
        for trace in self.nodes:
            node = trace.node
            own = (trace.parameters > 0 or node.share is not None) and node.id not in frozen
            if (own or not trainable.isdisjoint(node.inputs)) and node.kind != "stop_gradient":
                trainable.update(trace.named_outputs())
            else:
                trainable.difference_update(trace.named_outputs())  # a layer may have the name of the one before it
        return trainable

    def output_values(self) -> tuple[Tensor, ...] | None:
        """Return the outputs; `None` if one of them is unknown."""
        sources = self.blueprint.outputs.values()
        return tuple(self.values[name] for name in sources) if all(name in self.values for name in sources) else None


@dataclass(frozen=True, slots=True)
class InferredBody:
    """A body on the meta device, and the number of its iterations per batch."""

    network: PartialNetwork
    iterations: int
    pointer: str  # relative to the network
