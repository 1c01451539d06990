"""The initial values of tensors that an edit adds: functions of the seed, the edit and the node."""

from collections.abc import Mapping
from math import sqrt

import torch
from torch import Tensor, nn

from workers.data.rng import stream_seed
from workers.network.blueprint import Blueprint, Parameters
from workers.network.kinds.catalog import CATALOG
from workers.network.kinds.leaves import LeafKind
from workers.network.kinds.module_kind import ModuleKind
from workers.surgery.built_nodes import NodeUse, built_nodes, owner_path
from workers.surgery.initial.fills import CONVOLUTIONS, STATISTICAL_NORMS, TRANSPOSED_CONVOLUTIONS
from workers.surgery.tensor_map import Fill

EDIT_STREAM = 0xED17  # keeps these random numbers apart from those of epochs and images


def draw(blueprint: Blueprint, fills: Mapping[str, Fill], seed: int, edit: int) -> dict[str, Tensor]:
    """Return initial values of tensors by their names in `state_dict`, on the CPU.

    A value is a function of the training's seed, the number of the edit and the path of the node alone: torch's
    generators are left as they are. Nodes that share parameters get one value. "mean" is that of a tensor's other
    entries, which are not known here: such names are left out.
    """
    nodes = dict(built_nodes(blueprint))
    by_node: dict[str, list[str]] = {}
    for name, fill in fills.items():
        if fill != "mean":
            by_node.setdefault(owner_path(name, nodes), []).append(name)
    values: dict[str, Tensor] = {}
    for path, names in by_node.items():
        use = nodes[path]
        fresh = _fresh_tensors(use, stream_seed(seed, EDIT_STREAM, edit, *use.first_path.encode()))
        for name in names:
            tensor = name[len(path) :].removeprefix(".")
            values[name] = _filled(fresh[tensor], fills[name], use)
    return values


def _fresh_tensors(use: NodeUse, seed: int) -> dict[str, Tensor]:
    """Return the tensors of a node as torch initialises them, by their names in the node."""
    row, parameters = CATALOG[use.node.kind], use.node.parameters
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        if isinstance(row, LeafKind):
            return {"": row.tensor(parameters)}
        return row.module(parameters).state_dict() if isinstance(row, ModuleKind) else {}


def _filled(fresh: Tensor, fill: Fill, use: NodeUse) -> Tensor:
    if fill == "zero":
        return torch.zeros_like(fresh)
    if fill == "one":
        return torch.ones_like(fresh)
    return _identity(fresh, use.node.kind, use.node.parameters) if fill == "identity" else fresh


def _identity(fresh: Tensor, kind: str, parameters: Parameters) -> Tensor:
    """Return the weight that makes a node compute its input; `fresh` has its shape and dtype."""
    if kind in STATISTICAL_NORMS:  # the variance is 1 at first, and eps is added to it
        return torch.full_like(fresh, sqrt(1.0 + parameters["eps"]))
    if kind not in CONVOLUTIONS:
        return nn.init.eye_(torch.empty_like(fresh))
    if kind not in TRANSPOSED_CONVOLUTIONS:
        return nn.init.dirac_(torch.empty_like(fresh), groups=parameters["groups"])
    weight = torch.zeros_like(fresh)  # (in, out / groups, *kernel)
    middle = tuple(size // 2 for size in fresh.shape[2:])
    for channel in range(fresh.shape[0]):
        weight[(channel, channel % fresh.shape[1], *middle)] = 1.0
    return weight
