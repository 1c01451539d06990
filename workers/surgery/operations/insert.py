"""Inserting a node: after a node, before one, or on the edge between two."""

from dataclasses import dataclass

from app.errors import InvalidInput, Problem
from app.spec.edits.operations import Insert
from app.spec.network.nodes import NODE_KINDS, BaseNode, referenced_node
from workers.surgery.draft import Draft
from workers.surgery.layer_ids import write_node_ids
from workers.surgery.node_places import (
    BodyPlace,
    JsonObject,
    NodePlace,
    free_id,
    is_leaf,
    node_references,
    output_names,
    replace_references,
)
from workers.surgery.operations.rename import check_id


def insert(draft: Draft, operation: Insert, index: int) -> None:
    """Insert a node. Raises `InvalidInput`."""
    pointer = f"/operations/{index}"
    if operation.after is not None:
        edge = _edge_after(draft, operation.after, f"{pointer}/after")
    elif operation.before is not None:
        edge = _edge_before(draft, operation.before, f"{pointer}/before")
    else:
        edge = _edge_between(draft, *(operation.between or ("", "")), pointer=f"{pointer}/between")
    node = node_document(operation.node, edge.within, f"{pointer}/node")
    draft.lineage.add(node, operation.init)
    draft.write_node(node, pointer, "node", operation.init)
    if operation.init == "identity" and node.get("inputs", [edge.source])[:1] != [edge.source]:
        detail = f"a node that computes its input reads {edge.source}, in whose place it is read"
        raise InvalidInput([Problem(f"{pointer}/node/inputs", "not_identity", detail, f'name "{edge.source}" first')])
    if edge.within.is_chain:
        _check_layer(operation, pointer)
        edge.within.nodes.insert(edge.index, node)
    elif is_leaf(node["kind"]):  # which others may name
        edge.within.nodes.insert(max(0, edge.index - 1), node)
    else:
        _insert_node(draft.model, edge, node, f"{pointer}/node")


@dataclass(frozen=True, slots=True)
class _Edge:
    """Where a node is inserted: what it reads, and which nodes read it instead."""

    within: BodyPlace
    index: int  # of the new node in the document
    source: str | None  # the node, output or input that is read; `None` for the input of a chain
    target: JsonObject | None = None  # the node that reads the new one; `None`: all that read the source


def _check_layer(operation: Insert, pointer: str) -> None:
    """Raise `InvalidInput` for a node that a chain cannot have: it reads other nodes than the layer before it."""
    references = operation.node.references()
    if references or NODE_KINDS[operation.node.kind].inputs[0] > 1:
        place = f"{pointer}/node{references[0][0] if references else ''}"
        detail = "a layer reads the layer before it, and no other node"
        hint = 'add a branch with {"op": "deepen", "after": …}, or fork the job with a network of nodes'
        raise InvalidInput([Problem(place, "network_form", detail, hint)])


def node_document(node: BaseNode, within: BodyPlace, pointer: str) -> JsonObject:
    """Return a new node of a body as it is written there. Raises `InvalidInput` if its id is taken."""
    document: JsonObject = node.model_dump(mode="json", exclude_unset=True)
    if "id" not in document:
        document = {"id": free_id(within, node.kind), **document}
    check_id(within, document["id"], node.kind, f"{pointer}/id")
    write_node_ids(node, document)
    return document


def _edge_after(draft: Draft, path: str, pointer: str) -> _Edge:
    within, index, source = _source(draft, path, pointer)
    return _Edge(within, index, source)


def _edge_before(draft: Draft, path: str, pointer: str) -> _Edge:
    place = draft.find(path, pointer)
    if place.within.is_chain:
        return _Edge(place.within, place.index, None)
    sources = list(dict.fromkeys(place.node.get("inputs") or ()))
    if len(sources) != 1:
        read = ", ".join(sources) or "nothing"
        detail = f'"{path}" reads {read}: it is not clear on which edge the node is inserted'
        hints = [f'"between": ["{_beside(path, source)}", "{path}"]' for source in sources]
        raise InvalidInput([Problem(pointer, "ambiguous", detail, "use " + (" or ".join(hints) or '"after"'))])
    return _Edge(place.within, place.index, sources[0], place.node)


