"""Leaves: `Parameter`, `Buffer` and `Constant`, and the initialisers that fill tensors."""

from typing import Any, Literal

from app.spec.base import Finite, NonNegative, Positive, Probability, Size
from app.spec.kinds import Kind, KindModel, KindTable, create_kind_models, discriminated_union
from app.spec.network.fields import TensorShape

_KAIMING = {
    "a": (Finite, 0.0),
    "mode": (Literal["fan_in", "fan_out"], "fan_in"),
    "nonlinearity": (Literal["leaky_relu", "relu", "linear", "sigmoid", "tanh", "selu"], "leaky_relu"),
}
INITIALISERS: KindTable = {
    "zeros": Kind("All zeros."),
    "ones": Kind("All ones."),
    "constant": Kind("One value everywhere.", {"value": Finite}, example={"value": 0.5}),
    "normal": Kind("Normal, with mean and standard deviation.", {"mean": (Finite, 0.0), "std": (NonNegative, 1.0)}),
    "uniform": Kind("Uniform between two bounds.", {"low": (Finite, 0.0), "high": (Finite, 1.0)}),
    "xavier_uniform": Kind("Glorot and Bengio (2010), uniform.", {"gain": (Positive, 1.0)}),
    "xavier_normal": Kind("Glorot and Bengio (2010), normal.", {"gain": (Positive, 1.0)}),
    "kaiming_uniform": Kind("He et al. (2015), uniform, for rectifiers.", _KAIMING),
    "kaiming_normal": Kind("He et al. (2015), normal, for rectifiers.", _KAIMING),
    "trunc_normal": Kind(
        "Normal, drawn anew outside two bounds.",
        {"mean": (Finite, 0.0), "std": (Positive, 1.0), "low": (Finite, -2.0), "high": (Finite, 2.0)},
    ),
    "eye": Kind("The identity matrix."),
    "dirac": Kind("A convolution that computes its input.", {"groups": (Size, 1)}),
    "sparse": Kind(
        "Martens (2010): a share of every column is zero, the others are normal.",
        {"sparsity": Probability, "std": (Positive, 0.01)},
        example={"sparsity": 0.5},
    ),
    "orthogonal": Kind("Saxe et al. (2013): an orthogonal matrix.", {"gain": (Positive, 1.0)}),
}
INITIALISER_CLASSES = create_kind_models(INITIALISERS, KindModel)
Initialiser: Any = discriminated_union(INITIALISER_CLASSES)
_NORMAL = INITIALISER_CLASSES["normal"](kind="normal", std=0.02)  # type: ignore[call-arg]
_ZEROS = INITIALISER_CLASSES["zeros"](kind="zeros")

NestedFloats = Finite | list[Finite] | list[list[Finite]] | list[list[list[Finite]]]

LEAVES: KindTable = {
    "Parameter": Kind(
        "A trainable tensor.",
        {"shape": TensorShape, "init": (Initialiser, _NORMAL)},
        (0, 0),
        "→ shape",
        {"shape": [4, 2]},
    ),
    "Buffer": Kind(
        "A tensor that is saved but not trained.",
        {"shape": TensorShape, "init": (Initialiser, _ZEROS)},
        (0, 0),
        "→ shape",
        {"shape": [4, 2]},
    ),
    "Constant": Kind(
        "A number, or nested lists of numbers.",
        {"value": NestedFloats},
        (0, 0),
        "→ the value's shape",
        {"value": [1.0, 2.0]},
    ),
}
