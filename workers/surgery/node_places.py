"""Nodes of a document by their paths: "fc1", or "loop.body.fc1" in the body of a control-flow node."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.errors import InvalidInput, Problem
from app.spec.hints.names import choices, did_you_mean
from app.spec.network.control import BODY_FIELDS
from app.spec.network.nodes import NODE_KINDS, reference_fields, referenced_node

JsonObject = dict[str, Any]

MAX_LISTED_PATHS = 2000  # paths that a misspelt one is compared with


@dataclass(frozen=True, slots=True)
class BodyPlace:
    """A body of a document: the network itself, one of its blocks, or a body that is written in place."""

    body: JsonObject
    pointer: str  # relative to the network

    @property
    def is_chain(self) -> bool:
        """Whether the body is a chain of layers."""
        return self.body.get("layers") is not None

    @property
    def form(self) -> str:
        """The field that holds the nodes."""
        return "layers" if self.is_chain else "nodes"

    @property
    def nodes(self) -> list[JsonObject]:
        """The nodes, in the order of the document."""
        nodes: list[JsonObject] = self.body[self.form]
        return nodes

    @property
    def ids(self) -> list[str]:
        """The ids of the nodes."""
        return [node["id"] for node in self.nodes]

    def node_pointer(self, index: int) -> str:
        """Return the pointer of a node, relative to the network."""
        return f"{self.pointer}/{self.form}/{index}"

    def references(self) -> Iterator[str]:
        """Yield what nodes and outputs read."""
        for node in self.nodes:
            yield from node_references(node)
        yield from (self.body.get("outputs") or {}).values()

    def ties_to(self, name: str) -> Iterator[tuple[str, str]]:
        """Yield the nodes that have a weight of the node of this id, and the path of the weight."""
        for node in self.nodes:
            for source in (node.get("tie") or {}).values():
                if source.startswith(f"{name}."):
                    yield node["id"], source


@dataclass(frozen=True, slots=True)
class NodePlace:
    """A node of a document."""

    path: str
    within: BodyPlace
    index: int

    @property
    def node(self) -> JsonObject:
        """The node as it is written."""
        return self.within.nodes[self.index]

    @property
    def pointer(self) -> str:
        """The node's pointer, relative to the network."""
        return self.within.node_pointer(self.index)


def node_references(node: JsonObject) -> Iterator[str]:
    """Yield what a node reads."""
    for field in reference_fields(node["kind"]):
        value = node.get(field)
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            yield from value


def replace_references(node: JsonObject, replacements: Mapping[str, str]) -> None:
    """Replace what a node reads, where it is among the replacements."""
    for field in reference_fields(node["kind"]):
        value = node.get(field)
        if isinstance(value, str):
            node[field] = replacements.get(value, value)
        elif isinstance(value, list):
            node[field] = [replacements.get(each, each) for each in value]


def inner_bodies(model: JsonObject, node: JsonObject, pointer: str) -> dict[str, BodyPlace]:
    """Return the bodies of a node by the names that they have in paths; of a block's use the empty name.

    The bodies of a Repeat without shared parameters also have the numbers of its iterations. Blocks that do not exist,
    which is a problem of its own, are left out.
    """
    bodies: dict[str, BodyPlace] = {}
    for field in BODY_FIELDS.get(node["kind"], ()):
        value = node.get(field)
        for name, place, each in _named_bodies(field, value):
            if not isinstance(each, str):
                bodies[name] = BodyPlace(each, f"{pointer}/{place}")
            elif each in (model.get("blocks") or {}):
                bodies[name] = BodyPlace(model["blocks"][each], f"/blocks/{each}")
    if node["kind"] == "block":
        return {"": bodies["name"]} if bodies else {}
    if "body" in bodies and node["kind"] == "Repeat" and node.get("share") is False and isinstance(node["times"], int):
        bodies |= {str(iteration): bodies["body"] for iteration in range(node["times"])}
    return bodies


def _named_bodies(field: str, value: Any) -> Iterator[tuple[str, str, Any]]:
    if isinstance(value, list):
        yield from ((str(place), f"{field}/{place}", each) for place, each in enumerate(value))
    elif value is not None:
        yield field, field, value


