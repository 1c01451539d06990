"""Nodes, and bodies made of them: a chain of `layers`, or named `nodes` with inputs and outputs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Annotated

from pydantic import Discriminator, Field, Tag

from app.spec.base import Name, SpecModel
from app.spec.kinds import Kind, KindModel, create_kind_models, discriminated_union
from app.spec.network.backbones import BACKBONES
from app.spec.network.control import BODY_FIELDS, CONTROL, REFERENCE_FIELDS, NodeRef
from app.spec.network.fields import MAX_INPUTS
from app.spec.network.leaves import INITIALISERS, LEAVES
from app.spec.network.modules.catalog import MODULES
from app.spec.network.operations.catalog import OPERATIONS
from app.spec.training.losses import TORCH_LOSSES

NODE_KINDS: Mapping[str, Kind] = {**MODULES, **BACKBONES, **OPERATIONS, **LEAVES, **CONTROL}


class BaseNode(KindModel):
    """What every node has. In `layers` the `id` may be left out and there are no `inputs`."""

    id: Name | None = None
    inputs: Annotated[tuple[NodeRef, ...], Field(max_length=MAX_INPUTS)] | None = None

    def references(self) -> list[tuple[str, str]]:
        """Return (pointer, reference) of everything that the node names, in the order in which it takes them."""
        named = []
        for field in (*REFERENCE_FIELDS.get(self.kind, ()), "inputs"):
            value = getattr(self, field)
            if isinstance(value, str):
                named.append((f"/{field}", value))
            elif isinstance(value, tuple):
                named += [(f"/{field}/{place}", item) for place, item in enumerate(value)]
        return named

    def bodies(self) -> dict[str, "tuple[str, BodyRef]"]:
        """Return the bodies by the names under which they are built: (pointer, body)."""
        found: dict[str, tuple[str, BodyRef]] = {}
        for field in BODY_FIELDS.get(self.kind, ()):
            value = getattr(self, field)
            if isinstance(value, tuple):
                found |= {str(place): (f"/{field}/{place}", item) for place, item in enumerate(value)}
            elif value is not None:
                found[field] = (f"/{field}", value)
        return found


@dataclass(frozen=True, slots=True)
class WiredNode:
    """A node with everything settled: its name, what feeds it, and where the user wrote it."""

    id: str
    node: BaseNode
    inputs: tuple[str, ...]
    pointer: str  # relative to the network, for example "/layers/3"


class Body(SpecModel):
    """A network in one of its two forms: either `layers`, or `inputs`, `nodes` and `outputs`."""

    layers: "Nodes | None" = None
    inputs: Annotated[tuple[Name, ...], Field(min_length=1, max_length=64)] | None = None
    nodes: "Nodes | None" = None
    outputs: Annotated[dict[Name, NodeRef], Field(min_length=1, max_length=64)] | None = None

    def nodes_by_pointer(self) -> dict[str, BaseNode]:
        """Return the nodes as they are written, by their pointers."""
        forms = {"/layers": self.layers or (), "/nodes": self.nodes or ()}
        return {f"{form}/{place}": node for form, nodes in forms.items() for place, node in enumerate(nodes)}

    def input_names(self, default: tuple[str, ...]) -> tuple[str, ...]:
        """Return what the network reads; a chain of layers reads the first default input."""
        return self.inputs or (default if self.layers is None else default[:1])

    def wired_nodes(self, default_inputs: tuple[str, ...] = ("input",)) -> list[WiredNode]:
        """Return the nodes in an order in which each follows what it reads (the user's order wherever possible)."""
        if self.layers is not None:
            return list(wire_layers(self.layers, self.input_names(default_inputs)[0]))
        return topological_sort(wire_nodes(self.nodes or ()))

    def output_names(self) -> dict[str, str]:
        """Return the outputs: name to what it is; by default `output` is the last node."""
        if self.outputs:
            return dict(self.outputs)
        if self.layers is not None:
            return {"output": list(wire_layers(self.layers, ""))[-1].id}
        return {"output": list(wire_nodes(self.nodes or ()))[-1].id}


def _body_ref_tag(value: object) -> str:
    return "name" if isinstance(value, str) else "body"


# A body in place, or the name of one of the network's blocks.
BodyRef = Annotated[Annotated[Body, Tag("body")] | Annotated[Name, Tag("name")], Discriminator(_body_ref_tag)]
# Other parts of the language have the plain names.
NODE_CLASS_NAMES = {kind: f"{kind}Node" for kind in (*TORCH_LOSSES, *INITIALISERS, "Training")}
NODE_CLASSES = create_kind_models(NODE_KINDS, BaseNode, NODE_CLASS_NAMES)

if TYPE_CHECKING:
    Node = BaseNode
else:
    Node = discriminated_union(NODE_CLASSES)

Nodes = Annotated[tuple[Node, ...], Field(min_length=1)]

_RECURSIVE_MODELS: tuple[type[SpecModel], ...] = (Body, *(NODE_CLASSES[kind] for kind in BODY_FIELDS))
for part in _RECURSIVE_MODELS:
    part.model_rebuild(_types_namespace={"BodyRef": BodyRef, "Nodes": Nodes})


def wire_layers(layers: tuple[BaseNode, ...], source: str) -> Iterator[WiredNode]:
    """Yield layers, each of which reads the one before; the first reads `source`."""
    counts: dict[str, int] = {}
    for position, layer in enumerate(layers):
        counts[layer.kind] = counts.get(layer.kind, 0) + 1
        name = layer.id or f"{layer.kind.lower()}{counts[layer.kind]}"
        inputs = () if NODE_KINDS[layer.kind].inputs == (0, 0) else (source,)
        yield WiredNode(name, layer, inputs, f"/layers/{position}")
        source = name


def wire_nodes(nodes: tuple[BaseNode, ...]) -> Iterator[WiredNode]:
    """Yield nodes as they are written."""
    for position, node in enumerate(nodes):
        reads = tuple(source for _, source in node.references())
        yield WiredNode(node.id or f"/nodes/{position}", node, reads, f"/nodes/{position}")


def topological_sort(nodes: Iterator[WiredNode] | list[WiredNode]) -> list[WiredNode]:
    """Order topologically (Kahn 1962): always the first one written that can come. What lies on a cycle is left out."""
    nodes = list(nodes)
    names = {placed.id for placed in nodes}
    waiting = [{owner for source in placed.inputs if (owner := referenced_node(source)) in names} for placed in nodes]
    readers: dict[str, list[int]] = {}
    for place, sources in enumerate(waiting):
        for source in sources:
            readers.setdefault(source, []).append(place)
    ready = [place for place, sources in enumerate(waiting) if not sources]  # ascending, so a heap
    found: list[WiredNode] = []
    while ready:
        placed = nodes[heappop(ready)]
        found.append(placed)
        for place in readers.pop(placed.id, ()):
            waiting[place].discard(placed.id)
            if not waiting[place]:
                heappush(ready, place)
    return found


def referenced_node(ref: str) -> str:
    """Return the node of a reference: "scan" of "scan.state"."""
    return ref.partition(".")[0]
