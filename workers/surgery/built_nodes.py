"""The nodes of a built network by the names of their tensors, bodies included."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from workers.network.blueprint import Blueprint, ResolvedNode
from workers.network.kinds.catalog import CATALOG
from workers.network.kinds.control import ControlKind


@dataclass(frozen=True, slots=True)
class NodeUse:
    """A node where it is built. A node of a body is built wherever the body is used."""

    path: str  # the beginning of the names of its tensors in `state_dict`
    node: ResolvedNode
    first_path: str  # that of its first use, where several share parameters


def built_nodes(blueprint: Blueprint) -> dict[str, NodeUse]:
    """Return every node with tensors of its own, bodies included, by the beginning of their names in `state_dict`."""
    return {use.path: use for use in _uses(blueprint, "", "")}


def _uses(blueprint: Blueprint, prefix: str, first_prefix: str) -> Iterator[NodeUse]:
    shared: dict[str, str] = {}
    for node in blueprint.nodes:
        path, row = f"{prefix}{node.id}", CATALOG[node.kind]
        first = first_prefix + (shared.setdefault(node.share, node.id) if node.share else node.id)
        if not isinstance(row, ControlKind):
            yield NodeUse(path, node, first)
            continue
        for name, body in node.bodies.items():
            part = "" if row.function is None else f"{name}."
            yield from _uses(body, f"{path}.{part}", f"{first}.{part}")


def owner_path(name: str, nodes: Mapping[str, object]) -> str:
    """Return the path, among those of some nodes, that a tensor's name begins with."""
    return next(path for path in _prefixes(name) if path in nodes)


def _prefixes(name: str) -> Iterator[str]:
    """Yield a name and its beginnings, the longest first."""
    while name:
        yield name
        name = name.rpartition(".")[0]
