"""Nodes that compute their input: which kinds can, with which settings, and why others cannot.

What is said holds in evaluation: dropout and batch statistics change values while a network is trained.
"""

import json
from collections.abc import Callable, Mapping
from math import inf
from typing import Any, NamedTuple

from workers.network.blueprint import Parameters
from workers.network.inference.input_checks import SYMBOLIC_BATCH_SIZE, describe_shape, to_tuple
from workers.network.inference.partial_network import InferredNode
from workers.surgery.initial.intervals import Interval

MAX_PLAIN_EPS = 1e-5  # of a normalisation without weights: it divides by √(1 + eps)


class Refusal(NamedTuple):
    """Why a node does not compute its input, and what to change."""

    detail: str
    hint: str


Rule = Callable[[InferredNode, Interval], Refusal | None]


def identity_refusal(trace: InferredNode, interval: Interval) -> Refusal | None:
    """Return why a node cannot compute its first input, whose values are in an interval; `None` if it can."""
    node = trace.node
    if node.parameters.get("parametrization") is not None:
        return Refusal(f"the weights of {node.id} are computed from others", 'use "init": "default"')
    rule = IDENTITIES.get(node.kind)
    if rule is None:
        return Refusal(f"{node.kind} does not compute its input, whatever its weights", _what_can(trace))
    if (refusal := rule(trace, interval)) is not None:
        return Refusal(refusal.detail, refusal.hint or _what_can(trace))
    if not trace.inputs or trace.inputs[0].shape != trace.output.shape or trace.inputs[0].dtype != trace.output.dtype:
        given = describe_shape(trace.inputs[0].shape) if trace.inputs else "nothing"
        detail = f"{node.id} makes {describe_shape(trace.output.shape)} of {given}"
        return Refusal(detail, _what_can(trace))
    return None


def _what_can(trace: InferredNode) -> str:
    """Return a node that can be inserted as identity in the place of one that cannot."""
    if not trace.inputs or not trace.inputs[0].is_floating_point():
        return 'use "init": "default"'
    shape = trace.inputs[0].shape
    size = shape[1] if len(shape) in (3, 4, 5) else shape[-1] if shape else SYMBOLIC_BATCH_SIZE
    node: dict[str, Any] = {"kind": "Identity"}
    if len(shape) == 2 and size != SYMBOLIC_BATCH_SIZE:
        node = {"kind": "Linear", "out_features": size}
    elif len(shape) in (3, 4, 5) and shape[0] == SYMBOLIC_BATCH_SIZE:
        node = {"kind": f"Conv{len(shape) - 2}d", "out_channels": size, "kernel_size": 3, "padding": 1}
    return f'use "init": "default", or a node that can, such as {json.dumps(node)}'


def _always(trace: InferredNode, interval: Interval) -> None:
    """Every node of the kind computes its input."""


def _same_shape(trace: InferredNode, interval: Interval) -> None:
    """The kind keeps the order of values, so that an equal shape means equal values."""


def _square(trace: InferredNode, interval: Interval) -> Refusal | None:
    have, need = trace.node.parameters["out_features"], trace.node.parameters["in_features"]
    if have != need:
        return Refusal(f"{trace.node.id} makes {have} features of {need}", f"set out_features to {need}")
    return None


