"""The walk through an inferred network that finds its dependencies."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from workers.network.inference.partial_network import InferredNode, PartialNetwork
from workers.network.kinds.catalog import CATALOG
from workers.network.kinds.control import ControlKind
from workers.network.kinds.weights import tied_parameters
from workers.surgery.widths.axes import Axes, axis_size
from workers.surgery.widths.dependencies import Dependencies, NodeScope, empty_dependencies, input_axes
from workers.surgery.widths.groups import Obstacle
from workers.surgery.widths.rules.catalog import RULES
from workers.surgery.widths.rules.elementwise import opaque


def find_dependencies(document: Mapping[str, Any], network: PartialNetwork) -> Dependencies:
    """Return which axes change together in a network without problems; `document` is what it was inferred from.

    Each rule is one of structured pruning by dependency graphs (Fang et al. 2023, "DepGraph").
    """
    dependencies = empty_dependencies(document, network)
    outputs = _Walk(dependencies).body(network, "", input_axes(network))
    for name, axes in zip(network.blueprint.outputs, outputs, strict=True):
        hint = "grow_classes adds classes to an output; to change anything else, start a fork with another network"
        obstacle = Obstacle("output", network.blueprint.outputs[name], f'it is the output "{name}"', hint)
        for axis in axes:
            dependencies.groups.obstruct(axis, obstacle)
    return dependencies


@dataclass
class _Walk:
    """Follows axes through bodies. `shared` holds the inputs of the first use of shared parameters."""

    dependencies: Dependencies
    shared: dict[str, Sequence[Axes]] = field(default_factory=dict)

    def body(self, network: PartialNetwork, path: str, inputs: Sequence[Axes]) -> tuple[Axes, ...]:
        """Return the outputs of a body whose parameters have names that begin with `path`."""
        values = dict(zip(network.blueprint.inputs, inputs, strict=True))
        ties = [(node, source.partition(".")[0]) for node, _, source in tied_parameters(network.blueprint)]
        tied = {name for pair in ties for name in pair}  # with weights of each other, which are not followed
        for trace in network.nodes:
            arguments = [values[name] for name in trace.node.inputs]
            outputs = self._node(trace, path + trace.node.id, arguments, tied)
            values[trace.node.id] = outputs[0]
            own = (f"{trace.node.id}.{name}" for name in trace.node.outputs)
            values |= zip(own, outputs, strict=False)
        return tuple(values[source] for source in network.blueprint.outputs.values())

    def _node(self, trace: InferredNode, path: str, inputs: Sequence[Axes], tied: AbstractSet[str]) -> tuple[Axes, ...]:
        node = NodeScope(self.dependencies, trace, path, inputs, partial(self._inner, trace, path))
        if trace.node.share is not None:
            self._share(node, f"{path.rpartition('.')[0]} {trace.node.share}")
        fixed = trace.node.id in tied or trace.node.parameters.get("parametrization") is not None
        outputs = opaque(node) if fixed else RULES.get(trace.node.kind, opaque)(node)
        shapes = [tuple(map(axis_size, axes)) for axes in outputs]
        if shapes != node.output_shapes():
            raise AssertionError(f"{node.describe()}: {shapes} instead of {node.output_shapes()}")
        return outputs

    def _inner(self, trace: InferredNode, path: str, name: str, inputs: Sequence[Axes]) -> tuple[Axes, ...]:
        row = CATALOG[trace.node.kind]
        is_block = isinstance(row, ControlKind) and row.function is None
        return self.body(trace.bodies[name].network, f"{path}." if is_block else f"{path}.{name}.", inputs)

    def _share(self, node: NodeScope, key: str) -> None:
        """Let the inputs of all uses of shared parameters change alike."""
        for axes, others in zip(self.shared.setdefault(key, node.inputs), node.inputs, strict=True):
            for axis, other in zip(axes, others, strict=True):
                node.unify(axis, other)
