"""From a spec to a blueprint: node by node on the meta device, where tensors have shapes and no memory."""

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from app.errors import Problem
from app.spec.data import DataSchema
from app.spec.network import Network, Placed
from workers.network.blueprint import Blueprint, Settled
from workers.network.calls import run_recurrent
from workers.network.catalog import CATALOG, Builder
from workers.network.counts import weights
from workers.network.leaves import INITIALISERS, Leaf
from workers.network.modules import Module
from workers.network.sizes import BATCH, Mismatch, Parameters, settle, sizes

META = torch.device("meta")
LARGEST = 1 << 40  # elements of one node's weights: more fits in no machine, and soon not in 64 bits
REFUSALS = (RuntimeError, ValueError, TypeError, IndexError, AssertionError, ArithmeticError)
BROADCASTING = frozenset({"add", "sub", "mul", "div", "pow", "maximum", "minimum"})
HINTS = {
    "cat": "all dimensions but `dim` must be equal",
    "stack": "all shapes must be equal",
    "matmul": "the last dimension of the first must equal the last but one of the second",
    **dict.fromkeys(BROADCASTING, "dimensions must be equal, or 1"),
}


@dataclass(frozen=True, slots=True)
class Trace:
    """What one node does with a batch of `BATCH` examples."""

    node: Settled
    inputs: tuple[Tensor, ...]
    output: Tensor
    parameters: int = 0
    buffers: int = 0  # elements that are kept but not trained


@dataclass(slots=True)
class Draft:
    """The network on the meta device; nodes with problems, and all that read them, are left out."""

    blueprint: Blueprint
    traces: list[Trace] = field(default_factory=list)
    values: dict[str, Tensor] = field(default_factory=dict)  # inputs and outputs of nodes, by name
    problems: list[Problem] = field(default_factory=list)


def draft(
    network: Network, schema: DataSchema, inputs: tuple[str, ...], skip: AbstractSet[str] = frozenset()
) -> Draft:
    """Settle every node. `skip` holds pointers of nodes that are known to be wrong; they are passed over in silence.

    Problems' pointers are relative to the network.
    """
    names = network.input_names(inputs)
    columns = [column for name in names if (column := schema.column(name)) is not None]
    values = {column.name: _column(column.shape, column.dtype) for column in columns}
    result = Draft(Blueprint(names, (), {}), values=values)
    seen: dict[Any, Trace] = {}
    with torch.no_grad():
        for placed in network.placed(inputs):
            known = all(name in values for name in placed.inputs)
            trace = _trace(placed, result, seen) if known and placed.pointer not in skip else None
            values.pop(placed.id, None)  # a layer may be named like the input of the chain
            if trace is not None:
                result.traces.append(trace)
                values[placed.id] = trace.output
    result.blueprint = Blueprint(names, tuple(trace.node for trace in result.traces), network.output_names())
    return result


def _column(shape: tuple[int, ...], dtype: str) -> Tensor:
    return torch.empty((BATCH, *shape), dtype=getattr(torch, dtype), device=META)


def _trace(placed: Placed, result: Draft, seen: dict[Any, Trace]) -> Trace | None:
    """Return what a node does; a node like one before it, on inputs like those, is not computed again."""
    inputs = tuple(result.values[name] for name in placed.inputs)
    row, parameters = CATALOG[placed.node.kind], placed.node.parameters()
    key = None
    if not isinstance(row, Leaf):
        key = (placed.node.kind, tuple(parameters.items()), *((value.shape, value.dtype) for value in inputs))
        if key in seen:
            like = seen[key]
            node = Settled(placed.id, placed.node.kind, like.node.parameters, placed.inputs, placed.pointer)
            return Trace(node, inputs, like.output, like.parameters, like.buffers)
    try:
        trace = _settled(placed, row, parameters, inputs)
    except Mismatch as found:
        place = placed.pointer + (f"/{found.field}" if found.field else "")
        result.problems.append(Problem(place, found.code, found.detail, found.hint))
        return None
    if key is not None:
        seen[key] = trace
    return trace


