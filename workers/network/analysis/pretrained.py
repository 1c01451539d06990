"""Nodes that begin with trained weights of torchvision, and which of their tensors those do not fit."""

from collections.abc import Iterator

from app.spec.network.backbones import BACKBONES
from workers.network.blueprint import Blueprint, ResolvedNode
from workers.network.inference.input_checks import META
from workers.network.kinds.backbones import torchvision_weights
from workers.network.kinds.catalog import CATALOG
from workers.network.kinds.module_kind import ModuleKind


def pretrained_nodes(blueprint: Blueprint, path: str = "") -> Iterator[tuple[str, ResolvedNode]]:
    """Yield every node with trained weights, and its path in the network's modules; uses that share a part are one."""
    shared: set[str] = set()
    for node in blueprint.nodes:
        if node.kind in BACKBONES and node.parameters["weights"] is not None:
            yield f"{path}{node.id}", node
        if node.share is not None and node.share in shared:
            continue
        shared |= {node.share} if node.share is not None else set()
        for name, body in node.bodies.items():
            inner = f"{path}{node.id}." if node.kind == "block" else f"{path}{node.id}.{name}."
            yield from pretrained_nodes(body, inner)


def begun_anew(node: ResolvedNode) -> list[str]:
    """Return the names of the tensors of a node that have another shape than its trained weights."""
    row = CATALOG[node.kind]
    if not isinstance(row, ModuleKind):
        raise TypeError(f"{node.kind} is no backbone")
    weights = torchvision_weights(node.kind, node.parameters["weights"])
    original = {**node.parameters, "num_classes": len(weights.meta["categories"]), "in_channels": 3}
    if "image_size" in original:
        original["image_size"] = weights.meta["min_size"][0]
    with META:
        shapes = [
            {name: value.shape for name, value in row.module(parameters).state_dict().items()}
            for parameters in (node.parameters, original)
        ]
    return [name for name, shape in shapes[0].items() if shapes[1].get(name) != shape]
