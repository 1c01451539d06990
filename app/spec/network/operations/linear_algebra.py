"""Operations on vectors and matrices, and attention."""

from typing import Annotated, Literal

from pydantic import Field

from app.spec.base import Count, NonNegative, Positive, Size
from app.spec.kinds import Kind, KindTable
from app.spec.network.fields import SPATIAL_SHAPES, Dim, per_dimension
from app.spec.network.operations.fields import two_tensors

Equation = Annotated[str, Field(pattern=r"^[A-Za-z., ]{1,200}(->[A-Za-z. ]{0,100})?$")]


def _convolution(d: int) -> Kind:
    size, count = per_dimension(d, Size), per_dimension(d, Count)
    fields = {
        "stride": (size, 1),
        "padding": (count | Literal["same", "valid"], 0),
        "dilation": (size, 1),
        "groups": (Size, 1),
    }
    return Kind(
        f"A {d}-d convolution with weights that other nodes compute or share.",
        fields,
        (2, 3),
        f"{SPATIAL_SHAPES[d]}, (out, C / groups, kernel) [, (out)] → channels out",
        {"padding": 1},
    )


LINEAR_ALGEBRA: KindTable = {
    "matmul": Kind("The matrix product.", {}, (2, 2), "(*, n, m), (*, m, p) → (*, n, p)"),
    "linear": Kind(
        "y = x Wᵀ + b over the last dimension, with weights that other nodes compute or share.",
        {},
        (2, 3),
        "(N, *, in), (out, in) [, (out)] → (N, *, out)",
    ),
    **{f"conv{d}d": _convolution(d) for d in (1, 2, 3)},
    "bmm": two_tensors("The matrix product of each example.", "(N, n, m), (N, m, p) → (N, n, p)"),
    "baddbmm": Kind(
        "The first input and the matrix product of the others, for each example.",
        {},
        (3, 3),
        "(N, n, p), (N, n, m), (N, m, p) → (N, n, p)",
    ),
    "einsum": Kind(
        'Products summed over indices, as the equation says; give N a letter: "nij,njk->nik".',
        {"equation": Equation},
        (1, 16),
        "* → as the equation says",
        {"equation": "nij->nji"},
    ),
    "outer": two_tensors("Every product of two vectors of an example.", "(N, a), (N, b) → (N, a, b)"),
    "vecdot": two_tensors("The sum of products along a dimension.", "*, * → without dim", dim=(Dim, -1)),
    "cross": two_tensors("The vector product along a dimension of size 3.", "(*, 3), (*, 3) → (*, 3)", dim=(Dim, -1)),
    "cdist": two_tensors(
        "The distance of every row to every other.", "(N, P, M), (N, R, M) → (N, P, R)", p=(NonNegative, 2.0)
    ),
    "det": Kind("The determinant.", shapes="(*, n, n) → *"),
    "inv": Kind("The inverse of a matrix.", shapes="(*, n, n) → (*, n, n)"),
    "matrix_exp": Kind("The exponential of a matrix.", shapes="(*, n, n) → (*, n, n)"),
    "solve": two_tensors("x of A x = b.", "A (*, n, n), b (*, n, k) → (*, n, k)"),
    "diagonal": Kind(
        "The diagonal of two dimensions.",
        {"offset": (Dim, 0), "dim1": (Dim, 0), "dim2": (Dim, 1)},
        shapes="(*, n, n) → (*, n)",
        example={"dim1": 1, "dim2": 2},
    ),
    "diag_embed": Kind("A matrix with this diagonal.", shapes="(*, n) → (*, n, n)"),
    "tril": Kind("The lower triangle, zero above.", {"diagonal": (Dim, 0)}, shapes="* → *"),
    "triu": Kind("The upper triangle, zero below.", {"diagonal": (Dim, 0)}, shapes="* → *"),
    "scaled_dot_product_attention": Kind(
        "Attention of query, key and value, and a mask: a bool, or numbers that are added to the scores.",
        {"is_causal": (bool, False), "scale": (Positive | None, None)},
        (3, 4),
        "(N, *, L, E), (N, *, S, E), (N, *, S, V) → (N, *, L, V)",
    ),
}
