"""Elementwise operations: each value of the output depends on one value of each input."""

from typing import Literal

from app.spec.base import Finite, NonNegative, Positive, Probability, Scalar
from app.spec.kinds import Kind, KindTable
from app.spec.network.operations.fields import OperationDtype, two_tensors


def _elementwise(sentence: str) -> Kind:
    return Kind(sentence, shapes="* → *")


def _binary(sentence: str) -> Kind:
    return Kind(
        sentence + " The second operand is a second input or the number `scalar`.",
        {"scalar": (Scalar | None, None)},
        (1, 2),
        "*, * → broadcast",
        {"scalar": 2.0},
    )


def _comparison(sentence: str) -> Kind:
    return Kind(
        sentence + " The second operand is a second input or the number `scalar`.",
        {"scalar": (Scalar | None, None)},
        (1, 2),
        "*, * → bool, broadcast",
        {"scalar": 0.5},
    )


ELEMENTWISE: KindTable = {
    "add": _binary("a + b."),
    "sub": _binary("a - b."),
    "mul": _binary("a b, element by element."),
    "div": _binary("a / b."),
    "pow": _binary("a to the power b."),
    "maximum": two_tensors("The larger of two values."),
    "minimum": two_tensors("The smaller of two values."),
    "remainder": _binary("The remainder of a / b, with the sign of b."),
    "fmod": _binary("The remainder of a / b, with the sign of a."),
    "atan2": two_tensors("The angle of the point (b, a)."),
    "hypot": two_tensors("√(a² + b²)."),
    "logaddexp": two_tensors("log(eᵃ + eᵇ)."),
    "xlogy": _binary("a log b, and zero where a is zero."),
    "lerp": Kind("a + weight (b - a); the third input is the weight.", {}, (3, 3), "*, *, * → broadcast"),
    "gt": _comparison("a > b."),
    "ge": _comparison("a ≥ b."),
    "lt": _comparison("a < b."),
    "le": _comparison("a ≤ b."),
    "eq": _comparison("a = b."),
    "ne": _comparison("a ≠ b."),
    "logical_and": Kind("Whether both are true.", {}, (2, 2), "*, * → bool, broadcast"),
    "logical_or": Kind("Whether one is true.", {}, (2, 2), "*, * → bool, broadcast"),
    "logical_xor": two_tensors("Whether exactly one is true.", "*, * → bool, broadcast"),
    "logical_not": Kind("Whether it is not true.", shapes="* → bool"),
    "where": Kind(
        "The second input where the first, a bool, is true, else the third.", {}, (3, 3), "bool *, *, * → broadcast"
    ),
    "neg": _elementwise("-x."),
    "abs": _elementwise("|x|."),
    "exp": _elementwise("eˣ."),
    "log": _elementwise("The natural logarithm."),
    "sqrt": _elementwise("The square root."),
    "square": _elementwise("x²."),
    "sin": _elementwise("The sine."),
    "cos": _elementwise("The cosine."),
    "sigmoid": _elementwise("1 / (1 + e⁻ˣ)."),
    "tanh": _elementwise("The hyperbolic tangent."),
    "relu": _elementwise("max(0, x)."),
    "reciprocal": _elementwise("1 / x."),
    "rsqrt": _elementwise("1 / √x."),
    "exp2": _elementwise("2ˣ."),
    "expm1": _elementwise("eˣ - 1, exact near zero."),
    "log2": _elementwise("The logarithm to base 2."),
    "log10": _elementwise("The logarithm to base 10."),
    "log1p": _elementwise("log(1 + x), exact near zero."),
    "logit": Kind("log(x / (1 - x)).", {"eps": (Probability | None, None)}, shapes="* → *", example={"eps": 0.01}),
    "tan": _elementwise("The tangent."),
    "asin": _elementwise("The inverse sine."),
    "acos": _elementwise("The inverse cosine."),
    "atan": _elementwise("The inverse tangent."),
    "sinh": _elementwise("The hyperbolic sine."),
    "cosh": _elementwise("The hyperbolic cosine."),
    "asinh": _elementwise("The inverse hyperbolic sine."),
    "acosh": _elementwise("The inverse hyperbolic cosine."),
    "atanh": _elementwise("The inverse hyperbolic tangent."),
    "sinc": _elementwise("sin(πx) / (πx)."),
    "erf": _elementwise("The error function."),
    "erfc": _elementwise("1 - erf(x)."),
    "erfinv": _elementwise("The inverse error function."),
    "lgamma": _elementwise("The logarithm of the gamma function."),
    "digamma": _elementwise("The derivative of lgamma."),
    "floor": _elementwise("The largest integer not above x."),
    "ceil": _elementwise("The smallest integer not below x."),
    "round": _elementwise("The nearest integer, half to even."),
    "trunc": _elementwise("x without its fraction."),
    "frac": _elementwise("The fraction of x."),
    "sign": _elementwise("-1, 0 or 1."),
    "isnan": _elementwise("Whether it is not a number."),
    "isinf": _elementwise("Whether it is infinite."),
    "isfinite": _elementwise("Whether it is finite."),
    "nan_to_num": Kind(
        "Replaces NaN and infinities.",
        {"nan": (Finite | None, None), "posinf": (Finite | None, None), "neginf": (Finite | None, None)},
        shapes="* → *",
    ),
    "gelu": Kind("x Φ(x).", {"approximate": (Literal["none", "tanh"], "none")}, shapes="* → *"),
    "silu": _elementwise("x sigmoid(x)."),
    "leaky_relu": Kind(
        "x, or a small multiple of it below zero.", {"negative_slope": (NonNegative, 0.01)}, shapes="* → *"
    ),
    "elu": Kind("x, or alpha (eˣ - 1) below zero.", {"alpha": (Finite, 1.0)}, shapes="* → *"),
    "softplus": Kind(
        "log(1 + e^(beta x)) / beta.", {"beta": (Positive, 1.0), "threshold": (Positive, 20.0)}, shapes="* → *"
    ),
    "to": Kind(
        "The same values in another dtype.", {"dtype": OperationDtype}, shapes="* → *", example={"dtype": "float32"}
    ),
    "clamp": Kind(
        "x limited to an interval.",
        {"min": (Finite | None, None), "max": (Finite | None, None)},
        shapes="* → *",
        example={"min": 0.0, "max": 1.0},
    ),
    "masked_fill": Kind(
        "`value` where the second input, a bool, is true, else the first.",
        {"value": Scalar},
        (2, 2),
        "*, bool * → *",
        {"value": 0.0},
    ),
    "stop_gradient": Kind("The same value, through which no gradient flows.", shapes="* → *"),
}
