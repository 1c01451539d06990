"""Deepening: a residual block after a node, whose last layer is zero, so that the block computes nothing at first."""

from collections.abc import Iterator, Mapping
from typing import Any

from app.spec.edits.operations import Deepen, Insert
from app.spec.network.blocks import MAX_BODY_DEPTH
from workers.network.analysis.parameters import index_parameters
from workers.network.blueprint import Blueprint
from workers.network.inference.partial_network import InferredNode, PartialNetwork
from workers.surgery.draft import Change, Draft
from workers.surgery.node_places import BodyPlace, JsonObject, NodePlace, free_id, is_leaf
from workers.surgery.operations.insert import insert, node_document
from workers.surgery.operations.width_changes import infer_change, refusal
from workers.surgery.tensor_map import TensorSource
from workers.surgery.widths.rules.catalog import BROADCAST, UNCHANGED

INPUT, OUTPUT = "x", "y"
# Kinds whose output is zero where all of their parameters are.
_ZERO_KINDS = """
    Linear Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d ConvTranspose3d LayerNorm RMSNorm GroupNorm BatchNorm1d
    BatchNorm2d BatchNorm3d
"""
_FEATURES_LAST = """
    Linear Embedding LayerNorm RMSNorm RNN GRU LSTM MultiheadAttention TransformerEncoderLayer TransformerDecoderLayer
"""
ZERO_KINDS, FEATURES_LAST = frozenset(_ZERO_KINDS.split()), frozenset(_FEATURES_LAST.split())
SAME_LAYOUT = frozenset((*UNCHANGED.split(), *BROADCAST.split()))  # the output is laid out as the first input


def deepen(draft: Draft, operation: Deepen, index: int) -> Change:
    """Add a block x + f(x) after a node, where f is zero at first (as in Goyal et al. 2017). Raises `InvalidInput`.

    A chain of layers has no edges for a sum, so the block is one of the network's `blocks`, and a node uses it.
    """
    pointer = f"/operations/{index}"
    place = draft.find(operation.after, f"{pointer}/after")
    before = draft.infer()
    name = operation.id or _free_name(draft, place)
    body = _block_body(draft, operation, before, place, pointer)
    draft.model.setdefault("blocks", {})[_free_block(draft, name)] = body
    block = next(reversed(draft.model["blocks"]))
    node = {"kind": "block", "id": name, "name": block}
    insert(draft, Insert.model_validate({"op": "insert", "after": operation.after, "node": node}), index)
    for each in body["nodes"]:
        draft.written_nodes[id(each)] = f"{pointer}/block" if operation.block is not None else pointer
    after = infer_change(draft, index)
    return Change(after.blueprint, _tensors(before.blueprint, after.blueprint, [name, body["nodes"][-2]["id"]]))


def _tensors(before: Blueprint, after: Blueprint, last: list[str]) -> dict[str, TensorSource]:
    """Return where tensors come from: parameters of the layer whose path ends with `last` are new and zero."""
    old, parameters = index_parameters(before).shapes, index_parameters(after)
    return {
        name: TensorSource(name)
        if name in old
        else TensorSource(
            None, fill="zero" if name in parameters.weights and name.split(".")[-3:-1] == last else "default"
        )
        for name in parameters.shapes
    }


def _free_name(draft: Draft, place: NodePlace) -> str:
    taken = {*place.within.ids, *(draft.model.get("blocks") or {})}
    return next(name for count in range(1, len(taken) + 2) if (name := f"deeper{count}") not in taken)


def _free_block(draft: Draft, name: str) -> str:
    """Return a name for a block: that of its node, with a number if it is taken."""
    taken = draft.model["blocks"]
    return (
        name
        if name not in taken
        else next(each for count in range(2, len(taken) + 3) if (each := f"{name}_{count}") not in taken)
    )


def _block_body(draft: Draft, operation: Deepen, network: PartialNetwork, place: NodePlace, pointer: str) -> JsonObject:
    """Return the body of the block. Raises `InvalidInput`."""
    body: JsonObject = {"inputs": [INPUT], "nodes": []}
    within = BodyPlace(body, "")
    if operation.block is None:
        body["nodes"] = _default_layers(network, place, pointer)
    else:
        for position, node in enumerate(operation.block):
            within.nodes.append(node_document(node, within, f"{pointer}/block/{position}"))
    source = INPUT
    for node in body["nodes"]:
        if not is_leaf(node["kind"]):
            node.setdefault("inputs", [source])
        source = node["id"]
    last = body["nodes"][-1]
    cannot = last.get("parametrization") is not None or last["kind"] not in ZERO_KINDS
    if cannot or last.get("affine") is False or last.get("elementwise_affine") is False:
        detail = f"the block begins as zero only if its last layer can be zero, which {last['kind']} cannot"
        where = f"{pointer}/block/{len(body['nodes']) - 1}"
        raise refusal(where, "not_preserved", detail, "end it with a Linear layer, a convolution or a normalisation")
    total = free_id(within, "add")
    within.nodes.append({"id": total, "kind": "add", "inputs": [INPUT, source]})
    body["outputs"] = {OUTPUT: total}
    return body


def _default_layers(network: PartialNetwork, place: NodePlace, pointer: str) -> list[JsonObject]:
    """Return two layers that fit the output of a node, with a rectifier between them. Raises `InvalidInput`."""
    traces = [(trace, inside) for trace, inside in _traces(network) if trace.node.pointer == place.pointer]
    if not traces:
        raise refusal(f"{pointer}/after", "unknown_node", f"{place.path} is not a part of the network: nothing uses it")
    trace, inside = traces[0]
    shape = tuple(trace.output.shape)
    layout = _layout(trace, inside)
    if not trace.output.is_floating_point() or layout is None:
        detail = f"it is not clear which layers fit the output of {place.path}"
        raise refusal(f"{pointer}/after", "ambiguous", detail, 'give "block": the layers of the branch')
    settings: Mapping[str, Any] = (
        {"kind": "Linear", "out_features": shape[-1]}
        if layout == "features"
        else {"kind": f"Conv{len(shape) - 2}d", "out_channels": shape[1], "kernel_size": 3, "padding": 1}
    )
    first, last = ({"id": f"{settings['kind'].lower()}{number}", **settings} for number in (1, 2))
    return [first, {"id": "relu1", "kind": "ReLU"}, last]


def _traces(network: PartialNetwork, depth: int = 0) -> Iterator[tuple[InferredNode, PartialNetwork]]:
    """Yield every node, and the body that it is in."""
    if depth > MAX_BODY_DEPTH:
        return
    for trace in network.nodes:
        yield trace, network
        for body in trace.bodies.values():
            yield from _traces(body.network, depth + 1)


def _layout(trace: InferredNode, inside: PartialNetwork) -> str | None:
    """Return whether features come last or channels first in the output of a node; `None` if that is not known."""
    by_id = {each.node.id: each for each in inside.nodes}
    rank = trace.output.dim()
    here: InferredNode | None = trace
    while here is not None:
        if here.node.kind in FEATURES_LAST:
            return "features"
        if here.node.kind.endswith(("1d", "2d", "3d")) and here.node.kind not in SAME_LAYOUT:
            return "channels" if rank > 2 else "features"
        here = by_id.get(here.node.inputs[0]) if here.node.kind in SAME_LAYOUT and here.node.inputs else None
    return {2: "features", 4: "channels", 5: "channels"}.get(rank)