def output_names(model: JsonObject, place: NodePlace) -> tuple[str, ...]:
    """Return the names of a node's outputs; none for a node with one output and no names."""
    bodies = inner_bodies(model, place.node, place.pointer)
    for within in bodies.values():
        return tuple(within.body.get("outputs") or ("output",))
    return NODE_KINDS[place.node["kind"]].output_names(place.node)


def find_node(model: JsonObject, path: str, pointer: str) -> NodePlace:
    """Return the place of a node. Raises `InvalidInput` at `pointer` if there is none."""
    within, rest = BodyPlace(model, ""), path.split(".")
    while True:
        name, *rest = rest
        if name not in within.ids:
            raise _unknown_node(model, path, pointer)
        place = NodePlace(path, within, within.ids.index(name))
        if not rest:
            return place
        bodies = inner_bodies(model, place.node, place.pointer)
        if "" in bodies:
            within = bodies[""]
        elif rest[0] in bodies and len(rest) > 1:
            within = bodies[rest.pop(0)]
        else:
            raise _unknown_node(model, path, pointer)


def _unknown_node(model: JsonObject, path: str, pointer: str) -> InvalidInput:
    paths = [path for path, _ in zip(node_paths(model), range(MAX_LISTED_PATHS), strict=False)]
    inner = [each for each in paths if each.endswith(f".{path}")]
    beginning = [each for each in paths if each.startswith(f"{path}.")]
    if beginning and path not in paths:
        detail = f'"{path}" is a body, and not a node'
        return InvalidInput([Problem(pointer, "unknown_node", detail, choices(beginning) or f"use {beginning[0]}")])
    example = f'name a node by its id, or by its path in a body: "{paths[-1]}"'
    hint = (choices(inner[:2]) if inner else "") or did_you_mean(path, paths) or choices(paths) or example
    return InvalidInput([Problem(pointer, "unknown_node", f'the network has no node "{path}"', hint)])


def node_paths(model: JsonObject) -> Iterator[str]:
    """Yield the paths of all nodes."""
    yield from (place.path for place in _node_uses(model))


def use_paths(model: JsonObject, pointer: str) -> Iterator[str]:
    """Yield the paths of every use of the node at a pointer."""
    yield from (place.path for place in _node_uses(model) if place.pointer == pointer)


def _node_uses(model: JsonObject) -> Iterator[NodePlace]:
    """Yield every node by every path that it has, the outermost first."""
    pending = deque([("", BodyPlace(model, ""))])
    while pending:
        prefix, within = pending.popleft()
        for index, node in enumerate(within.nodes):
            place = NodePlace(f"{prefix}{node['id']}", within, index)
            yield place
            for name, body in inner_bodies(model, node, place.pointer).items():
                pending.append((f"{place.path}.{name}." if name else f"{place.path}.", body))


def all_bodies(model: JsonObject) -> Iterator[BodyPlace]:
    """Yield every body of a document once."""
    pending = [BodyPlace(model, "")]
    pending += [BodyPlace(body, f"/blocks/{name}") for name, body in (model.get("blocks") or {}).items()]
    while pending:
        within = pending.pop()
        yield within
        for index, node in enumerate(within.nodes):
            places = {each.pointer: each for each in inner_bodies(model, node, within.node_pointer(index)).values()}
            pending += [each for each in places.values() if each.pointer.startswith(f"{within.node_pointer(index)}/")]


def free_id(within: BodyPlace, kind: str, taken: Sequence[str] = ()) -> str:
    """Return an id for a new node of a body: its kind, and the first number that is free."""
    names = {*within.ids, *taken, *map(referenced_node, within.references()), *(within.body.get("inputs") or ())}
    return next(name for count in range(1, len(names) + 2) if (name := f"{kind.lower()}{count}") not in names)


def is_leaf(kind: str) -> bool:
    """Say whether nodes of a kind read nothing."""
    return NODE_KINDS[kind].inputs == (0, 0)
