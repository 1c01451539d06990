"""Random nodes that draw for each row of a batch from a seed of its own.

What a row becomes does not depend on the other rows, then. Other nodes still run on the whole batch.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from workers.data.rng import update_seed
from workers.network.blueprint import ResolvedNode
from workers.network.inference.input_checks import SYMBOLIC_BATCH_SIZE
from workers.network.inference.partial_network import PartialNetwork
from workers.network.runtime.build import BuiltNetwork, is_random_node, observed_plan, swap_plan
from workers.network.runtime.control_flow import TensorOrTuple, as_tuple, unwrap_single
from workers.network.runtime.plan import NodeCall

MAX_NODES = 1 << 20  # keeps the draws of networks apart


class RowSeeds:
    """The seeds of the rows that the networks run on next."""

    def __init__(self) -> None:
        self.values: Sequence[int] = ()


def draw_by_row(network: BuiltNetwork, inferred: PartialNetwork, seeds: RowSeeds, place: int) -> None:
    """Let the random nodes of a network draw by `seeds`. `place` tells networks with the same seeds apart."""
    if not network.is_random:
        return
    traces = {trace.node.id: trace for trace in inferred.nodes}
    positions = {name: position for position, name in enumerate(traces)}

    def observe(node: ResolvedNode, _: str, call: NodeCall) -> NodeCall:
        if not is_random_node(node):
            return call
        by_row = [each.shape[:1] == (SYMBOLIC_BATCH_SIZE,) for each in traces[node.id].inputs]
        return _RowCall(call, by_row, seeds, place * MAX_NODES + positions[node.id])

    swap_plan(network, observed_plan(network, observe))


class _RowCall:
    """The call of a node on one row after the other, each with a seed that follows from the row's and the node."""

    def __init__(self, call: NodeCall, by_row: Sequence[bool], seeds: RowSeeds, place: int) -> None:
        self._call, self._by_row, self._seeds, self._place = call, by_row, seeds, place

    def __call__(self, *inputs: Tensor) -> TensorOrTuple:
        results = []
        for row, seed in enumerate(self._seeds.values):
            torch.default_generator.manual_seed(update_seed(seed, 0, self._place))
            pairs = zip(inputs, self._by_row, strict=True)
            results.append(as_tuple(self._call(*[each[row : row + 1] if is_row else each for each, is_row in pairs])))
        return unwrap_single([torch.cat(parts) for parts in zip(*results, strict=True)])
