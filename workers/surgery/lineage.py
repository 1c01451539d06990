"""The lineage of nodes: which node of a changed document continues which node of the network before."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from app.errors import Problem
from workers.network.analysis.parameters import index_parameters
from workers.network.blueprint import Blueprint, ResolvedNode
from workers.network.kinds.catalog import CATALOG
from workers.network.kinds.control import ControlKind
from workers.surgery.node_places import JsonObject, all_bodies
from workers.surgery.tensor_map import Fill, TensorSource

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the tensors of a node come from."""

    id: str | None  # of the node before; `None`: of none
    fill: Fill = "default"
    equal_only: bool = False  # only tensors of equal names and shapes are continued, the others are filled


@dataclass(frozen=True, slots=True)
class NodeUse:
    """A node where it is built. A node of a body is built wherever the body is used."""

    path: str  # the prefix of its names in `state_dict`
    node: ResolvedNode


@dataclass
class Lineage:
    """The origins of a document's nodes, since a network was last inferred of it.

    Nodes are known by their objects in the document, which operations change in place.
    """

    _origins: dict[int, Origin] = field(default_factory=dict)
    _nodes: list[JsonObject] = field(default_factory=list)  # so that no other object gets the identity of one

    def restart(self, model: JsonObject) -> None:
        """Begin anew: every node continues itself."""
        self._origins.clear()
        self._nodes.clear()
        for within in all_bodies(model):
            for node in within.nodes:
                self._set(node, Origin(node["id"]))

    def add(self, node: JsonObject, fill: Fill) -> None:
        """Note a new node."""
        self._set(node, Origin(None, fill))

    def replace(self, old: JsonObject, new: JsonObject, fill: Fill) -> None:
        """Note that a node takes the place of another one, and continues tensors of equal names and shapes."""
        self._set(new, Origin(self._origins[id(old)].id, fill, equal_only=True))

    def reset(self, node: JsonObject, fill: Fill) -> None:
        """Note that a node's tensors, and those of its bodies, are filled anew."""
        self._set(node, Origin(None, fill))

    def origin(self, node: JsonObject) -> Origin:
        """Return the origin of a node."""
        return self._origins[id(node)] if id(node) in self._origins else Origin(None)

    def _set(self, node: JsonObject, origin: Origin) -> None:
        self._origins[id(node)] = origin
        self._nodes.append(node)

    def tensor_map(
        self, before: Blueprint, after: Blueprint, model: JsonObject
    ) -> tuple[dict[str, TensorSource], list[Problem]]:
        """Return where the tensors of a network come from, and a problem for each that would have another shape.

        Pointers are relative to the network.
        """
        old_shapes, new_shapes = index_parameters(before).shapes, index_parameters(after).shapes
        uses = {use.path: (use.node, origin) for use, origin in self._walk(after, model, "", "", None)}
        tensors: dict[str, TensorSource] = {}
        problems: dict[str, Problem] = {}
        for name, shape in new_shapes.items():
            path = next(prefix for prefix in _prefixes(name) if prefix in uses)
            node, origin = uses[path]
            source = None if origin.id is None else origin.id + name[len(path) :]
            fits = source in old_shapes and old_shapes[source] == shape
            if source is None or not (fits or not origin.equal_only):
                tensors[name] = TensorSource(None, fill=origin.fill)
            elif fits:
                tensors[name] = TensorSource(source)
            else:
                problems.setdefault(node.pointer, _shape_problem(name, node, shape, old_shapes.get(source)))
        return tensors, list(problems.values())

    def _walk(
        self, blueprint: Blueprint, model: JsonObject, prefix: str, old_prefix: str, inherited: Origin | None
    ) -> Iterator[tuple[NodeUse, Origin]]:
        """Yield every node that is built, without the bodies' owners, and its origin by its whole path before."""
        for node in blueprint.nodes:
            path, origin = f"{prefix}{node.id}", self._origin_within(node, model, inherited)
            old_path = f"{old_prefix}{origin.id}"
            row = CATALOG[node.kind]
            if not isinstance(row, ControlKind):
                source = None if origin.id is None else old_path
                yield NodeUse(path, node), Origin(source, origin.fill, origin.equal_only)
                continue
            below = origin if origin.id is None or origin.equal_only else None
            for name, body in node.bodies.items():
                part = "" if row.function is None else f"{name}."
                yield from self._walk(body, model, f"{path}.{part}", f"{old_path}.{part}", below)

    def _origin_within(self, node: ResolvedNode, model: JsonObject, inherited: Origin | None) -> Origin:
        """Return the origin of a node in a body whose owner is new or replaced, or neither for `None`."""
        document = node_at(model, node.pointer)
        if inherited is None:
            return self.origin(document)
        if inherited.id is None:
            return inherited
        own = self._origins.get(id(document), Origin(node.id))  # of a body in the replacement: by its name
        return Origin(own.id, inherited.fill, equal_only=True)


def node_at(model: JsonObject, pointer: str) -> JsonObject:
    """Return the node at a pointer, relative to the network."""
    here: Any = model
    for part in pointer.split("/")[1:]:
        here = here[int(part)] if isinstance(here, list) else here[part]
    node: JsonObject = here
    return node


def node_uses(blueprint: Blueprint, prefix: str = "") -> Iterator[NodeUse]:
    """Yield every node that is built, and then those of its bodies."""
    for node in blueprint.nodes:
        path = f"{prefix}{node.id}"
        yield NodeUse(path, node)
        row = CATALOG[node.kind]
        whole = isinstance(row, ControlKind) and row.function is None
        for name, body in node.bodies.items():
            yield from node_uses(body, f"{path}." if whole else f"{path}.{name}.")


def _prefixes(name: str) -> Iterator[str]:
    """Yield a name and its beginnings, the longest first."""
    while name:
        yield name
        name = name.rpartition(".")[0]


def _shape_problem(name: str, node: ResolvedNode, shape: Shape, before: Shape | None) -> Problem:
    new, old = (" x ".join(map(str, each)) or "a number" for each in (shape, before or ()))
    detail = f"{name} would be {new} and was {old}: its weights would not fit" if before is not None else ""
    detail = detail or f"{name} was not there before"
    hint = f'add {{"op": "reinit", "node": "{node.id}"}} to draw its weights anew'
    return Problem(node.pointer, "weights_do_not_fit", detail, hint)