def _edge_between(draft: Draft, first: str, second: str, pointer: str) -> _Edge:
    within, _, source = _source(draft, first, f"{pointer}/0")
    place = draft.find(second, f"{pointer}/1")
    if place.within.pointer != within.pointer:
        detail = f'"{first}" and "{second}" are not in the same body'
        raise InvalidInput([Problem(pointer, "no_edge", detail, "name two nodes of which one reads the other")])
    if within.is_chain:
        position = within.ids.index(referenced_node(source))
        if place.index != position + 1:
            readers = within.ids[position + 1 : position + 2]
            raise _no_edge(pointer, first, second, [_beside(first, name) for name in readers])
        return _Edge(within, place.index, source)
    read = [each for each in dict.fromkeys(node_references(place.node)) if _same_node(each, source)]
    if source not in read and len(read) != 1:
        readers = [node["id"] for node in within.nodes if any(_same_node(r, source) for r in node_references(node))]
        raise _no_edge(pointer, first, second, [_beside(first, name) for name in readers])
    return _Edge(within, place.index, source if source in read else read[0], place.node)


def _source(draft: Draft, path: str, pointer: str) -> tuple[BodyPlace, int, str]:
    """Return the body, the index after, and the reference of a node, of one of its outputs, or of an input."""
    top = BodyPlace(draft.model, "")
    if not top.is_chain and path not in top.ids and path in draft.input_names():
        return top, 0, path
    owner, _, output = path.rpartition(".")
    try:
        place = draft.find(path, pointer)
    except InvalidInput:
        if not owner:
            raise
        node = draft.find(owner, pointer)
        if output not in output_names(draft.model, node):
            raise
        return node.within, node.index + 1, f"{node.node['id']}.{output}"
    return place.within, place.index + 1, place.node["id"]


def _same_node(reference: str, source: str) -> bool:
    return referenced_node(reference) == referenced_node(source) and ("." not in source or reference == source)


def _no_edge(pointer: str, first: str, second: str, readers: list[str]) -> InvalidInput:
    detail = f'"{second}" does not read "{first}"'
    hint = f"{first} is read by {', '.join(readers)}" if readers else f"nothing reads {first}"
    return InvalidInput([Problem(pointer, "no_edge", detail, hint)])


def _beside(path: str, name: str) -> str:
    """Return the path of a node in the same body as another one."""
    owner = path.rpartition(".")[0]
    return f"{owner}.{name}" if owner else name


def _insert_node(model: JsonObject, edge: _Edge, node: JsonObject, pointer: str) -> None:
    """Insert a node that reads the source of an edge, unless it names its inputs, and is read instead of it.

    Raises `InvalidInput` if nothing would read it.
    """
    within, source = edge.within, edge.source or ""
    renamed = {each: str(node["id"]) for each in _equal_references(model, within, source)}
    within.nodes.insert(edge.index, node)
    node.setdefault("inputs", [source])
    needed = _ancestors(within, node)
    readers = [edge.target] if edge.target is not None else [each for each in within.nodes if each["id"] not in needed]
    is_read = edge.target is None and not within.body.get("outputs") and within.nodes[-1] is node
    for reader in readers:
        is_read |= not renamed.keys().isdisjoint(node_references(reader))
        replace_references(reader, renamed)
    outputs = within.body.get("outputs") or {}
    if edge.target is None and outputs:
        is_read |= not renamed.keys().isdisjoint(outputs.values())
        within.body["outputs"] = {name: renamed.get(each, each) for name, each in outputs.items()}
    if not is_read:
        detail = f"nothing that could read {node['id']} reads {source}"
        raise InvalidInput([Problem(pointer, "unread", detail, "insert it where its output is read")])


def _equal_references(model: JsonObject, within: BodyPlace, source: str) -> tuple[str, ...]:
    """Return the references that mean the same value: a node is its first output."""
    owner = referenced_node(source)
    if owner not in within.ids:
        return (source,)
    names = output_names(model, NodePlace(owner, within, within.ids.index(owner)))
    first = (owner, *(f"{owner}.{name}" for name in names[:1]))
    return first if source in first else (source,)


def _ancestors(within: BodyPlace, node: JsonObject) -> set[str]:
    """Return the ids of the nodes that a node needs, and its own."""
    by_id = {each["id"]: each for each in within.nodes}
    names = [node["id"]]
    for name in names:  # grows while it is walked
        for reference in node_references(by_id[name]) if name in by_id else ():
            if referenced_node(reference) not in names:
                names.append(referenced_node(reference))
    return set(names)
