"""A network whose generating node runs freely, on what the nodes before it compute."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from workers.network.analysis.dependencies import prune_to_node
from workers.network.kinds.control import FREE_RUNNING
from workers.network.runtime.build import BuiltNetwork, run_before
from workers.network.runtime.generation import GeneratedTokens


def free_run(network: BuiltNetwork, values: Mapping[str, Tensor], settings: Mapping[str, Any]) -> GeneratedTokens:
    """Return the tokens that a network adds to each row of its tokens, which are all of one length.

    `values` are inputs (N, ...) by name, `settings` the arguments of `workers.network.runtime.generation.generate`.
    Raises `ValueError` if no node of the network says `generate`.
    """
    node = network.blueprint.generator
    if node is None or node.free_running is None:
        raise ValueError("no node of the network generates")
    with torch.no_grad():
        inputs = run_before(network, prune_to_node(network.blueprint, node), values)
        bodies = network.get_submodule(node.id)
        return FREE_RUNNING[node.kind](bodies, *inputs, **node.free_running.arguments, **settings)
