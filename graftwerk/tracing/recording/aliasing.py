"""Writes in place made explicit: who reads a changed tensor later reads the result, or the trace has an obstacle.

Which nodes share memory, and which operations write to it, is known from running them on the examples (torch counts the
writes to every tensor), so it holds for all of torch's operations: ``mul_`` on a slice, ``relu_``, ``+=``, ``out=``,
``copy_``, assignments to items, modules with ``inplace=True``, buffers that a function updates.
"""

import operator
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from graftwerk.tracing.recording.symbolic_trace import FxNode, SymbolicTrace, storage_id

PARTIAL_WRITE = "this writes to a part of a tensor that is read again{where}, which the language cannot do in place"
PARTIAL_HINT = "compute the parts and join them with torch.cat, or use torch.where"
FOREIGN_WRITE = "this assigns to items of something that is no tensor, such as an array of numpy"
DETACHED_WRITE = "this changes a tensor past its gradient"
STATE_WRITE = "this changes {what}, which a network of the language cannot do in its forward"
STATE_HINT = "keep the state out of forward, or use a module such as nn.BatchNorm1d"


def functionalize(recording: SymbolicTrace) -> None:
    """Rewrite the graph so that no result depends on a write in place. What cannot be rewritten is an obstacle."""
    nodes = list(recording.graph.nodes)
    order = {node: place for place, node in enumerate(nodes)}
    for node in nodes:
        _check_statistics(recording, node)
        if node.target is operator.setitem and not recording.tensors(node.args[0]):
            recording.add_obstacle(node, FOREIGN_WRITE, "use the functions of torch")
        for operand in recording.writes.get(node, ())[:1]:
            _apply_write(recording, node, operand, order)


def _apply_write(recording: SymbolicTrace, write: FxNode, operand: FxNode, order: dict[FxNode, int]) -> None:
    """Let the readers after `write` read its result in place of `operand` and of what shares its memory."""
    now = order[write]
    destination = _destination(recording, write, operand)
    storage = storage_id(destination)
    aliases = [
        each
        for each in list(order)
        if order[each] < now and any(storage_id(value) == storage for value in _tensors(recording, each))
    ]
    for alias in aliases:
        if alias.op == "get_attr":
            what = f"{alias.target}, which belongs to the module"
            recording.add_obstacle(write, STATE_WRITE.format(what=what), STATE_HINT)
            return
    if not any(storage_id(value) == storage for value in _tensors(recording, write)):
        recording.add_obstacle(write, "this writes to a tensor that it does not return", "write it out of place")
        return
    renewed: dict[FxNode, FxNode] = {each: write for each in aliases if _is_same(recording, each, destination)}
    for alias in aliases:
        readers = [user for user in alias.users if user is not write and order.get(user, -1) > now]
        if not readers or (alias not in renewed and not _overlaps(recording, alias, destination)):
            continue
        if _is_written_back(write, operand, min(readers, key=lambda each: order[each])):
            continue
        if _is_detached(recording, operand, storage) and not _is_detached(recording, alias, storage):
            recording.add_obstacle(write, DETACHED_WRITE, "write it out of place, and use detach where it is meant")
            return
        replacement = _renewed(recording, alias, renewed, write, order)
        if replacement is None:
            line = recording.locations.get(readers[0], ("", 0))[1]
            where = f" in line {line}" if line else ""
            recording.add_obstacle(write, PARTIAL_WRITE.format(where=where), PARTIAL_HINT)
            return
        for user in readers:
            user.replace_input_with(alias, replacement)


def _is_written_back(write: FxNode, operand: FxNode, reader: FxNode) -> bool:
    """Return whether the first reader assigns the result to the same items, as Python does for ``h[:, 0] += 1``."""
    return (
        reader.target is operator.setitem
        and operand.target is operator.getitem
        and reader.args[0] is operand.args[0]
        and reader.args[1] == operand.args[1]
        and reader.args[2] is write
    )


