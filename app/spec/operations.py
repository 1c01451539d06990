"""The operation kinds: tensor functions, and the leaves of raw autograd (`Parameter`, `Buffer`, `Constant`).

Dimensions count as in torch: dimension 0 is the batch. In `reshape`, 0 keeps a dimension (as ONNX has it).
"""

from typing import Annotated, Any

from pydantic import Field

from app.spec.base import Finite, NotNegative, Part, Positive, Size
from app.spec.kinds import Kind, Table, classes, closed_union

Dim = Annotated[int, Field(strict=True, ge=-64, le=64)]
Dims = Dim | Annotated[tuple[Dim, ...], Field(min_length=1, max_length=64)]
Index = Annotated[int, Field(strict=True, ge=-(2**31), le=2**31 - 1)]
Shape = Annotated[tuple[Size, ...], Field(max_length=16)]
NewShape = Annotated[tuple[Annotated[int, Field(strict=True, ge=-1, le=2**31 - 1)], ...], Field(max_length=16)]

MANY = 1024

INITIALISERS: Table = {
    "zeros": Kind("All zeros."),
    "ones": Kind("All ones."),
    "constant": Kind("One value everywhere.", {"value": Finite}, example={"value": 0.5}),
    "normal": Kind("Normal, with mean and standard deviation.", {"mean": (Finite, 0.0), "std": (NotNegative, 1.0)}),
    "uniform": Kind("Uniform between two bounds.", {"low": (Finite, 0.0), "high": (Finite, 1.0)}),
    "xavier_uniform": Kind("Glorot and Bengio (2010), uniform.", {"gain": (Positive, 1.0)}),
    "xavier_normal": Kind("Glorot and Bengio (2010), normal.", {"gain": (Positive, 1.0)}),
    "kaiming_uniform": Kind("He et al. (2015), uniform, for rectifiers."),
    "kaiming_normal": Kind("He et al. (2015), normal, for rectifiers."),
    "orthogonal": Kind("Saxe et al. (2013): an orthogonal matrix.", {"gain": (Positive, 1.0)}),
}
INITIALISER_CLASSES = classes(INITIALISERS, Part)
Initialiser: Any = closed_union(INITIALISER_CLASSES)
_NORMAL = INITIALISER_CLASSES["normal"](kind="normal", std=0.02)  # type: ignore[call-arg]
_ZEROS = INITIALISER_CLASSES["zeros"](kind="zeros")  # type: ignore[call-arg]

Nested = Finite | list[Finite] | list[list[Finite]] | list[list[list[Finite]]]


def _elementwise(sentence: str) -> Kind:
    return Kind(sentence, shapes="* → *")


def _binary(sentence: str) -> Kind:
    return Kind(sentence + " The second operand is a second input or the number `scalar`.",
                {"scalar": (Finite | None, None)}, (1, 2), "*, * → broadcast", {"scalar": 2.0})  # fmt: skip


def _comparison(sentence: str) -> Kind:
    return Kind(sentence + " The second operand is a second input or the number `scalar`.",
                {"scalar": (Finite | None, None)}, (1, 2), "*, * → bool, broadcast", {"scalar": 0.5})  # fmt: skip


def _reduction(sentence: str) -> Kind:
    return Kind(sentence, {"dim": (Dims | None, None), "keepdim": (bool, False)}, shapes="* → without dim",
                example={"dim": 1})  # fmt: skip


