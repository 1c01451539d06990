"""Dead units: which values of an activation's output are zero or saturated, and which axis its units are."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

from app.spec.network.modules.activations import ACTIVATIONS
from app.spec.network.operations.elementwise import ELEMENTWISE
from workers.network.blueprint import Blueprint, Parameters
from workers.network.kinds.backbones import BACKBONES

MARGIN = 2.0**-8  # from a bound that is only approached, relative to its distance from zero, or of one
SELU_BOUND = 1.0507009873554805 * 1.6732632423543772
CHANNELS, FEATURES = 1, -1  # axes of units: of images and the like, of anything else

CHANNEL_PREFIXES = (
    *("Conv", "BatchNorm", "InstanceNorm", "GroupNorm", "LocalResponseNorm", "MaxPool", "AvgPool", "AdaptiveAvgPool"),
    *("AdaptiveMaxPool", "LPPool", "ZeroPad", "ConstantPad", "ReflectionPad", "ReplicationPad", "CircularPad", "Pixel"),
    *("Upsampl", "ChannelShuffle", "FeatureAlphaDropout", "Softmax2d", "conv", "interpolate"),
)
AXIS_PRESERVING = frozenset(
    {*ACTIVATIONS, *ELEMENTWISE, "Identity", "Dropout", "AlphaDropout", "VariationalDropout"}
    | {"Dropout1d", "Dropout2d", "Dropout3d"}
)


@dataclass(frozen=True, slots=True)
class LiveRange:
    """The outputs of an activation that pass on a gradient: those between two bounds, or with `outside` the others."""

    low: float = -math.inf
    high: float = math.inf
    outside: bool = False

    def live_units(self, outputs: Tensor) -> Tensor:
        """Return which units (C) have a live value among their outputs (rows, C)."""
        if self.high == math.inf and not self.outside:
            return outputs.amax(0) > self.low
        if self.outside:
            return ((outputs < self.low) | (outputs > self.high)).any(0)
        return ((outputs > self.low) & (outputs < self.high)).any(0)


def by_unit(output: Tensor, axis: int) -> Tensor:
    """Return an output (N, ...) as the values of each of its units (rows, C)."""
    if output.dim() < 2:
        return output.reshape(-1, 1)
    channels = axis == CHANNELS and output.dim() > 2
    return (output.movedim(1, -1) if channels else output).reshape(-1, output.shape[1 if channels else -1])


def _around(center: float, margin: float = 0.0) -> LiveRange:
    return LiveRange(center - margin, center + margin, outside=True)


def _above_floor(bound: float) -> LiveRange:
    return LiveRange(-bound * (1 - MARGIN)) if bound > 0 else LiveRange()


# Kinds of activations whose units can die. The rest let a gradient through everywhere.
LIVE_RANGES: Mapping[str, Callable[[Parameters], LiveRange]] = {
    "ReLU": lambda settings: LiveRange(0.0),
    "relu": lambda settings: LiveRange(0.0),
    "ReLU6": lambda settings: LiveRange(0.0, 6.0),
    "Hardtanh": lambda settings: LiveRange(settings["min_val"], settings["max_val"]),
    "Hardsigmoid": lambda settings: LiveRange(0.0, 1.0),
    "Hardswish": lambda settings: _around(0.0),
    "Softshrink": lambda settings: _around(0.0),
    "Hardshrink": lambda settings: _around(0.0),
    "Threshold": lambda settings: _around(settings["value"]),
    "Sigmoid": lambda settings: LiveRange(MARGIN, 1 - MARGIN),
    "sigmoid": lambda settings: LiveRange(MARGIN, 1 - MARGIN),
    "Tanh": lambda settings: LiveRange(MARGIN - 1, 1 - MARGIN),
    "tanh": lambda settings: LiveRange(MARGIN - 1, 1 - MARGIN),
    "ELU": lambda settings: _above_floor(settings["alpha"]),
    "CELU": lambda settings: _above_floor(settings["alpha"]),
    "SELU": lambda settings: _above_floor(SELU_BOUND),
    "GELU": lambda settings: _around(0.0, MARGIN),
    "SiLU": lambda settings: _around(0.0, MARGIN),
    "Mish": lambda settings: _around(0.0, MARGIN),
}


def unit_axes(blueprint: Blueprint) -> dict[str, int]:
    """Return the axis of the units of every node's output.

    It is 1 behind a convolution, a pooling, or a normalisation of channels, also through activations, dropout and
    elementwise operations, which keep the axis of their first input; and otherwise the last.
    """
    axes: dict[str, int] = {}
    for node in blueprint.nodes:
        if node.kind.startswith(CHANNEL_PREFIXES) or node.kind in BACKBONES:
            axes[node.id] = CHANNELS
        elif node.kind in AXIS_PRESERVING and node.inputs:
            axes[node.id] = axes.get(node.inputs[0].partition(".")[0], FEATURES)
        else:
            axes[node.id] = FEATURES
    return axes
