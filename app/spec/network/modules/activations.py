"""Activation functions."""

from typing import Literal

from app.spec.base import Finite, NonNegative, Positive, Size
from app.spec.kinds import Kind, KindTable
from app.spec.network.fields import SPATIAL_SHAPES, Dim
from app.spec.network.modules.fields import shape_preserving

ACTIVATIONS: KindTable = {
    "ReLU": shape_preserving("max(0, x)."),
    "ReLU6": shape_preserving("min(max(0, x), 6)."),
    "LeakyReLU": shape_preserving("x, or a small multiple of it below zero.", negative_slope=(Finite, 0.01)),
    "PReLU": shape_preserving(
        "x, or a learned multiple of it below zero.", num_parameters=(Size, 1), init=(Finite, 0.25)
    ),
    "ELU": shape_preserving("x, or alpha (eˣ - 1) below zero.", alpha=(Finite, 1.0)),
    "SELU": shape_preserving("The self-normalising ELU."),
    "CELU": shape_preserving("The continuously differentiable ELU.", alpha=(Positive, 1.0)),
    "GELU": shape_preserving("x Φ(x).", approximate=(Literal["none", "tanh"], "none")),
    "SiLU": shape_preserving("x sigmoid(x)."),
    "Mish": shape_preserving("x tanh(softplus(x))."),
    "Sigmoid": shape_preserving("1 / (1 + e⁻ˣ)."),
    "Tanh": shape_preserving("The hyperbolic tangent."),
    "Softplus": shape_preserving("log(1 + e^(beta x)) / beta.", beta=(Positive, 1.0), threshold=(Finite, 20.0)),
    "Softsign": shape_preserving("x / (1 + |x|)."),
    "Softmax": shape_preserving("Exponentials that sum to one along `dim`.", dim=(Dim, -1)),
    "Softmin": shape_preserving("The softmax of -x along `dim`.", dim=(Dim, -1)),
    "LogSoftmax": shape_preserving("The logarithm of the softmax along `dim`.", dim=(Dim, -1)),
    "LogSigmoid": shape_preserving("The logarithm of the sigmoid."),
    "Hardtanh": shape_preserving("x clipped to an interval.", min_val=(Finite, -1.0), max_val=(Finite, 1.0)),
    "Hardsigmoid": shape_preserving("A piecewise linear sigmoid."),
    "Hardswish": shape_preserving("x times the hard sigmoid."),
    "Tanhshrink": shape_preserving("x - tanh(x)."),
    "Softshrink": shape_preserving("x moved towards zero by `lambd`.", lambd=(NonNegative, 0.5)),
    "Hardshrink": shape_preserving("x, or zero where |x| is small.", lambd=(NonNegative, 0.5)),
    "Threshold": Kind(
        "x, or `value` where x is below `threshold`.",
        {"threshold": Finite, "value": Finite},
        example={"threshold": 0.1, "value": 0.0},
    ),
    "RReLU": shape_preserving(
        "x, or a multiple of it below zero, which is random while training.",
        lower=(NonNegative, 1 / 8),
        upper=(NonNegative, 1 / 3),
    ),
    "Softmax2d": Kind(
        "Exponentials of the channels that sum to one at every pixel.", shapes=f"{SPATIAL_SHAPES[2]} → the same"
    ),
    "GLU": Kind(
        "The first half times the sigmoid of the second half.", {"dim": (Dim, -1)}, shapes="(N, *, 2F) → (N, *, F)"
    ),
}
