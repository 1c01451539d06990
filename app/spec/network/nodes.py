"""Nodes, and bodies made of them: a chain of `layers`, or named `nodes` with inputs and outputs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Annotated, ClassVar, get_args

from pydantic import Discriminator, Field, Tag

from app.spec.base import Name, OneOrMany, SpecModel
from app.spec.kinds import Kind, KindModel, create_kind_models, discriminated_union
from app.spec.network.backbones import BACKBONES
from app.spec.network.control import BODY_FIELDS, CONTROL, REFERENCE_FIELDS
from app.spec.network.fields import MAX_INPUTS, NodeRef
from app.spec.network.leaves import INITIALISERS, LEAVES
from app.spec.network.modules.catalog import MODULES
from app.spec.network.operations.catalog import OPERATIONS
from app.spec.training.losses import LOSSES

NODE_KINDS: Mapping[str, Kind] = {**MODULES, **BACKBONES, **OPERATIONS, **LEAVES, **CONTROL}


def reference_fields(kind: str) -> tuple[str, ...]:
    """Return the fields in which a node names others, in the order in which it reads them."""
    return (*REFERENCE_FIELDS.get(kind, ()), "inputs", *NODE_KINDS[kind].references)


class BaseNode(KindModel):
    """The fields of all nodes. In `layers` the `id` is optional and there are no `inputs`."""

    elsewhere_hint: ClassVar[str] = "write the network with nodes"

    id: Name | None = None
    inputs: Annotated[tuple[NodeRef, ...], Field(max_length=MAX_INPUTS), OneOrMany()] | None = None

    @classmethod
    def is_suggested_in(cls, field: str) -> bool:
        """Say whether a node may stand in a list of nodes; in a chain of `layers` it has one input."""
        least, most = NODE_KINDS[get_args(cls.model_fields["kind"].annotation)[0]].inputs
        return field != "layers" or least <= 1 <= most

    def references(self) -> list[tuple[str, str]]:
        """Return (pointer, reference) of all values that the node reads, in the order of its arguments."""
        references = []
        for field in reference_fields(self.kind):
            value = getattr(self, field)
            if isinstance(value, str):
                references.append((f"/{field}", value))
            elif isinstance(value, tuple):
                references += [(f"/{field}/{place}", item) for place, item in enumerate(value)]
        return references

    def output_names(self) -> tuple[str, ...]:
        """Return the names of its outputs; none if it has one, or bodies."""
        return NODE_KINDS[self.kind].output_names(self.settings())

    def bodies(self) -> dict[str, "tuple[str, BodyRef]"]:
        """Return (pointer, body) by the names under which the bodies are built."""
        bodies: dict[str, tuple[str, BodyRef]] = {}
        for field in BODY_FIELDS.get(self.kind, ()):
            value = getattr(self, field)
            if isinstance(value, tuple):
                bodies |= {str(place): (f"/{field}/{place}", item) for place, item in enumerate(value)}
            elif value is not None:
                bodies[field] = (f"/{field}", value)
        return bodies


@dataclass(frozen=True, slots=True)
class WiredNode:
    """A node with its id, its inputs, and its place in the user's document."""

    id: str
    node: BaseNode
    inputs: tuple[str, ...]
    pointer: str  # relative to the network, for example "/layers/3"


class Body(SpecModel):
    """A network in one of its two forms: either `layers`, or `inputs`, `nodes` and `outputs`."""

    layers: "Nodes | None" = None
    inputs: Annotated[tuple[Name, ...], Field(min_length=1, max_length=64), OneOrMany()] | None = None
    nodes: "Nodes | None" = None
    outputs: Annotated[dict[Name, NodeRef], Field(min_length=1, max_length=64)] | None = None

    def nodes_by_pointer(self) -> dict[str, BaseNode]:
        """Return the nodes as they are written, by their pointers."""
        forms = {"/layers": self.layers or (), "/nodes": self.nodes or ()}
        return {f"{form}/{place}": node for form, nodes in forms.items() for place, node in enumerate(nodes)}

    def input_names(self, default: tuple[str, ...]) -> tuple[str, ...]:
        """Return the names of the inputs; by default all of `default`, for a chain of layers the first."""
        return self.inputs or (default if self.layers is None else default[:1])

    def wired_nodes(self, default_inputs: tuple[str, ...] = ("input",)) -> list[WiredNode]:
        """Return the nodes in topological order, which is the user's order wherever possible."""
        if self.layers is not None:
            return list(wire_layers(self.layers, self.input_names(default_inputs)[0]))
        return topological_sort(wire_nodes(self.nodes or ()))

    def output_names(self) -> dict[str, str]:
        """Return the source of each output by name; by default `output` is the last node. An empty body has none."""
        if self.outputs:
            return dict(self.outputs)
        nodes = list(wire_layers(self.layers, "") if self.layers is not None else wire_nodes(self.nodes or ()))
        return {"output": nodes[-1].id} if nodes else {}


def _body_ref_tag(value: object) -> str:
    return "name" if isinstance(value, str) else "body"


# A body in place, or the name of one of the network's blocks.
BodyRef = Annotated[Annotated[Body, Tag("body")] | Annotated[Name, Tag("name")], Discriminator(_body_ref_tag)]
# Losses, initialisers and the training plan have classes of the plain names.
NODE_CLASS_NAMES = {kind: f"{kind}Node" for kind in (*LOSSES, *INITIALISERS, "Training")}
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
    """Yield the layers, each with the one before as its input; the first reads `source`."""
    counts: dict[str, int] = {}
    for position, layer in enumerate(layers):
        kind = layer.kind.lower()  # a module and an operation may differ in case alone
        counts[kind] = counts.get(kind, 0) + 1
        name = layer.id or f"{kind}{counts[kind]}"
        inputs = () if NODE_KINDS[layer.kind].inputs == (0, 0) else (source,)
        yield WiredNode(name, layer, inputs, f"/layers/{position}")
        source = name


def wire_nodes(nodes: tuple[BaseNode, ...]) -> Iterator[WiredNode]:
    """Yield the nodes in the order of the document."""
    for position, node in enumerate(nodes):
        reads = tuple(source for _, source in node.references())
        yield WiredNode(node.id or f"/nodes/{position}", node, reads, f"/nodes/{position}")


def topological_sort(nodes: Iterator[WiredNode] | list[WiredNode]) -> list[WiredNode]:
    """Order topologically (Kahn 1962), the first written first. Nodes on a cycle, or behind one, are left out."""
    nodes = list(nodes)
    names = {node.id for node in nodes}
    pending = [{owner for source in node.inputs if (owner := referenced_node(source)) in names} for node in nodes]
    readers: dict[str, list[int]] = {}
    for place, sources in enumerate(pending):
        for source in sources:
            readers.setdefault(source, []).append(place)
    ready = [place for place, sources in enumerate(pending) if not sources]  # ascending, so a heap
    ordered: list[WiredNode] = []
    while ready:
        node = nodes[heappop(ready)]
        ordered.append(node)
        for place in readers.pop(node.id, ()):
            pending[place].discard(node.id)
            if not pending[place]:
                heappush(ready, place)
    return ordered


def referenced_node(ref: str) -> str:
    """Return the node of a reference: "scan" of "scan.state"."""
    return ref.partition(".")[0]
