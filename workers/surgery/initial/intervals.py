"""Which numbers a value can be: an interval for every value of a network, in evaluation."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import inf
from types import MappingProxyType

from workers.network.blueprint import Parameters
from workers.network.inference.partial_network import InferredNode, PartialNetwork

Interval = tuple[float, float]

ANY: Interval = (-inf, inf)
NON_NEGATIVE: Interval = (0.0, inf)
UNIT: Interval = (0.0, 1.0)
NO_INTERVALS: Mapping[str, Interval] = MappingProxyType({})

_FRACTIONS = "Sigmoid Hardsigmoid Softmax Softmin Softmax2d sigmoid softmax one_hot length_mask"
_SIGNED_FRACTIONS = "Tanh Softsign tanh sin cos erf sign"
_NON_NEGATIVE = "Softplus softplus abs exp exp2 sqrt square vector_norm count_nonzero"
_WITHIN_INPUTS = """
    Identity Flatten Unflatten Dropout Dropout1d Dropout2d Dropout3d VariationalDropout MaxPool1d MaxPool2d MaxPool3d
    AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveAvgPool3d AdaptiveMaxPool1d AdaptiveMaxPool2d AdaptiveMaxPool3d
    ReflectionPad1d ReflectionPad2d ReflectionPad3d ReplicationPad1d ReplicationPad2d ReplicationPad3d CircularPad1d
    CircularPad2d CircularPad3d UpsamplingNearest2d UpsamplingBilinear2d ChannelShuffle PixelShuffle PixelUnshuffle
    cat stack reshape flatten permute transpose squeeze unsqueeze select narrow expand tile repeat_interleave roll
    flip movedim mean amax amin maximum minimum stop_gradient
"""
_WITHIN_INPUTS_OR_ZERO = "AvgPool1d AvgPool2d AvgPool3d ZeroPad1d ZeroPad2d ZeroPad3d"

# Kind → the interval of its output, whatever its inputs are.
FIXED_INTERVALS: Mapping[str, Interval] = {
    **dict.fromkeys(_FRACTIONS.split(), UNIT),
    **dict.fromkeys(_SIGNED_FRACTIONS.split(), (-1.0, 1.0)),
    **dict.fromkeys(_NON_NEGATIVE.split(), NON_NEGATIVE),
    **dict.fromkeys(("LogSoftmax", "LogSigmoid", "log_softmax"), (-inf, 0.0)),
    "ReLU6": (0.0, 6.0),
}


def value_intervals(network: PartialNetwork, inputs: Mapping[str, Interval] = NO_INTERVALS) -> dict[str, Interval]:
    """Return the interval of each node's first output by its id, and those of some inputs by name.

    What is missing may be any number.
    """
    return _Intervals().network(network, inputs)


class _Intervals:
    """Computes intervals; a body that is used twice on equal ones is looked at once."""

    def __init__(self) -> None:
        self._blocks: dict[tuple[int, Interval], Interval] = {}

    def network(self, network: PartialNetwork, inputs: Mapping[str, Interval]) -> dict[str, Interval]:
        """Return the intervals of a network, or of a body."""
        intervals = dict(inputs)
        for trace in network.nodes:
            sources = [intervals.get(name, ANY) for name in trace.node.inputs]
            intervals[trace.node.id] = self._node(trace, sources)
        return intervals

    def _node(self, trace: InferredNode, inputs: Sequence[Interval]) -> Interval:
        kind, parameters = trace.node.kind, trace.node.parameters
        if kind in FIXED_INTERVALS:
            return FIXED_INTERVALS[kind]
        if kind in COMPUTED_INTERVALS and inputs:
            return COMPUTED_INTERVALS[kind](parameters, inputs)
        if kind != "block" or len(inputs) != 1:
            return ANY
        body = trace.bodies["name"].network
        key = (id(body), inputs[0])
        if key not in self._blocks:
            inner = self.network(body, {body.blueprint.inputs[0]: inputs[0]})
            self._blocks[key] = inner.get(next(iter(body.blueprint.outputs.values())), ANY)
        return self._blocks[key]


def _within_inputs(parameters: Parameters, inputs: Sequence[Interval]) -> Interval:
    return _hull(inputs)


def _within_inputs_or_zero(parameters: Parameters, inputs: Sequence[Interval]) -> Interval:
    return _hull([*inputs, (0.0, 0.0)])


def _hull(intervals: Iterable[Interval]) -> Interval:
    lows, highs = zip(*intervals, strict=True)
    return min(lows), max(highs)


def _rectified(parameters: Parameters, inputs: Sequence[Interval]) -> Interval:
    low, high = inputs[0]
    return max(low, 0.0), max(high, 0.0)


def _clipped(low: str, high: str) -> Callable[[Parameters, Sequence[Interval]], Interval]:
    def interval(parameters: Parameters, inputs: Sequence[Interval]) -> Interval:
        least = -inf if parameters[low] is None else float(parameters[low])
        most = inf if parameters[high] is None else float(parameters[high])
        return min(max(inputs[0][0], least), most), max(min(inputs[0][1], most), least)

    return interval


def _sum(parameters: Parameters, inputs: Sequence[Interval]) -> Interval:
    if len(inputs) < 2:
        shift = float(parameters["scalar"] or 0.0)
        return inputs[0][0] + shift, inputs[0][1] + shift
    return sum(low for low, _ in inputs), sum(high for _, high in inputs)


def _product(parameters: Parameters, inputs: Sequence[Interval]) -> Interval:
    return NON_NEGATIVE if len(inputs) == 2 and all(low >= 0 for low, _ in inputs) else ANY


# Kind → the interval of its output as a function of those of its inputs.
COMPUTED_INTERVALS: Mapping[str, Callable[[Parameters, Sequence[Interval]], Interval]] = {
    **dict.fromkeys(_WITHIN_INPUTS.split(), _within_inputs),
    **dict.fromkeys(_WITHIN_INPUTS_OR_ZERO.split(), _within_inputs_or_zero),
    "ReLU": _rectified,
    "relu": _rectified,
    "Hardtanh": _clipped("min_val", "max_val"),
    "clamp": _clipped("min", "max"),
    "add": _sum,
    "mul": _product,
}
