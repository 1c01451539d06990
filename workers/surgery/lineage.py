"""The lineage of nodes: which node of a changed document continues which node of the network before."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from app.errors import Problem
from app.spec.edits.operations import Initialisation
from workers.network.analysis.parameters import index_parameters
from workers.network.blueprint import Blueprint, ResolvedNode
from workers.network.kinds.catalog import CATALOG
from workers.network.kinds.control import ControlKind
from workers.surgery.built_nodes import built_nodes, owner_path
from workers.surgery.initial.fills import tensor_fill
from workers.surgery.node_places import JsonObject, all_bodies
from workers.surgery.tensor_map import TensorSource

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the tensors of a node come from."""

    id: str | None  # of the node before; `None`: of none
    init: Initialisation = "default"  # of those that continue none
    equal_only: bool = False  # only tensors of equal names and shapes are continued
    inner: Mapping[str, Initialisation] | None = None  # of nodes in bodies by pointer; by default all start like this
    is_reset: bool = False  # tensors are drawn anew, also those that other nodes share


@dataclass
class Lineage:
    """The origins of a document's nodes, since a network was last inferred of it.

    Nodes are known by their objects in the document, which operations change in place.
    """

    _origins: dict[int, Origin] = field(default_factory=dict)
    _pointers: dict[int, str] = field(default_factory=dict)  # before, relative to the network
    _nodes: list[JsonObject] = field(default_factory=list)  # so that no other object gets the identity of one

    def restart(self, model: JsonObject) -> None:
        """Begin anew: every node continues itself."""
        self._origins.clear()
        self._pointers.clear()
        self._nodes.clear()
        for within in all_bodies(model):
            for index, node in enumerate(within.nodes):
                self._set(node, Origin(node["id"]))
                self._pointers[id(node)] = within.node_pointer(index)

    def add(self, node: JsonObject, init: Initialisation) -> None:
        """Note a new node."""
        self._set(node, Origin(None, init))

    def replace(self, old: JsonObject, new: JsonObject, init: Initialisation) -> None:
        """Note that a node takes the place of another one, and continues tensors of equal names and shapes.

        One that shall compute its input, or zero, at first continues none.
        """
        origin = Origin(self._origins[id(old)].id, equal_only=True) if init == "default" else Origin(None, init)
        self._set(new, origin)

    def reset(self, node: JsonObject, init: Initialisation) -> None:
        """Note that a node's tensors, and those of its bodies, are filled anew."""
        self._set(node, Origin(None, init, is_reset=True))

    def set_inner(self, node: JsonObject, inner: Mapping[str, Initialisation]) -> None:
        """Note how the nodes in the bodies of a new node start, by pointer; the others by default."""
        self._origins[id(node)] = replace(self.origin(node), inner=inner)

    def origin(self, node: JsonObject) -> Origin:
        """Return the origin of a node."""
        return self._origins[id(node)] if id(node) in self._origins else Origin(None)

    def is_unchanged(self, node: JsonObject) -> bool:
        """Say whether a node continues itself with all its tensors."""
        return self._origins.get(id(node)) == Origin(node["id"])

    def pointer_before(self, node: JsonObject) -> str | None:
        """Return where a node stood in the document before, relative to the network; `None` for a new one."""
        return self._pointers.get(id(node))

    def _set(self, node: JsonObject, origin: Origin) -> None:
        self._origins[id(node)] = origin
        self._nodes.append(node)

    def tensor_map(
        self, before: Blueprint, after: Blueprint, model: JsonObject
    ) -> tuple[dict[str, TensorSource], list[Problem]]:
        """Return where the tensors of a network come from, and a problem for each that would have another shape.

        A tensor of several names comes from one place: it goes on if one of the nodes that share it does, unless
        another one is reset. Pointers are relative to the network.
        """
        old_shapes, new_shapes = index_parameters(before).shapes, index_parameters(after).shapes
        nodes = built_nodes(after)
        origins = dict(self._origins_by_path(after, model, "", "", None))
        tensors: dict[str, TensorSource] = {}
        problems: dict[str, Problem] = {}
        shared: dict[str, list[str]] = {}  # the names of one tensor, by the first of them
        resets: set[str] = set()
        for name, shape in new_shapes.items():
            path = owner_path(name, nodes)
            node, origin, tensor = nodes[path].node, origins[path], name[len(path) :]
            shared.setdefault(nodes[path].first_path + tensor, []).append(name)
            resets |= {name} if origin.is_reset else set()
            source = None if origin.id is None else origin.id + tensor
            fits = source in old_shapes and old_shapes[source] == shape
            if fits:
                tensors[name] = TensorSource(source)
            elif source is None or origin.equal_only:
                fill = tensor_fill(origin.init, node.kind, node.parameters, tensor.removeprefix("."))
                tensors[name] = TensorSource(None, fill=fill)
            else:
                problems.setdefault(node.pointer, _shape_problem(name, path, node, shape, old_shapes.get(source)))
        for names in shared.values() if not problems else ():
            first = min(names, key=lambda name: (name not in resets, tensors[name].name is None))
            tensors |= dict.fromkeys(names, tensors[first])
        return tensors, list(problems.values())

    def _origins_by_path(
        self, blueprint: Blueprint, model: JsonObject, prefix: str, old_prefix: str, inherited: Origin | None
    ) -> Iterator[tuple[str, Origin]]:
        """Yield the path of every node with tensors, and its origin, whose id is the whole path before."""
        for node in blueprint.nodes:
            path, origin = f"{prefix}{node.id}", self._origin_within(node, model, inherited)
            old_path = f"{old_prefix}{origin.id}"
            row = CATALOG[node.kind]
            if not isinstance(row, ControlKind):
                source = None if origin.id is None else old_path
                yield path, Origin(source, origin.init, origin.equal_only, is_reset=origin.is_reset)
                continue
            below = origin if origin.id is None or origin.equal_only else None
            for name, body in node.bodies.items():
                part = "" if row.function is None else f"{name}."
                yield from self._origins_by_path(body, model, f"{path}.{part}", f"{old_path}.{part}", below)

    def _origin_within(self, node: ResolvedNode, model: JsonObject, inherited: Origin | None) -> Origin:
        """Return the origin of a node in a body whose owner is new or replaced, or neither for `None`."""
        document = node_at(model, node.pointer)
        if inherited is None:
            return self.origin(document)
        if inherited.inner is not None:
            inherited = replace(inherited, init=inherited.inner.get(node.pointer, "default"))
        if inherited.id is None:
            return inherited
        own = self._origins.get(id(document), Origin(node.id))  # of a body in the replacement: by its name
        return replace(inherited, id=own.id)


def node_at(model: JsonObject, pointer: str) -> JsonObject:
    """Return the node at a pointer, relative to the network."""
    here: Any = model
    for part in pointer.split("/")[1:]:
        here = here[int(part)] if isinstance(here, list) else here[part]
    node: JsonObject = here
    return node


def _shape_problem(name: str, path: str, node: ResolvedNode, shape: Shape, before: Shape | None) -> Problem:
    new, old = (" x ".join(map(str, each)) or "a number" for each in (shape, before or ()))
    detail = f"{name} would be {new} and was {old}: its weights would not fit" if before is not None else ""
    detail = detail or f"{name} was not there before"
    hint = f'add {{"op": "reinit", "node": "{path}"}} to draw its weights anew'
    return Problem(node.pointer, "weights_do_not_fit", detail, hint)
