"""Shapes and sizes of common modules by rule, since torch takes up to milliseconds for one on the meta device.

Without a rule, the module runs on the meta device. A test compares all rules with torch.
"""

from collections.abc import Callable, Mapping
from math import prod
from typing import NamedTuple

from workers.network.blueprint import Parameters, Shape
from workers.network.inference.costs import count_weights
from workers.network.inference.input_checks import to_tuple


class RuleResult(NamedTuple):
    """The output's shape, and the elements of parameters and buffers."""

    shape: Shape
    parameters: int = 0
    buffers: int = 0


ShapeRule = Callable[[str, Parameters, Shape], RuleResult | None]


def _unchanged(_kind: str, _parameters: Parameters, shape: Shape) -> RuleResult:
    return RuleResult(shape)


def _linear(kind: str, parameters: Parameters, shape: Shape) -> RuleResult:
    width = parameters["out_features"]
    return RuleResult((*shape[:-1], width), count_weights(kind, parameters) + width * parameters["bias"])


def _convolution(kind: str, parameters: Parameters, shape: Shape) -> RuleResult | None:
    count, padding = len(shape) - 2, parameters["padding"]
    kernel, stride, dilation = (to_tuple(parameters[name], count) for name in ("kernel_size", "stride", "dilation"))
    if parameters["padding_mode"] != "zeros" or (padding == "same" and set(stride) != {1}):
        return None
    room = shape[2:]
    if padding != "same":
        border = to_tuple(0 if padding == "valid" else padding, count)
        room = tuple(
            (size + 2 * edge - spread * (width - 1) - 1) // step + 1
            for size, edge, spread, width, step in zip(shape[2:], border, dilation, kernel, stride, strict=True)
        )
    if min(room) < 1:
        return None
    channels = parameters["out_channels"]
    return RuleResult((shape[0], channels, *room), count_weights(kind, parameters) + channels * parameters["bias"])


def _batch_norm(_kind: str, parameters: Parameters, shape: Shape) -> RuleResult:
    width = parameters["num_features"]
    buffers = 2 * width + 1 if parameters["track_running_stats"] else 0
    return RuleResult(shape, width * parameters["affine"] * (1 + parameters["bias"]), buffers)


def _instance_norm(kind: str, parameters: Parameters, shape: Shape) -> RuleResult | None:
    return _batch_norm(kind, parameters, shape) if prod(shape[2:]) > 1 else None


def _group_norm(_kind: str, parameters: Parameters, shape: Shape) -> RuleResult:
    return RuleResult(shape, parameters["num_channels"] * parameters["affine"] * (1 + parameters["bias"]))


def _layer_norm(_kind: str, parameters: Parameters, shape: Shape) -> RuleResult:
    size = prod(to_tuple(parameters["normalized_shape"], 1))
    return RuleResult(shape, size * parameters["elementwise_affine"] * (1 + parameters.get("bias", False)))


def _encoder(kind: str, parameters: Parameters, shape: Shape) -> RuleResult:
    width, inner = parameters["d_model"], parameters["dim_feedforward"]
    vectors = 2 * width + parameters["bias"] * (3 * width + width + inner + width + 2 * width)  # the norms' weights
    return RuleResult(shape, count_weights(kind, parameters) + vectors)


# Modules without parameters whose output has the shape of the input, whatever their parameters.
SHAPE_PRESERVING_MODULES = """
    Identity Dropout Dropout1d Dropout2d Dropout3d AlphaDropout FeatureAlphaDropout ReLU ReLU6 LeakyReLU ELU SELU CELU
    GELU SiLU Mish Sigmoid Tanh Softplus Softsign Softmax Softmin LogSoftmax LogSigmoid Hardsigmoid Hardswish Tanhshrink
    Softshrink Hardshrink Threshold
"""

SHAPE_RULES: Mapping[str, ShapeRule] = {
    **dict.fromkeys(SHAPE_PRESERVING_MODULES.split(), _unchanged),
    "Linear": _linear,
    **dict.fromkeys(("Conv1d", "Conv2d", "Conv3d"), _convolution),
    **dict.fromkeys(("BatchNorm1d", "BatchNorm2d", "BatchNorm3d"), _batch_norm),
    **dict.fromkeys(("InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d"), _instance_norm),
    "GroupNorm": _group_norm,
    **dict.fromkeys(("LayerNorm", "RMSNorm"), _layer_norm),
    "TransformerEncoderLayer": _encoder,
}

# Operations on one float input, or on one and a number, whose output has its shape and dtype.
POINTWISE_KINDS = frozenset(
    [
        "add",
        "sub",
        "mul",
        "div",
        "pow",
        "remainder",
        "neg",
        "abs",
        "exp",
        "exp2",
        "expm1",
        "log",
        "log2",
        "log10",
        "log1p",
        "sqrt",
        "rsqrt",
        "square",
        "reciprocal",
        "sin",
        "cos",
        "tan",
        "asin",
        "acos",
        "atan",
        "sinh",
        "cosh",
        "tanh",
        "asinh",
        "acosh",
        "atanh",
        "erf",
        "erfc",
        "sigmoid",
        "relu",
        "floor",
        "ceil",
        "round",
        "trunc",
        "frac",
        "sign",
        "softmax",
        "log_softmax",
        "clamp",
        "stop_gradient",
    ]
)


def apply_shape_rule(kind: str, parameters: Parameters, shape: Shape) -> RuleResult | None:
    """Return the result of a module with complete parameters; `None` if there is no rule."""
    return SHAPE_RULES[kind](kind, parameters, shape) if kind in SHAPE_RULES else None
