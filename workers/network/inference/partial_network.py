"""A network on the meta device, as far as it is settled."""

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from torch import Tensor

from app.errors import Problem
from workers.network.blueprint import Blueprint, ResolvedNode


def too_many_nodes_problem(count: int, most: int) -> Problem:
    """Return what to say of a network that has more nodes than are allowed."""
    detail = f"the network has {count:,} nodes, at most {most:,} are allowed"
    return Problem("/model", "too_many_nodes", detail, "make the network smaller")


BRANCHING_KINDS = frozenset({"If", "Route"})  # of whose bodies one runs


@dataclass(frozen=True, slots=True)
class InferredNode:
    """What one node does with a batch of `BATCH` examples."""

    node: ResolvedNode
    inputs: tuple[Tensor, ...]
    output: Tensor
    parameters: int = 0
    buffers: int = 0  # elements that are kept but not trained
    other_outputs: tuple[Tensor, ...] = ()  # outputs after the first
    bodies: "Mapping[str, InferredBody]" = field(default_factory=dict)  # by body
    flops: int | None = None  # floating point operations, where they were counted

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
    """The network on the meta device; nodes with problems, and all that read them, are left out."""

    blueprint: Blueprint
    nodes: list[InferredNode] = field(default_factory=list)
    values: dict[str, Tensor] = field(default_factory=dict)  # inputs and outputs of nodes, by name
    problems: list[Problem] = field(default_factory=list)

    @property
    def parameters(self) -> int:
        """How many elements are trained."""
        return sum(trace.parameters for trace in self.nodes)

    @property
    def buffers(self) -> int:
        """How many elements are kept but not trained."""
        return sum(trace.buffers for trace in self.nodes)

    def count_nodes(self) -> int:
        """How many nodes are built, those in bodies too, which may be far more than are written."""
        sizes: dict[int, int] = {}

        def of(draft: PartialNetwork) -> int:
            if id(draft) not in sizes:
                inner = [part.network for trace in draft.nodes for part in trace.bodies.values()]
                sizes[id(draft)] = len(draft.nodes) + sum(map(of, inner))
            return sizes[id(draft)]

        return of(self)

    def trainable_nodes(self, idle: AbstractSet[str] = frozenset()) -> set[str]:
        """Return the nodes through which a gradient reaches a parameter; those that are `idle` have none to train."""
        found: set[str] = set()
        for trace in self.nodes:
            node = trace.node
            own = (trace.parameters > 0 or node.share is not None) and node.id not in idle
            if (own or not found.isdisjoint(node.inputs)) and node.kind != "stop_gradient":
                found.update(trace.named_outputs())
            else:
                found.difference_update(trace.named_outputs())  # a layer may be named like the one before it
        return found

    def output_values(self) -> tuple[Tensor, ...] | None:
        """Return the outputs; `None` where one of them is not settled."""
        sources = self.blueprint.outputs.values()
        return tuple(self.values[name] for name in sources) if all(name in self.values for name in sources) else None


@dataclass(frozen=True, slots=True)
class InferredBody:
    """A body on the meta device: how often it runs for a batch, and where the user wrote it."""

    network: PartialNetwork
    iterations: int
    pointer: str  # relative to the network