OPERATIONS: Table = {
    "add": _binary("a + b."),
    "sub": _binary("a - b."),
    "mul": _binary("a b, element by element."),
    "div": _binary("a / b."),
    "pow": _binary("a to the power b."),
    "maximum": Kind("The larger of two values.", {}, (2, 2), "*, * → broadcast"),
    "minimum": Kind("The smaller of two values.", {}, (2, 2), "*, * → broadcast"),
    "matmul": Kind("The matrix product.", {}, (2, 2), "(*, n, m), (*, m, p) → (*, n, p)"),
    "gt": _comparison("a > b."),
    "ge": _comparison("a ≥ b."),
    "lt": _comparison("a < b."),
    "le": _comparison("a ≤ b."),
    "eq": _comparison("a = b."),
    "ne": _comparison("a ≠ b."),
    "logical_and": Kind("Whether both are true.", {}, (2, 2), "*, * → bool, broadcast"),
    "logical_or": Kind("Whether one is true.", {}, (2, 2), "*, * → bool, broadcast"),
    "logical_not": Kind("Whether it is not true.", shapes="* → bool"),
    "any": Kind("Whether something is true.", {"dim": (Dims | None, None), "keepdim": (bool, False)},
                shapes="* → bool, without dim", example={"dim": 1}),
    "all": Kind("Whether everything is true.", {"dim": (Dims | None, None), "keepdim": (bool, False)},
                shapes="* → bool, without dim", example={"dim": 1}),
    "where": Kind("The second input where the first, a bool, is true, else the third.", {}, (3, 3),
                  "bool *, *, * → broadcast"),
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
    "clamp": Kind("x limited to an interval.", {"min": (Finite | None, None), "max": (Finite | None, None)},
                  shapes="* → *", example={"min": 0.0, "max": 1.0}),
    "softmax": Kind("Exponentials that sum to one along `dim`.", {"dim": (Dim, -1)}, shapes="* → *"),
    "log_softmax": Kind("The logarithm of the softmax along `dim`.", {"dim": (Dim, -1)}, shapes="* → *"),
    "mean": _reduction("The mean over dimensions."),
    "sum": _reduction("The sum over dimensions."),
    "amax": _reduction("The largest value over dimensions."),
    "amin": _reduction("The smallest value over dimensions."),
    "cat": Kind("Joins tensors along a dimension.", {"dim": (Dim, 1)}, (2, MANY), "(N, a), (N, b) → (N, a + b)"),
    "stack": Kind("Joins tensors along a new dimension.", {"dim": (Dim, 1)}, (2, MANY), "(N, F), k times, → (N, k, F)"),
    "reshape": Kind("Gives the tensor another shape: -1 is what is left, 0 keeps the dimension.", {"shape": NewShape},
                    shapes="* → shape", example={"shape": [0, -1]}),
    "flatten": Kind("Joins the dimensions from `start_dim` to `end_dim`.",
                    {"start_dim": (Dim, 1), "end_dim": (Dim, -1)}, shapes="(N, *) → (N, F)"),
    "permute": Kind("Reorders all dimensions.", {"dims": tuple[Dim, ...]}, shapes="* → reordered",
                    example={"dims": [0, 2, 1]}),
    "transpose": Kind("Swaps two dimensions.", {"dim0": Dim, "dim1": Dim}, shapes="* → swapped",
                      example={"dim0": 1, "dim1": 2}),
    "squeeze": Kind("Drops a dimension of size one.", {"dim": Dim}, shapes="(N, 1, *) → (N, *)", example={"dim": 1}),
    "unsqueeze": Kind("Adds a dimension of size one.", {"dim": Dim}, shapes="(N, *) → (N, 1, *)", example={"dim": 1}),
    "select": Kind("One slice along a dimension.", {"dim": Dim, "index": Index}, shapes="(N, L, *) → (N, *)",
                   example={"dim": 1, "index": 0}),
    "narrow": Kind("A stretch of a dimension.", {"dim": Dim, "start": Index, "length": Size},
                   shapes="(N, L, *) → (N, length, *)", example={"dim": 1, "start": 0, "length": 2}),
    "stop_gradient": Kind("The same value, through which no gradient flows.", shapes="* → *"),
}  # fmt: skip

LEAVES: Table = {
    "Parameter": Kind("A trainable tensor.", {"shape": Shape, "init": (Initialiser, _NORMAL)}, (0, 0), "→ shape",
                      {"shape": [4, 2]}),
    "Buffer": Kind("A tensor that is saved but not trained.", {"shape": Shape, "init": (Initialiser, _ZEROS)}, (0, 0),
                   "→ shape", {"shape": [4, 2]}),
    "Constant": Kind("A number, or nested lists of numbers.", {"value": Nested}, (0, 0), "→ the value's shape",
                     {"value": [1.0, 2.0]}),
}  # fmt: skip
