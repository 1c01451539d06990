"""Growing what counts things of the data: the rows of an embedding, and the outputs of a layer with one per class."""

from app.spec.edits.operations import GrowClasses, GrowVocabulary
from app.spec.network.backbones import BACKBONES
from workers.network.analysis.parameters import index_parameters
from workers.network.blueprint import Blueprint
from workers.surgery.built_nodes import built_nodes
from workers.surgery.draft import Change, Draft
from workers.surgery.node_places import NodePlace
from workers.surgery.operations.width_changes import (
    change_width,
    check_obstacles,
    find_width,
    infer_change,
    refusal,
    warn,
)
from workers.surgery.tensor_map import NEW, AxisMap, Fill, TensorSource
from workers.surgery.widths.channel_maps import ChannelMap, changed_tensors

EMBEDDINGS = ("Embedding", "EmbeddingBag")


def grow_vocabulary(draft: Draft, operation: GrowVocabulary, index: int) -> Change:
    """Add rows to an embedding. Raises `InvalidInput`."""
    pointer = f"/operations/{index}"
    place = draft.find(operation.node, f"{pointer}/node")
    if (kind := place.node["kind"]) not in EMBEDDINGS:
        detail = f"{operation.node} ({kind}) has no vocabulary"
        raise refusal(f"{pointer}/node", "no_width", detail, f"name a node of kind {' or '.join(EMBEDDINGS)}")
    change = _grow_field(draft, place, "num_embeddings", operation.to, operation.init, index)
    detail = f"the data of a running job stays: it has no numbers for the new rows of {operation.node}"
    hint = "fork with data that has them, or look up numbers that other nodes compute"
    warn(draft, f"{pointer}/to", "unused_rows", detail, hint)
    return change


def grow_classes(draft: Draft, operation: GrowClasses, index: int) -> Change:
    """Add outputs to a layer that gives an output of the network. Raises `InvalidInput`."""
    pointer = f"/operations/{index}"
    place = draft.find(operation.node, f"{pointer}/node")
    if place.node["kind"] in BACKBONES:
        return _grow_field(draft, place, "num_classes", operation.to, operation.init, index)
    width = find_width(draft, operation.node, index)
    check_obstacles(width, {"change"}, f"{pointer}/node")
    every = ChannelMap(width.group, width.channels, tuple(range(width.channels)))
    readers = [axis.name for axis, _ in changed_tensors(width.dependencies, every) if axis.role == "input"]
    if readers or not width.obstacles({"output"}):
        detail = f"{operation.node} has no outputs for classes: " + (
            f"{readers[0]} reads them" if readers else "they are no output of the network"
        )
        raise refusal(f"{pointer}/node", "no_classes", detail, 'use "op": "widen", or name the last layer')
    if operation.to <= width.part.size:
        _refuse_size(place, operation.to, width.part.size, pointer)
    if operation.to % width.block:
        detail = f"the outputs of {operation.node} are added in blocks of {width.block}"
        raise refusal(f"{pointer}/to", "invalid_value", detail, f"use a multiple of {width.block}")
    indices = (*range(width.channels), *[NEW] * (operation.to // width.block - width.channels))
    return change_width(draft, width, indices, index, field="to", output_fill=operation.init)


def _grow_field(draft: Draft, place: NodePlace, name: str, size: int, fill: Fill, index: int) -> Change:
    """Return the change that follows from a larger number in one field of a node, which no other node depends on."""
    before = draft.infer().blueprint
    sizes = {use.node.parameters[name] for use in built_nodes(before).values() if use.node.pointer == place.pointer}
    old = max(sizes, default=size)
    if size <= old:
        _refuse_size(place, size, old, f"/operations/{index}")
    place.node[name] = size
    draft.written_settings[f"/model{place.pointer}/{name}"] = f"/operations/{index}/to"
    after = infer_change(draft, index).blueprint
    return Change(after, _grown_tensors(before, after, place, fill, f"/operations/{index}/node"))


def _refuse_size(place: NodePlace, size: int, before: int, pointer: str) -> None:
    detail = f"{place.path} has {before} already, which cannot become {size}"
    raise refusal(f"{pointer}/to", "invalid_value", detail, f"use at least {before + 1}")


def _grown_tensors(
    before: Blueprint, after: Blueprint, place: NodePlace, fill: Fill, pointer: str
) -> dict[str, TensorSource]:
    """Return where tensors come from, if those of one node have grown along axes that counted the same thing.

    Raises `InvalidInput` at `pointer` if those of another node have grown too, which reads what there is more of.
    """
    old, new = index_parameters(before).shapes, index_parameters(after).shapes
    owners = tuple(f"{use.path}." for use in built_nodes(after).values() if use.node.pointer == place.pointer)
    sources: dict[str, TensorSource] = {}
    for name, shape in new.items():
        pairs = list(enumerate(zip(old[name], shape, strict=True)))
        axes = [
            AxisMap(place, (*range(first), *[NEW] * (second - first)))
            for place, (first, second) in pairs
            if first != second
        ]
        if axes and not name.startswith(owners):
            detail = f"{place.path} has no outputs for classes: {name} reads them"
            raise refusal(pointer, "no_classes", detail, "name the last layer")
        sources[name] = TensorSource(name, tuple(axes), fill=fill if axes else "default")
    return sources