def _convolution(trace: InferredNode, interval: Interval) -> Refusal | None:
    node, parameters = trace.node, trace.node.parameters
    have, need = parameters["out_channels"], parameters["in_channels"]
    if have != need:
        return Refusal(f"{node.id} makes {have} channels of {need}", f"set out_channels to {need}")
    count = trace.inputs[0].ndim - 2
    kernel, stride, dilation = (to_tuple(parameters[name], count) for name in ("kernel_size", "stride", "dilation"))
    if any(each != 1 for each in stride):
        return Refusal(f"{node.id} has stride {_plain(parameters['stride'])}, so it skips values", 'use "stride": 1')
    if any(each % 2 == 0 for each in kernel):
        odd = max(1, max(kernel) - 1)
        detail = f"a kernel of {_plain(parameters['kernel_size'])} has no middle"
        return Refusal(detail, f'use "kernel_size": {odd}, "padding": {odd // 2}')
    middle = tuple(spread * (width // 2) for spread, width in zip(dilation, kernel, strict=True))
    padding = parameters["padding"]
    if padding != "same" and to_tuple(0 if padding == "valid" else padding, count) != middle:
        same = middle[0] if len(set(middle)) == 1 else list(middle)
        return Refusal(f"{node.id} has padding {_plain(padding)}, so its output is moved", f'use "padding": {same}')
    if any(to_tuple(parameters.get("output_padding", 0), count)):
        return Refusal(f"{node.id} has output_padding", 'use "output_padding": 0')
    return None


def _running_statistics(trace: InferredNode, interval: Interval) -> Refusal | None:
    """Fresh statistics are those of a standardised input: mean 0, variance 1; the weights are √(1 + eps)."""
    parameters = trace.node.parameters
    if not parameters["track_running_stats"]:
        return Refusal(
            f"{trace.node.id} normalises by the statistics of the batch, also in evaluation",
            'use "track_running_stats": true',
        )
    if not parameters["affine"] and parameters["eps"] > MAX_PLAIN_EPS:
        detail = f"{trace.node.id} divides by √(1 + {parameters['eps']:g}) and has no weights that make up for it"
        return Refusal(detail, 'use "affine": true')
    return None


def _normalisation(trace: InferredNode, interval: Interval) -> Refusal:
    detail = f"{trace.node.kind} normalises every example, so that it does not compute its input whatever its weights"
    return Refusal(detail, "")


def _pre_norm(trace: InferredNode, interval: Interval) -> Refusal | None:
    if not trace.node.parameters["norm_first"]:
        return Refusal(f"{trace.node.id} normalises the sum with its input", 'use "norm_first": true')
    if trace.node.kind == "TransformerEncoderLayer" and len(trace.inputs) > 1:
        return Refusal(f"{trace.node.id} changes steps past the lengths", "leave the lengths out")
    return None


def _window_of_one(trace: InferredNode, interval: Interval) -> Refusal | None:
    parameters = trace.node.parameters
    window = (parameters["kernel_size"], parameters["stride"], parameters["padding"])
    if any(
        each not in allowed
        for part, allowed in zip(window, ((1,), (1, None), (0,)), strict=True)
        for each in (part if isinstance(part, tuple) else (part,))
    ):
        return Refusal(f"{trace.node.id} joins windows of {_plain(parameters['kernel_size'])}", "")
    return None


def _settings(**values: Any) -> Rule:
    """Return the rule that settings have certain values, one number or one each."""

    def rule(trace: InferredNode, interval: Interval) -> Refusal | None:
        for name, value in values.items():
            given = trace.node.parameters[name]
            if any(each != value for each in (given if isinstance(given, tuple) else (given,))):
                return Refusal(f"{trace.node.id} has {name} {_plain(given)}", f'use "{name}": {json.dumps(value)}')
        return None

    return rule


def _scalar(value: float) -> Rule:
    def rule(trace: InferredNode, interval: Interval) -> Refusal | None:
        if len(trace.inputs) != 1 or trace.node.parameters["scalar"] != value:
            return Refusal(
                f"{trace.node.kind} computes its input only with the scalar {value:g}", f'use "scalar": {value}'
            )
        return None

    return rule


def _groups(trace: InferredNode, interval: Interval) -> Refusal | None:
    groups, channels = trace.node.parameters["groups"], trace.inputs[0].shape[1]
    return None if groups in (1, channels) else Refusal(f"{trace.node.id} mixes the channels", 'use "groups": 1')


def _equal_settings(first: str, second: str) -> Rule:
    def rule(trace: InferredNode, interval: Interval) -> Refusal | None:
        parameters = trace.node.parameters
        same = parameters[first] == parameters[second]
        return None if same else Refusal(f"{trace.node.id} reorders dimensions", f"give {first} and {second} one value")

    return rule


def _sorted_dims(trace: InferredNode, interval: Interval) -> Refusal | None:
    dims, rank = trace.node.parameters["dims"], trace.inputs[0].ndim
    order = [each % rank for each in dims]
    return None if order == list(range(rank)) else Refusal(f"{trace.node.id} reorders dimensions", "")


def _within(low: float | str, high: float | str, free: Callable[[Parameters], bool] = lambda _: False) -> Rule:
    """Return the rule that inputs are in an interval, in which the kind computes them.

    A bound is a number, or the setting that holds it. `free` says with which settings the kind needs no bounds.
    """

    def rule(trace: InferredNode, interval: Interval) -> Refusal | None:
        parameters = trace.node.parameters
        bounds = [parameters[each] if isinstance(each, str) else each for each in (low, high)]
        least, most = (edge if bound is None else bound for bound, edge in zip(bounds, (-inf, inf), strict=True))
        if free(parameters) or (interval[0] >= least and interval[1] <= most):
            return None
        source = trace.node.inputs[0] if trace.node.inputs else "its input"
        limits = f"from {least:g} on" if most == inf else f"from {least:g} to {most:g}"
        detail = f"{trace.node.kind} computes its input only for numbers {limits}, and {source} may give others"
        hint = (
            f"insert it after a node that gives such numbers, such as {'ReLU' if most == inf else 'Sigmoid'}, or use "
        )
        return Refusal(detail, hint + '"init": "default"')

    return rule


def _plain(value: Any) -> str:
    return "x".join(map(str, value)) if isinstance(value, tuple) else str(value)


_POSITIVE = _within(0.0, inf)
_DROPOUTS = "Dropout Dropout1d Dropout2d Dropout3d AlphaDropout FeatureAlphaDropout VariationalDropout"
_NORMALISATIONS = "LayerNorm GroupNorm RMSNorm LocalResponseNorm"
IDENTITIES: Mapping[str, Rule] = {
    **dict.fromkeys(("Identity", "stop_gradient", "PReLU", *_DROPOUTS.split()), _always),
    "Linear": _square,
    **{f"Conv{transposed}{d}d": _convolution for d in (1, 2, 3) for transposed in ("", "Transpose")},
    **{f"{family}Norm{d}d": _running_statistics for d in (1, 2, 3) for family in ("Batch", "Instance")},
    **dict.fromkeys(_NORMALISATIONS.split(), _normalisation),
    **dict.fromkeys(("TransformerEncoderLayer", "TransformerDecoderLayer"), _pre_norm),
    **{f"{family}Pool{d}d": _window_of_one for d in (1, 2, 3) for family in ("Max", "Avg")},
    **{f"Adaptive{family}Pool{d}d": _same_shape for d in (1, 2, 3) for family in ("Max", "Avg")},
    **{
        f"{family}Pad{d}d": _settings(padding=0)
        for d in (1, 2, 3)
        for family in ("Zero", "Constant", "Reflection", "Replication", "Circular")
    },
    **dict.fromkeys(["Flatten", "Unflatten", "flatten", "reshape", "squeeze", "expand", "narrow"], _same_shape),
    **dict.fromkeys(["Upsample", "UpsamplingNearest2d", "UpsamplingBilinear2d"], _settings(scale_factor=1)),
    "PixelShuffle": _settings(upscale_factor=1),
    "PixelUnshuffle": _settings(downscale_factor=1),
    "ChannelShuffle": _groups,
    "pad": _settings(pad=0),
    "tile": _settings(dims=1),
    "repeat_interleave": _settings(repeats=1),
    "roll": _settings(shifts=0),
    "permute": _sorted_dims,
    "transpose": _equal_settings("dim0", "dim1"),
    "movedim": _equal_settings("source", "destination"),
    **dict.fromkeys(("add", "sub"), _scalar(0.0)),
    **dict.fromkeys(("mul", "div", "pow"), _scalar(1.0)),
    "to": _same_shape,
    **dict.fromkeys(("ReLU", "relu", "ELU", "elu", "CELU", "RReLU", "abs"), _POSITIVE),
    **dict.fromkeys(("LeakyReLU", "leaky_relu"), _within(0.0, inf, lambda each: bool(each["negative_slope"] == 1))),
    "ReLU6": _within(0.0, 6.0),
    "Hardtanh": _within("min_val", "max_val"),
    "clamp": _within("min", "max"),
    **dict.fromkeys(("Softshrink", "Hardshrink"), _settings(lambd=0.0)),
}
