"""Operations that create a tensor, as large as the input or with as many rows: constants, positions, random numbers."""

from typing import Any

from app.spec.base import Finite
from app.spec.kinds import Kind, KindTable
from app.spec.network.fields import Dim, TensorShape
from app.spec.network.operations.fields import OperationDtype


def _creation(sentence: str, **fields: Any) -> Kind:
    return Kind(
        sentence + " As many rows, and on the same device, as the input.",
        {"shape": TensorShape, **fields},
        shapes="(N, *) → (N, *shape)",
        example={"shape": [3]},
    )


CREATION: KindTable = {
    "arange": Kind(
        "0, 1, 2, … along a dimension of the input: positions.",
        {"dim": (Dim, 1), "dtype": (OperationDtype, "int64")},
        shapes="(N, L, *) → (L)",
    ),
    "zeros": _creation("Zeros, for example the initial carry of Scan.", dtype=(OperationDtype, "float32")),
    "ones": _creation("Ones.", dtype=(OperationDtype, "float32")),
    "full": _creation("A number everywhere.", value=(Finite, 0.0)),
    "zeros_like": Kind("Zeros, as many as the input has.", shapes="* → *"),
    "ones_like": Kind("Ones, as many as the input has.", shapes="* → *"),
    "rand": _creation("Random numbers, uniform between 0 and 1."),
    "randn": _creation("Random numbers, normal."),
    "rand_like": Kind("Random numbers, uniform between 0 and 1, as many as the input has.", shapes="* → *"),
    "randn_like": Kind("Random numbers, normal, as many as the input has.", shapes="* → *"),
    "bernoulli": Kind("One with the input's probability, else zero; no gradient.", shapes="* → *"),
}
