"""Operations along dimensions: reductions, cumulative operations, sorting, and norms."""

from typing import Annotated, Any

from pydantic import Field

from app.spec.base import Count, Finite, Positive, Size
from app.spec.kinds import Kind, KindTable
from app.spec.network.fields import Dim, Dims
from app.spec.network.operations.fields import two_tensors

DiffOrder = Annotated[int, Field(strict=True, ge=1, le=64)]
_STATISTIC = {"dim": (Dims | None, None), "correction": (Count, 1), "keepdim": (bool, False)}
_KEEPDIM = {"keepdim": (bool, False)}


def _reduction(sentence: str) -> Kind:
    return Kind(
        sentence, {"dim": (Dims | None, None), "keepdim": (bool, False)}, shapes="* → without dim", example={"dim": 1}
    )


def _along_dim(sentence: str, shapes: str = "* → *", **fields: Any) -> Kind:
    return Kind(sentence, {"dim": Dim, **fields}, shapes=shapes, example={"dim": 1})


def _values_and_indices(sentence: str, shapes: str, example: dict[str, Any], **fields: Any) -> Kind:
    """Values and where they stood: two outputs."""
    return Kind(
        sentence, fields, shapes=f"* → values and indices, {shapes}", example=example, outputs=("values", "indices")
    )


REDUCTIONS: KindTable = {
    "any": Kind(
        "Whether something is true.",
        {"dim": (Dims | None, None), "keepdim": (bool, False)},
        shapes="* → bool, without dim",
        example={"dim": 1},
    ),
    "all": Kind(
        "Whether everything is true.",
        {"dim": (Dims | None, None), "keepdim": (bool, False)},
        shapes="* → bool, without dim",
        example={"dim": 1},
    ),
    "softmax": Kind("Exponentials that sum to one along `dim`.", {"dim": (Dim, -1)}, shapes="* → *"),
    "log_softmax": Kind("The logarithm of the softmax along `dim`.", {"dim": (Dim, -1)}, shapes="* → *"),
    "mean": _reduction("The mean over dimensions."),
    "sum": _reduction("The sum over dimensions."),
    "amax": _reduction("The largest value over dimensions."),
    "amin": _reduction("The smallest value over dimensions."),
    "prod": _along_dim("The product along a dimension.", "* → without dim", **_KEEPDIM),
    "std": Kind("The standard deviation over dimensions.", _STATISTIC, shapes="* → without dim", example={"dim": 1}),
    "var": Kind("The variance over dimensions.", _STATISTIC, shapes="* → without dim", example={"dim": 1}),
    "logsumexp": Kind(
        "The logarithm of the sum of exponentials.",
        {"dim": Dims, **_KEEPDIM},
        shapes="* → without dim",
        example={"dim": 1},
    ),
    "vector_norm": Kind(
        "The norm over dimensions.",
        {"ord": (Finite, 2.0), "dim": (Dims | None, None), **_KEEPDIM},
        shapes="* → without dim",
        example={"dim": 1},
    ),
    "count_nonzero": Kind(
        "The number of values that are not zero.",
        {"dim": (Dims | None, None)},
        shapes="* → integers, without dim",
        example={"dim": 1},
    ),
    "argmax": _along_dim("The index of the largest value.", "* → integers, without dim", **_KEEPDIM),
    "argmin": _along_dim("The index of the smallest value.", "* → integers, without dim", **_KEEPDIM),
    "argsort": _along_dim("The indices that sort the values.", "* → integers *", descending=(bool, False)),
    "cumsum": _along_dim("The sum up to each place."),
    "cumprod": _along_dim("The product up to each place."),
    "logcumsumexp": _along_dim("The logarithm of the sum of exponentials up to each place."),
    "cummax": _values_and_indices("The largest value up to each place.", "as the input", {"dim": 1}, dim=Dim),
    "cummin": _values_and_indices("The smallest value up to each place.", "as the input", {"dim": 1}, dim=Dim),
    "topk": _values_and_indices(
        "The k largest values, in order.", "k along dim", {"k": 2}, k=Size, dim=(Dim, -1), largest=(bool, True)
    ),
    "sort": _values_and_indices(
        "The values in order.", "as the input", {}, dim=(Dim, -1), descending=(bool, False), stable=(bool, True)
    ),
    "median": _values_and_indices("The lower median.", "without dim", {"dim": 1}, dim=Dim, **_KEEPDIM),
    "mode": _values_and_indices("The most frequent value.", "without dim", {}, dim=(Dim, -1), **_KEEPDIM),
    "kthvalue": _values_and_indices(
        "The k-th smallest value.", "without dim", {"k": 1}, k=Size, dim=(Dim, -1), **_KEEPDIM
    ),
    "diff": Kind(
        "Differences of neighbours, `n` times.", {"n": (DiffOrder, 1), "dim": (Dim, -1)}, shapes="* → n fewer"
    ),
    "trapezoid": Kind("The integral along a dimension, by trapezoids.", {"dim": (Dim, -1)}, shapes="* → without dim"),
    "normalize": Kind(
        "Divides by the norm along `dim`.",
        {"p": (Positive, 2.0), "dim": (Dim, 1), "eps": (Positive, 1e-12)},
        shapes="* → *",
    ),
    "cosine_similarity": two_tensors(
        "The cosine of the angle between vectors.", "*, * → without dim", dim=(Dim, 1), eps=(Positive, 1e-8)
    ),
    "pairwise_distance": two_tensors(
        "The norm of the difference along the last dimension.",
        "*, * → without the last",
        p=(Positive, 2.0),
        eps=(Positive, 1e-6),
        keepdim=(bool, False),
    ),
}
