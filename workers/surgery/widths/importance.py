"""Which channels matter least: norms of all weights that belong to a channel."""

import torch
from torch import Tensor

from app.spec.edits.operations import Selection
from workers.surgery.draft import Weights
from workers.surgery.tensor_map import NEW
from workers.surgery.widths.axes import Axis
from workers.surgery.widths.channel_maps import ChannelMap, changed_tensors
from workers.surgery.widths.dependencies import Dependencies


def channel_scores(dependencies: Dependencies, group: int, weights: Weights, by: Selection) -> Tensor:
    """Return how much each channel matters, (channels) in float64.

    By "magnitude": the sum over tensors of the L2 norm of the channel's weights (Fang et al. 2023). By "gradient": the
    sum over tensors of |Σ w ∂L/∂w|, what the loss would change to first order without them (Molchanov et al. 2019).
    """
    count = dependencies.groups.channels(group)
    identity = ChannelMap(group, count, tuple(range(count)))
    scores = torch.zeros(count, dtype=torch.float64)
    parameters = dependencies.parameters.weights
    counted: set[tuple[str, int]] = set()  # a shared tensor has several names
    for entry, axis in changed_tensors(dependencies, identity):
        if entry.name not in parameters or (place := (parameters[entry.name].name, entry.axis)) in counted:
            continue
        counted.add(place)
        weight = _by_entry(weights.weight(entry.name), entry.axis)
        owners = torch.tensor(_owners(axis, group, count))
        if by == "magnitude":
            scores += _sum_by_channel(weight.square().sum(1), owners, count).sqrt()
        else:
            gradient = _by_entry(weights.gradient(entry.name), entry.axis)
            scores += _sum_by_channel((weight * gradient).sum(1), owners, count).abs()
    return scores


def _owners(axis: Axis, group: int, channels: int) -> list[int]:
    """Return the channel of every entry of an axis; `NEW` for those of other groups."""
    owners: list[int] = []
    for part in axis:
        if part.group == group:
            owners += [channel for _ in range(part.outer) for channel in range(channels) for _ in range(part.inner)]
        else:
            owners += [NEW] * part.size
    return owners


def _by_entry(tensor: Tensor, axis: int) -> Tensor:
    """Return the entries of an axis as rows, in float64 on the CPU."""
    rows = tensor.detach().to("cpu", torch.float64).movedim(axis, 0)
    return rows.reshape(rows.shape[0], -1)


def _sum_by_channel(values: Tensor, owners: Tensor, channels: int) -> Tensor:
    belongs = owners != NEW
    return torch.zeros(channels, dtype=values.dtype).index_add(0, owners[belongs], values[belongs])
