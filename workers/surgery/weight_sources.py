"""What edits cannot change of weights: which are another node's, and what they are computed from."""

from collections.abc import Iterator
from typing import Any

from app.errors import InvalidInput, Problem
from workers.network.blueprint import Blueprint, ResolvedNode
from workers.network.kinds.weights import tied_parameters


def check_weight_sources(before: Blueprint, after: Blueprint) -> None:
    """Raise `InvalidInput` if weights become another node's, or a node computes its weights in another way.

    A tie has no tensors of its own to begin with, and a parametrization has others than the plain weights.
    """
    old_ties, old = set(_ties(before)), dict(_parametrizations(before))
    for node, name, source in _ties(after):
        if (node, name, source) not in old_ties:
            detail = f"an edit cannot make {name} of {node} the same as {source}"
            raise _refusal(detail)
    for path, each in _parametrizations(after):
        if path in old and _of(old[path]) != _of(each):
            raise _refusal(f"an edit cannot change the parametrization of {path}: its weights would begin anew")


def _refusal(detail: str) -> InvalidInput:
    return InvalidInput([Problem("/model", "not_supported", detail, "start a fork with another network")])


def _of(node: ResolvedNode) -> Any:
    return node.parameters.get("parametrization")


def _ties(blueprint: Blueprint, path: str = "") -> Iterator[tuple[str, str, str]]:
    for node, name, source in tied_parameters(blueprint):
        yield path + node, name, path + source
    for inner, body in _bodies(blueprint, path):
        yield from _ties(body, inner)


def _parametrizations(blueprint: Blueprint, path: str = "") -> Iterator[tuple[str, ResolvedNode]]:
    yield from ((path + node.id, node) for node in blueprint.nodes)
    for inner, body in _bodies(blueprint, path):
        yield from _parametrizations(body, inner)


def _bodies(blueprint: Blueprint, path: str) -> Iterator[tuple[str, Blueprint]]:
    for node in blueprint.nodes:
        yield from ((f"{path}{node.id}.{name}.", body) for name, body in node.bodies.items())