def _settled(placed: Placed, row: Builder, parameters: Parameters, inputs: tuple[Tensor, ...]) -> Trace:
    kind, name = placed.node.kind, placed.id
    if isinstance(row, Module):
        parameters = settle(name, row, parameters, inputs)
    if (count := weights(kind, parameters)) > LARGEST:
        raise Mismatch(f"{name} would have {count:,} parameters", "make it smaller", code="too_many_parameters")
    node = Settled(name, kind, parameters, placed.inputs, placed.pointer)
    if isinstance(row, Module):
        return _module(node, row, inputs)
    if isinstance(row, Leaf):
        return _leaf(node, row)
    output = _output(node, inputs, row.bound(parameters))
    if kind in BROADCASTING and list(output.shape).count(BATCH) > 1:
        shapes = " and ".join(_whole(value) for value in inputs)
        raise Mismatch(f"{name} would combine every example with every other: {shapes}",
                       'give both the same number of dimensions, for example with {"kind": "squeeze", "dim": 1}')  # fmt: skip
    return Trace(node, inputs, output)


def _module(node: Settled, row: Module, inputs: tuple[Tensor, ...]) -> Trace:
    try:
        with META:
            module = row.module(node.parameters)
    except REFUSALS as error:
        raise Mismatch(f"{node.id}: {_first_line(error)}", code="invalid_value") from None
    output = _recurrent(node, inputs) if row.call is run_recurrent else _output(node, inputs, row.bound(module, node.parameters))
    parameters = sum(parameter.numel() for parameter in module.parameters())
    return Trace(node, inputs, output, parameters, sum(buffer.numel() for buffer in module.buffers()))


def _output(node: Settled, inputs: tuple[Tensor, ...], call: Callable[..., Tensor]) -> Tensor:
    try:
        output = call(*inputs)
    except REFUSALS as error:
        line = _first_line(error)
        if "overflow" in line:
            detail = f"{node.id} would make a tensor larger than any memory"
            raise Mismatch(detail, "make it smaller", code="too_much_memory") from None
        shapes = " and ".join(map(_whole, inputs)) if len(inputs) > 1 else sizes(inputs[0].shape)
        verb = "combine" if len(inputs) > 1 else "take"
        raise Mismatch(f"{node.id} cannot {verb} {shapes}: {line}", HINTS.get(node.kind, "")) from None
    return output


def _whole(value: Tensor) -> str:
    return sizes(value.shape)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].replace(str(BATCH), "N")


def _recurrent(node: Settled, inputs: tuple[Tensor, ...]) -> Tensor:
    """Return the shape by rule: torch would take every step of the sequence, even on the meta device."""
    if len(inputs) > 1 and (inputs[1].shape != (BATCH,) or inputs[1].dtype.is_floating_point):
        detail = f"the lengths of {node.id} are {sizes(inputs[1].shape)} of {str(inputs[1].dtype)[6:]}"
        raise Mismatch(detail, "use one integer per example", field="inputs/1")
    examples, steps, _ = inputs[0].shape
    width = node.parameters["hidden_size"] * (1 + node.parameters["bidirectional"])
    shape = (examples, steps, width) if node.parameters["returns"] == "sequence" else (examples, width)
    return torch.empty(shape, device=META)


def _leaf(node: Settled, row: Leaf) -> Trace:
    if row.place == "constant":
        try:
            return Trace(node, (), row.tensor(node.parameters).to(META))
        except REFUSALS as error:
            raise Mismatch(f"{node.id}: {_first_line(error)}", "give lists of equal lengths", field="value",
                           code="invalid_value") from None  # fmt: skip
    shape, init = node.parameters["shape"], node.parameters["init"]
    least = INITIALISERS[init.kind].least
    if len(shape) < least:
        detail = f"{init.kind} fills tensors of {least} or more dimensions, {node.id} has {len(shape)}"
        raise Mismatch(detail, 'use {"kind": "normal"} or {"kind": "uniform"}', field="init", code="invalid_value")
    output = torch.empty(shape, device=META)
    trained = row.place == "parameter"
    return Trace(node, (), output, output.numel() if trained else 0, 0 if trained else output.numel())
