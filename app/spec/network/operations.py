"""The operation kinds: tensor functions.

Dimensions count as in torch: dimension 0 is the batch. In `reshape`, 0 keeps a dimension (as ONNX has it).
"""

from typing import Annotated, Any, Literal

from pydantic import Field

from app.spec.base import Count, Finite, NonNegative, Positive, Probability, Scalar, Size
from app.spec.kinds import Kind, KindTable
from app.spec.network.sequence_operations import SEQUENCE_OPERATIONS

Dim = Annotated[int, Field(strict=True, ge=-64, le=64)]
DimTuple = Annotated[tuple[Dim, ...], Field(min_length=1, max_length=64)]
Dims = Dim | DimTuple
Index = Annotated[int, Field(strict=True, ge=-(2**31), le=2**31 - 1)]
PadAmount = Annotated[int, Field(strict=True, ge=-(2**20), le=2**20)]
TensorShape = Annotated[tuple[Size, ...], Field(max_length=16)]
NewShape = Annotated[tuple[Annotated[int, Field(strict=True, ge=-1, le=2**31 - 1)], ...], Field(max_length=16)]

RepeatCounts = Annotated[tuple[Size, ...], Field(min_length=1, max_length=16)]
DiffOrder = Annotated[int, Field(strict=True, ge=1, le=64)]
Equation = Annotated[str, Field(pattern=r"^[A-Za-z., ]{1,200}(->[A-Za-z. ]{0,100})?$")]
OperationDtype = Literal["float32", "int64", "bool"]

MAX_INPUTS = 1024


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


def _reduction(sentence: str) -> Kind:
    return Kind(
        sentence, {"dim": (Dims | None, None), "keepdim": (bool, False)}, shapes="* → without dim", example={"dim": 1}
    )


def _along_dim(sentence: str, shapes: str = "* → *", **fields: Any) -> Kind:
    return Kind(sentence, {"dim": Dim, **fields}, shapes=shapes, example={"dim": 1})


def _two_tensors(sentence: str, shapes: str = "*, * → broadcast", **fields: Any) -> Kind:
    return Kind(sentence, fields, (2, 2), shapes)


def _values_and_indices(sentence: str, shapes: str, example: dict[str, Any], **fields: Any) -> Kind:
    """Values and where they stood: two outputs."""
    return Kind(
        sentence, fields, shapes=f"* → values and indices, {shapes}", example=example, outputs=("values", "indices")
    )


def _creation(sentence: str, **fields: Any) -> Kind:
    return Kind(
        sentence + " As many rows, and on the same device, as the input.",
        {"shape": TensorShape, **fields},
        shapes="(N, *) → (N, *shape)",
        example={"shape": [3]},
    )


_STATISTIC = {"dim": (Dims | None, None), "correction": (Count, 1), "keepdim": (bool, False)}
_KEEPDIM = {"keepdim": (bool, False)}

_ELEMENTWISE: KindTable = {
    "add": _binary("a + b."),
    "sub": _binary("a - b."),
    "mul": _binary("a b, element by element."),
    "div": _binary("a / b."),
    "pow": _binary("a to the power b."),
    "maximum": _two_tensors("The larger of two values."),
    "minimum": _two_tensors("The smaller of two values."),
    "remainder": _binary("What is left of a after division by b, with the sign of b."),
    "fmod": _binary("What is left of a after division by b, with the sign of a."),
    "atan2": _two_tensors("The angle of the point (b, a)."),
    "hypot": _two_tensors("√(a² + b²)."),
    "logaddexp": _two_tensors("log(eᵃ + eᵇ)."),
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
    "logical_xor": _two_tensors("Whether exactly one is true.", "*, * → bool, broadcast"),
    "logical_not": Kind("Whether it is not true.", shapes="* → bool"),
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
    "floor": _elementwise("The largest whole number not above x."),
    "ceil": _elementwise("The smallest whole number not below x."),
    "round": _elementwise("The nearest whole number."),
    "trunc": _elementwise("x without its fraction."),
    "frac": _elementwise("The fraction of x."),
    "sign": _elementwise("-1, 0 or 1."),
    "isnan": _elementwise("Whether it is not a number."),
    "isinf": _elementwise("Whether it is infinite."),
    "isfinite": _elementwise("Whether it is finite."),
    "nan_to_num": Kind(
        "Replaces what is not finite.",
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
        "The same values as another type.", {"dtype": OperationDtype}, shapes="* → *", example={"dtype": "float32"}
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
}

_REDUCTION: KindTable = {
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
        "How many are not zero.", {"dim": (Dims | None, None)}, shapes="* → integers, without dim", example={"dim": 1}
    ),
    "argmax": _along_dim("Where the largest value is.", "* → integers, without dim", **_KEEPDIM),
    "argmin": _along_dim("Where the smallest value is.", "* → integers, without dim", **_KEEPDIM),
    "argsort": _along_dim("The order of the values.", "* → integers *", descending=(bool, False)),
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
    "cosine_similarity": _two_tensors(
        "The cosine of the angle between vectors.", "*, * → without dim", dim=(Dim, 1), eps=(Positive, 1e-8)
    ),
    "pairwise_distance": _two_tensors(
        "The norm of the difference along the last dimension.",
        "*, * → without the last",
        p=(Positive, 2.0),
        eps=(Positive, 1e-6),
        keepdim=(bool, False),
    ),
}

