"""The ids of layers: names of weights are made of them, so a chain gets those that it had before it is changed."""

from typing import Any

from app.spec.network.network import Network
from app.spec.network.nodes import BaseNode, Body, wire_layers
from workers.surgery.node_places import JsonObject, all_bodies


def write_layer_ids(network: Network, document: JsonObject) -> list[JsonObject]:
    """Write the ids that layers have implicitly into the document of a network, and return those layers."""
    layers = _write_ids(network, document)
    for name, body in network.blocks.items():
        layers += _write_ids(body, document["blocks"][name])
    return layers


def _write_ids(body: Body, document: JsonObject) -> list[JsonObject]:
    layers = []
    if body.layers is not None:
        for wired, layer in zip(wire_layers(body.layers, ""), document["layers"], strict=True):
            if "id" not in layer:
                layer["id"] = wired.id
                layers.append(layer)
    for pointer, node in body.nodes_by_pointer().items():
        layers += write_node_ids(node, _at(document, pointer))
    return layers


def write_node_ids(node: BaseNode, document: JsonObject) -> list[JsonObject]:
    """Write the ids of layers in the bodies of a node into its document, and return those layers."""
    bodies = [(place, inner) for place, inner in node.bodies().values() if isinstance(inner, Body)]
    return [layer for place, inner in bodies for layer in _write_ids(inner, _at(document, place))]


def _at(document: JsonObject, pointer: str) -> Any:
    here: Any = document
    for part in pointer.split("/")[1:]:
        here = here[int(part)] if isinstance(here, list) else here[part]
    return here


def remove_layer_ids(document: JsonObject, layers: list[JsonObject]) -> None:
    """Remove the ids of some layers from the document of a network, where they have the same ones without."""
    unwritten = {id(layer) for layer in layers}
    for within in all_bodies(document):
        counts: dict[str, int] = {}
        for layer in within.nodes if within.is_chain else ():
            kind = layer["kind"].lower()
            counts[kind] = counts.get(kind, 0) + 1
            if id(layer) in unwritten and layer["id"] == f"{kind}{counts[kind]}":
                del layer["id"]