def _is_detached(recording: SymbolicTrace, node: FxNode, storage: int) -> bool:
    """Return whether a node is a view of a tensor without its gradient."""
    sources = [each for each in node.all_input_nodes if storage in map(storage_id, _tensors(recording, each))]
    if not sources:
        return False
    cut = node.target == "detach" or (node.target is getattr and node.args[1] == "data")
    return cut or any(_is_detached(recording, each, storage) for each in sources)


def _destination(recording: SymbolicTrace, write: FxNode, operand: FxNode) -> Any:
    """Return the tensor that an operation changes: its result, or its operand."""
    out = write.kwargs.get("out")
    tensors = recording.tensors(out if out is not None else operand)
    result = recording.tensors(write)
    if result and storage_id(result[0]) == storage_id((tensors or result)[0]):
        return result[0]
    return tensors[0] if tensors else next(_tensors(recording, operand))


def _renewed(
    recording: SymbolicTrace, alias: FxNode, renewed: dict[FxNode, FxNode], write: FxNode, order: dict[FxNode, int]
) -> FxNode | None:
    """Return the node that computes `alias` of the changed tensor, taking views again; `None` if there is none."""
    if alias in renewed:
        return renewed[alias]
    storages = {storage_id(value) for value in _tensors(recording, alias)}
    sources = [
        each for each in alias.all_input_nodes if storages & {storage_id(value) for value in _tensors(recording, each)}
    ]
    if len(sources) != 1 or alias in recording.writes or alias.op not in ("call_function", "call_method"):
        return None
    source = _renewed(recording, sources[0], renewed, write, order)
    if source is None:
        return None
    last = max((each for each in set(renewed.values())), key=lambda each: order[each])
    with recording.graph.inserting_after(last):
        copy = recording.graph.node_copy(alias, lambda each: source if each is sources[0] else each)
    order[copy] = order[write]
    recording.copy_node(alias, copy)
    renewed[alias] = copy
    return copy


def _check_statistics(recording: SymbolicTrace, node: FxNode) -> None:
    """Record an obstacle for a buffer that is read directly, and that a module changes."""
    if node.op != "get_attr":
        return
    for value in _tensors(recording, node):
        if storage_id(value) in recording.written_buffers and value is recording.values[node][0]:
            detail = f"{node.target} is read here, but another module changes it in training"
            recording.add_obstacle(node, detail, "use the module's output")


def _is_same(recording: SymbolicTrace, node: FxNode, tensor: Any) -> bool:
    """Return whether a node's value is the same view of the same memory."""
    found = recording.tensors(node)
    return bool(found) and _geometry(found[0]) == _geometry(tensor)


def _geometry(tensor: Any) -> tuple[Any, ...]:
    return storage_id(tensor), tensor.storage_offset(), tuple(tensor.shape), tensor.stride(), tensor.dtype


def _overlaps(recording: SymbolicTrace, node: FxNode, tensor: Any) -> bool:
    """Return whether a node's value has an element of `tensor`, which shares its memory."""
    torch = import_module("torch")
    size = tensor.untyped_storage().nbytes() // tensor.element_size()
    mask = torch.zeros(size, dtype=torch.bool)
    mask.as_strided(tensor.shape, tensor.stride(), tensor.storage_offset()).fill_(True)
    return any(
        bool(mask.as_strided(value.shape, value.stride(), value.storage_offset()).any())
        for value in _tensors(recording, node)
        if storage_id(value) == storage_id(tensor)
    )


def _tensors(recording: SymbolicTrace, node: FxNode) -> Iterator[Any]:
    """Yield the tensors of a node's value on the first examples."""
    pending = list(recording.values.get(node, ())[:1])
    tensor = import_module("torch").Tensor
    while pending:
        value = pending.pop()
        if isinstance(value, tensor):
            yield value
        elif isinstance(value, tuple | list):
            pending += value
