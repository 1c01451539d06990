"""A network as JSON: inputs, nodes, edges, outputs and totals."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from app.spec.network.nodes import referenced_node
from workers.network.analysis.parameters import index_parameters
from workers.network.inference.costs import flops
from workers.network.inference.input_checks import SYMBOLIC_BATCH_SIZE
from workers.network.inference.partial_network import InferredBody, InferredNode, PartialNetwork


def describe_graph(partial: PartialNetwork, prefix: str) -> dict[str, Any]:
    """Return inputs, nodes, edges, outputs and totals, without what could not be inferred.

    `prefix` is the network's own pointer. Floating point operations are those of a forward pass of one example.
    Counts may be larger than any answer holds, see `app.spec.base`.
    """
    sources = partial.blueprint.outputs
    weights = _weights(partial)
    nodes = [_node(trace, prefix, weights.get(trace.node.id)) for trace in partial.nodes]
    parameters, buffers, work = (sum(node[part] for node in nodes) for part in ("parameters", "buffers", "flops"))
    return {
        "inputs": {name: _value(partial.values[name]) for name in partial.blueprint.inputs if name in partial.values},
        "nodes": nodes,
        "edges": [[referenced_node(source), trace.node.id] for trace in partial.nodes for source in trace.node.inputs],
        "outputs": {
            name: {"node": source, **_value(partial.values[source])}
            for name, source in sources.items()
            if source in partial.values
        },
        "totals": {"parameters": parameters, "trainable": parameters, "buffers": buffers, "flops": work},
    }


def _flops(trace: InferredNode) -> int:
    """Return the floating point operations of a node for one example, or in all if none of its tensors has a batch.

    A loop without a fixed number of iterations counts once.
    """
    if trace.bodies:
        return trace.cost_of_bodies(_flops)
    inputs = [value.shape for value in trace.inputs]
    count = (
        trace.flops
        if trace.flops is not None
        else flops(trace.node.kind, trace.node.parameters, inputs, trace.output.shape)
    )
    return (
        count // SYMBOLIC_BATCH_SIZE
        if any(SYMBOLIC_BATCH_SIZE in shape for shape in (*inputs, trace.output.shape))
        else count
    )


def with_batch_size(shape: Sequence[int], batch_size: int) -> list[int]:
    """Return a shape with a real batch size. A dimension may hold several rows of each example."""
    return [size // SYMBOLIC_BATCH_SIZE * batch_size if size % SYMBOLIC_BATCH_SIZE == 0 else size for size in shape]


def _weights(partial: PartialNetwork) -> dict[str, dict[str, list[int]]]:
    """Return the shapes of the parameters of modules, by node and name."""
    weights: dict[str, dict[str, list[int]]] = {}
    for name, parameter in index_parameters(partial.blueprint, bodies=False).weights.items():
        node, _, own = name.partition(".")
        if own:
            weights.setdefault(node, {})[own] = list(parameter.shape)
    return weights


def _node(trace: InferredNode, prefix: str, weights: dict[str, list[int]] | None) -> dict[str, Any]:
    node = trace.node
    outputs = dict(zip(node.outputs, (trace.output, *trace.other_outputs), strict=False))
    bodies = {
        names[0]: describe_graph(inner.network, prefix) | {"turns": inner.iterations, "names": names}
        for names, inner in _distinct_bodies(trace)
    }
    more: dict[str, Any] = {"bodies": bodies} if bodies else {}
    if weights:
        more["weights"] = weights
    if outputs:
        more["outputs"] = {name: _value(value) for name, value in outputs.items()}
    return {
        "id": node.id,
        "kind": node.kind,
        "pointer": prefix + node.pointer,
        "inputs": list(node.inputs),
        "output": _value(trace.output),
        "parameters": trace.parameters,
        "buffers": trace.buffers,
        "flops": _flops(trace),
        **more,
    }


def _distinct_bodies(trace: InferredNode) -> list[tuple[list[str], InferredBody]]:
    """Return the different networks of the bodies, each with the names of all bodies that are it."""
    bodies: dict[int, tuple[list[str], InferredBody]] = {}
    for name, inner in trace.bodies.items():
        bodies.setdefault(id(inner.network), ([], inner))[0].append(name)
    return list(bodies.values())


def _value(value: Tensor) -> dict[str, Any]:
    return {"shape": [_size(size) for size in value.shape], "dtype": str(value.dtype).removeprefix("torch.")}


def _size(size: int) -> int | str:
    """Return "N" for the batch dimension, "4*N" for four rows of each example, else the number."""
    if size == 0 or size % SYMBOLIC_BATCH_SIZE:
        return size
    return "N" if size == SYMBOLIC_BATCH_SIZE else f"{size // SYMBOLIC_BATCH_SIZE}*N"
