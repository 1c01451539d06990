"""The tensor map: for every tensor of a changed network, which entries of an old tensor it continues.

It is data, and is applied alike to parameters, buffers, averages and the optimiser's moments.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Fill = Literal["default", "zero", "one", "identity", "mean"]  # default: as torch initialises the layer
NEW = -1  # instead of an index: an entry that continues none


@dataclass(frozen=True, slots=True)
class AxisMap:
    """The entries of one axis of a new tensor.

    `indices` holds for each entry the index in the old tensor that it continues, or `NEW`. `weight_factors` multiply
    weights by entry (1/copies where copied units are read); `gradient_factors` multiply what is linear in gradients,
    such as first moments, and their squares what is quadratic.
    """

    axis: int
    indices: tuple[int, ...]
    weight_factors: tuple[float, ...] | None = None
    gradient_factors: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True)
class TensorSource:
    """Where a tensor comes from: an old tensor by its name in `state_dict`, entry by entry, or nothing.

    `fill` says how entries that continue none are initialised; their moments are 0. A tensor without `name` has no
    state of the optimiser yet. `noise` is added to copies of entries, as a share of the tensor's standard deviation.
    """

    name: str | None
    axes: tuple[AxisMap, ...] = ()
    fill: Fill = "default"
    noise: float = 0.0


TensorMap = Mapping[str, TensorSource]  # by name in the new `state_dict`: every parameter and buffer