_ALGEBRA: KindTable = {
    "matmul": Kind("The matrix product.", {}, (2, 2), "(*, n, m), (*, m, p) → (*, n, p)"),
    "bmm": _two_tensors("The matrix product of each example.", "(N, n, m), (N, m, p) → (N, n, p)"),
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
    "outer": _two_tensors("Every product of two vectors of an example.", "(N, a), (N, b) → (N, a, b)"),
    "vecdot": _two_tensors("The sum of products along a dimension.", "*, * → without dim", dim=(Dim, -1)),
    "cross": _two_tensors("The vector product along a dimension of size 3.", "(*, 3), (*, 3) → (*, 3)", dim=(Dim, -1)),
    "cdist": _two_tensors(
        "The distance of every row to every other.", "(N, P, M), (N, R, M) → (N, P, R)", p=(NonNegative, 2.0)
    ),
    "det": Kind("The determinant.", shapes="(*, n, n) → *"),
    "inv": Kind("The inverse of a matrix.", shapes="(*, n, n) → (*, n, n)"),
    "matrix_exp": Kind("The exponential of a matrix.", shapes="(*, n, n) → (*, n, n)"),
    "solve": _two_tensors("x of A x = b.", "A (*, n, n), b (*, n, k) → (*, n, k)"),
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

_SHAPE: KindTable = {
    "cat": Kind("Joins tensors along a dimension.", {"dim": (Dim, 1)}, (2, MAX_INPUTS), "(N, a), (N, b) → (N, a + b)"),
    "stack": Kind(
        "Joins tensors along a new dimension.", {"dim": (Dim, 1)}, (2, MAX_INPUTS), "(N, F), k times, → (N, k, F)"
    ),
    "reshape": Kind(
        "Gives the tensor another shape: -1 is what is left, 0 keeps the dimension.",
        {"shape": NewShape},
        shapes="* → shape",
        example={"shape": [0, -1]},
    ),
    "flatten": Kind(
        "Joins the dimensions from `start_dim` to `end_dim`.",
        {"start_dim": (Dim, 1), "end_dim": (Dim, -1)},
        shapes="(N, *) → (N, F)",
    ),
    "permute": Kind(
        "Reorders all dimensions.", {"dims": tuple[Dim, ...]}, shapes="* → reordered", example={"dims": [0, 2, 1]}
    ),
    "transpose": Kind(
        "Swaps two dimensions.", {"dim0": Dim, "dim1": Dim}, shapes="* → swapped", example={"dim0": 1, "dim1": 2}
    ),
    "squeeze": Kind("Drops a dimension of size one.", {"dim": Dim}, shapes="(N, 1, *) → (N, *)", example={"dim": 1}),
    "unsqueeze": Kind("Adds a dimension of size one.", {"dim": Dim}, shapes="(N, *) → (N, 1, *)", example={"dim": 1}),
    "select": Kind(
        "One slice along a dimension.",
        {"dim": Dim, "index": Index},
        shapes="(N, L, *) → (N, *)",
        example={"dim": 1, "index": 0},
    ),
    "narrow": Kind(
        "A stretch of a dimension.",
        {"dim": Dim, "start": Index, "length": Size},
        shapes="(N, L, *) → (N, length, *)",
        example={"dim": 1, "start": 0, "length": 2},
    ),
    "expand": Kind(
        "Repeats dimensions of size one: -1 keeps a dimension.",
        {"size": NewShape},
        shapes="(N, 1) → size",
        example={"size": [-1, 4, 6]},
    ),
    "tile": Kind(
        "Repeats the tensor along its last dimensions.",
        {"dims": RepeatCounts},
        shapes="(*, n) → (*, n d)",
        example={"dims": [2]},
    ),
    "repeat_interleave": Kind(
        "Repeats every item of a dimension.",
        {"repeats": Size, "dim": Dim},
        shapes="(N, L, *) → (N, L r, *)",
        example={"repeats": 2, "dim": 1},
    ),
    "roll": Kind(
        "Moves items along dimensions, round the end.",
        {"shifts": Index, "dims": Dim},
        shapes="* → *",
        example={"shifts": 1, "dims": 1},
    ),
    "flip": Kind("Reverses dimensions.", {"dims": DimTuple}, shapes="* → *", example={"dims": [1]}),
    "movedim": Kind(
        "Moves a dimension to another place.",
        {"source": Dim, "destination": Dim},
        shapes="* → moved",
        example={"source": 1, "destination": 2},
    ),
    "windows": Kind(
        "Every window along a dimension; its values come last.",
        {"dimension": Dim, "size": Size, "step": Size},
        shapes="(N, L, *) → (N, windows, *, size)",
        example={"dimension": 1, "size": 2, "step": 1},
    ),
    "pad": Kind(
        "Pads, from the last dimension on: two numbers for each.",
        {
            "pad": Annotated[tuple[PadAmount, ...], Field(min_length=2, max_length=16)],
            "mode": (Literal["constant", "reflect", "replicate", "circular"], "constant"),
            "value": (Finite | None, None),
        },
        shapes="* → larger",
        example={"pad": [1, 1]},
    ),
    "interpolate": Kind(
        "Resizes sequences, images or volumes.",
        {
            "size": (Size | TensorShape | None, None),
            "scale_factor": (Positive | None, None),
            "mode": (
                Literal["nearest", "linear", "bilinear", "bicubic", "trilinear", "area", "nearest-exact"],
                "nearest",
            ),
        },
        shapes="(N, C, *) → (N, C, size)",
        example={"size": 12},
    ),
    "index_select": Kind(
        "Items of a dimension, named by the second input.",
        {"dim": Dim},
        (2, 2),
        "(N, L, *), integers (K) → (N, K, *)",
        {"dim": 1},
    ),
    "gather": Kind(
        "An item of a dimension for each place of the second input.",
        {"dim": Dim},
        (2, 2),
        "*, integers * → as the integers",
        {"dim": 1},
    ),
    "take_along_dim": Kind(
        "As gather, and the other dimensions are broadcast.",
        {"dim": Dim},
        (2, 2),
        "*, integers * → as the integers",
        {"dim": 1},
    ),
    "scatter_add": Kind(
        "Adds the third input at the places that the second names.",
        {"dim": Dim},
        (3, 3),
        "*, integers *, * → *",
        {"dim": 1},
    ),
    "one_hot": Kind(
        "A one at the place of each integer, zeros elsewhere.",
        {"num_classes": Size},
        shapes="integers * → integers (*, num_classes)",
        example={"num_classes": 5},
    ),
    "arange": Kind(
        "0, 1, 2, … along a dimension of the input: positions.",
        {"dim": (Dim, 1), "dtype": (OperationDtype, "int64")},
        shapes="(N, L, *) → (L)",
    ),
    "zeros": _creation("Zeros, for example what Scan carries first.", dtype=(OperationDtype, "float32")),
    "ones": _creation("Ones.", dtype=(OperationDtype, "float32")),
    "full": _creation("A number everywhere.", value=(Finite, 0.0)),
    "zeros_like": Kind("Zeros, as many as the input has.", shapes="* → *"),
    "ones_like": Kind("Ones, as many as the input has.", shapes="* → *"),
    "rand": _creation("Random numbers, uniform between 0 and 1."),
    "randn": _creation("Random numbers, normal."),
    "rand_like": Kind("Random numbers, uniform between 0 and 1, as many as the input has.", shapes="* → *"),
    "randn_like": Kind("Random numbers, normal, as many as the input has.", shapes="* → *"),
    "bernoulli": Kind("One with the input's probability, else zero; no gradient.", shapes="* → *"),
    "stop_gradient": Kind("The same value, through which no gradient flows.", shapes="* → *"),
}

OPERATIONS: KindTable = {**_ELEMENTWISE, **_REDUCTION, **_ALGEBRA, **_SHAPE, **SEQUENCE_OPERATIONS}
