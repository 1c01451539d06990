"""The functions, operators and methods of torch that the language has, with their kinds and defaults."""

import operator
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any

from graftwerk.tracing.functions.operator_schema import REQUIRED, FieldDefaults, OperatorSchema

_DIMS: tuple[FieldDefaults, ...] = (("dim", None, None), ("keepdim", False, False))
_DIM: FieldDefaults = ("dim", REQUIRED, -1)
_REQUIRED_DIM_KEEPDIM: tuple[FieldDefaults, ...] = (("dim", REQUIRED, REQUIRED), ("keepdim", False, False))
_REQUIRED_DIM: tuple[FieldDefaults, ...] = (("dim", REQUIRED, REQUIRED),)
_ELEMENTWISE = """
    neg abs exp log sqrt square sin cos sigmoid tanh relu reciprocal rsqrt exp2 expm1 log2 log10 log1p tan asin acos
    atan sinh cosh asinh acosh atanh sinc erf erfc erfinv lgamma digamma floor ceil round trunc frac sign isnan isinf
    isfinite
"""
_WINDOW: tuple[FieldDefaults, ...] = (("kernel_size", REQUIRED, REQUIRED), ("stride", None, None), ("padding", 0, 0))
_MAX_POOL = (*_WINDOW, ("dilation", 1, 1), ("ceil_mode", False, False))
_AVERAGE_POOL = (*_WINDOW, ("ceil_mode", False, False), ("count_include_pad", True, True))
_SIZE: tuple[FieldDefaults, ...] = (("output_size", REQUIRED, REQUIRED),)
_DROPOUT_RATE: tuple[FieldDefaults, ...] = (("p", 0.5, 0.5),)


def _binary(kind: str) -> OperatorSchema:
    return OperatorSchema(kind, 2, allows_scalars=True)


# Functions of `torch`, and methods of tensors of the same names.
TORCH_FUNCTIONS: Mapping[str, OperatorSchema] = {
    "add": _binary("add"),
    "sub": _binary("sub"),
    "subtract": _binary("sub"),
    "mul": _binary("mul"),
    "multiply": _binary("mul"),
    "div": _binary("div"),
    "divide": _binary("div"),
    "true_divide": _binary("div"),
    "pow": _binary("pow"),
    "gt": _binary("gt"),
    "ge": _binary("ge"),
    "lt": _binary("lt"),
    "le": _binary("le"),
    "eq": _binary("eq"),
    "ne": _binary("ne"),
    "maximum": OperatorSchema("maximum", 2),
    "minimum": OperatorSchema("minimum", 2),
    "matmul": OperatorSchema("matmul", 2),
    "mm": OperatorSchema("matmul", 2),
    "bmm": OperatorSchema("matmul", 2),
    "logical_and": OperatorSchema("logical_and", 2),
    "logical_or": OperatorSchema("logical_or", 2),
    "logical_not": OperatorSchema("logical_not"),
    "any": OperatorSchema("any", fields=_DIMS),
    "all": OperatorSchema("all", fields=_DIMS),
    "logical_xor": OperatorSchema("logical_xor", 2),
    **{name: OperatorSchema(name) for name in _ELEMENTWISE.split()},
    "negative": OperatorSchema("neg"),
    "absolute": OperatorSchema("abs"),
    "selu": OperatorSchema("SELU"),
    "clamp": OperatorSchema("clamp", fields=(("min", None, None), ("max", None, None))),
    "softmax": OperatorSchema("softmax", fields=(_DIM,)),
    "log_softmax": OperatorSchema("log_softmax", fields=(_DIM,)),
    "mean": OperatorSchema("mean", fields=_DIMS),
    "sum": OperatorSchema("sum", fields=_DIMS),
    "amax": OperatorSchema("amax", fields=_DIMS),
    "amin": OperatorSchema("amin", fields=_DIMS),
    "prod": OperatorSchema("prod", fields=_REQUIRED_DIM_KEEPDIM),
    "logsumexp": OperatorSchema("logsumexp", fields=_REQUIRED_DIM_KEEPDIM),
    "argmax": OperatorSchema("argmax", fields=_REQUIRED_DIM_KEEPDIM),
    "argmin": OperatorSchema("argmin", fields=_REQUIRED_DIM_KEEPDIM),
    "cumsum": OperatorSchema("cumsum", fields=_REQUIRED_DIM),
    "cumprod": OperatorSchema("cumprod", fields=_REQUIRED_DIM),
    "tril": OperatorSchema("tril", fields=(("diagonal", 0, 0),)),
    "triu": OperatorSchema("triu", fields=(("diagonal", 0, 0),)),
    "outer": OperatorSchema("outer", 2),
    "baddbmm": OperatorSchema("baddbmm", 3),
    "cdist": OperatorSchema("cdist", 2, (("p", 2.0, 2.0),)),
    "flip": OperatorSchema("flip", fields=(("dims", REQUIRED, REQUIRED),), is_variadic=True),
    "roll": OperatorSchema("roll", fields=(("shifts", REQUIRED, REQUIRED), ("dims", REQUIRED, REQUIRED))),
    "repeat_interleave": OperatorSchema(
        "repeat_interleave", fields=(("repeats", REQUIRED, REQUIRED), ("dim", REQUIRED, REQUIRED))
    ),
    "zeros_like": OperatorSchema("zeros_like"),
    "ones_like": OperatorSchema("ones_like"),
    "rand_like": OperatorSchema("rand_like"),
    "randn_like": OperatorSchema("randn_like"),
    "cat": OperatorSchema("cat", fields=(("dim", 0, 1),), takes_list=True),
    "concat": OperatorSchema("cat", fields=(("dim", 0, 1),), takes_list=True),
    "stack": OperatorSchema("stack", fields=(("dim", 0, 1),), takes_list=True),
    "unflatten": OperatorSchema(
        "Unflatten", fields=(("dim", REQUIRED, REQUIRED), ("unflattened_size", REQUIRED, REQUIRED))
    ),
    "permute": OperatorSchema("permute", fields=(("dims", REQUIRED, REQUIRED),), is_variadic=True),
    "transpose": OperatorSchema("transpose", fields=(("dim0", REQUIRED, REQUIRED), ("dim1", REQUIRED, REQUIRED))),
    "swapaxes": OperatorSchema("transpose", fields=(("dim0", REQUIRED, REQUIRED), ("dim1", REQUIRED, REQUIRED))),
    "unsqueeze": OperatorSchema("unsqueeze", fields=(("dim", REQUIRED, REQUIRED),)),
    "select": OperatorSchema("select", fields=(("dim", REQUIRED, REQUIRED), ("index", REQUIRED, REQUIRED))),
    "narrow": OperatorSchema(
        "narrow", fields=(("dim", REQUIRED, REQUIRED), ("start", REQUIRED, REQUIRED), ("length", REQUIRED, REQUIRED))
    ),
    "concatenate": OperatorSchema("cat", fields=(("dim", 0, 1),), takes_list=True),
    "clip": OperatorSchema("clamp", fields=(("min", None, None), ("max", None, None))),
    "clamp_min": OperatorSchema("clamp", fields=(("min", REQUIRED, None), ("max", None, None))),
    "clamp_max": OperatorSchema("clamp", fields=(("max", REQUIRED, None), ("min", None, None))),
    "swapdims": OperatorSchema("transpose", fields=(("dim0", REQUIRED, REQUIRED), ("dim1", REQUIRED, REQUIRED))),
    "movedim": OperatorSchema("movedim", fields=(("source", REQUIRED, REQUIRED), ("destination", REQUIRED, REQUIRED))),
    "moveaxis": OperatorSchema("movedim", fields=(("source", REQUIRED, REQUIRED), ("destination", REQUIRED, REQUIRED))),
    "tile": OperatorSchema("tile", fields=(("dims", REQUIRED, REQUIRED),), is_variadic=True),
    "remainder": _binary("remainder"),
    "fmod": _binary("fmod"),
    "atan2": OperatorSchema("atan2", 2),
    "hypot": OperatorSchema("hypot", 2),
    "logaddexp": OperatorSchema("logaddexp", 2),
    "lerp": OperatorSchema("lerp", 3),
    "diff": OperatorSchema("diff", fields=(("n", 1, 1), ("dim", -1, -1))),
    "count_nonzero": OperatorSchema("count_nonzero", fields=(("dim", None, None),)),
    "argsort": OperatorSchema("argsort", fields=(("dim", REQUIRED, REQUIRED), ("descending", False, False))),
    "logcumsumexp": OperatorSchema("logcumsumexp", fields=_REQUIRED_DIM),
    "diag_embed": OperatorSchema("diag_embed"),
    "bernoulli": OperatorSchema("bernoulli"),
    "nan_to_num": OperatorSchema(
        "nan_to_num", fields=(("nan", None, None), ("posinf", None, None), ("neginf", None, None))
    ),
    "detach": OperatorSchema("stop_gradient"),
    "pixel_shuffle": OperatorSchema("PixelShuffle", fields=(("upscale_factor", REQUIRED, REQUIRED),)),
    "pixel_unshuffle": OperatorSchema("PixelUnshuffle", fields=(("downscale_factor", REQUIRED, REQUIRED),)),
}

# Functions of `torch.nn.functional`.
NN_FUNCTIONS: Mapping[str, OperatorSchema] = {
    "relu": OperatorSchema("relu"),
    "sigmoid": OperatorSchema("sigmoid"),
    "tanh": OperatorSchema("tanh"),
    "softmax": OperatorSchema("softmax", fields=(_DIM,)),
    "log_softmax": OperatorSchema("log_softmax", fields=(_DIM,)),
    "softmin": OperatorSchema("Softmin", fields=(_DIM,)),
    "gelu": OperatorSchema("GELU", fields=(("approximate", "none", "none"),)),
    "relu6": OperatorSchema("ReLU6"),
    "leaky_relu": OperatorSchema("LeakyReLU", fields=(("negative_slope", 0.01, 0.01),)),
    "elu": OperatorSchema("ELU", fields=(("alpha", 1.0, 1.0),)),
    "selu": OperatorSchema("SELU"),
    "celu": OperatorSchema("CELU", fields=(("alpha", 1.0, 1.0),)),
    "silu": OperatorSchema("SiLU"),
    "mish": OperatorSchema("Mish"),
    "softplus": OperatorSchema("Softplus", fields=(("beta", 1.0, 1.0), ("threshold", 20.0, 20.0))),
    "softsign": OperatorSchema("Softsign"),
    "logsigmoid": OperatorSchema("LogSigmoid"),
    "hardtanh": OperatorSchema("Hardtanh", fields=(("min_val", -1.0, -1.0), ("max_val", 1.0, 1.0))),
    "hardsigmoid": OperatorSchema("Hardsigmoid"),
    "hardswish": OperatorSchema("Hardswish"),
    "tanhshrink": OperatorSchema("Tanhshrink"),
    "softshrink": OperatorSchema("Softshrink", fields=(("lambd", 0.5, 0.5),)),
    "hardshrink": OperatorSchema("Hardshrink", fields=(("lambd", 0.5, 0.5),)),
    "_threshold": OperatorSchema(
        "Threshold", fields=(("threshold", REQUIRED, REQUIRED), ("value", REQUIRED, REQUIRED))
    ),
    "glu": OperatorSchema("GLU", fields=(("dim", -1, -1),)),
    "dropout": OperatorSchema("Dropout", fields=_DROPOUT_RATE),
    "dropout1d": OperatorSchema("Dropout1d", fields=_DROPOUT_RATE),
    "dropout2d": OperatorSchema("Dropout2d", fields=_DROPOUT_RATE),
    "dropout3d": OperatorSchema("Dropout3d", fields=_DROPOUT_RATE),
    "alpha_dropout": OperatorSchema("AlphaDropout", fields=_DROPOUT_RATE),
    "max_pool1d": OperatorSchema("MaxPool1d", fields=_MAX_POOL),
    "max_pool2d": OperatorSchema("MaxPool2d", fields=_MAX_POOL),
    "max_pool3d": OperatorSchema("MaxPool3d", fields=_MAX_POOL),
    "avg_pool1d": OperatorSchema("AvgPool1d", fields=_AVERAGE_POOL),
    "avg_pool2d": OperatorSchema("AvgPool2d", fields=_AVERAGE_POOL),
    "avg_pool3d": OperatorSchema("AvgPool3d", fields=_AVERAGE_POOL),
    **{
        f"adaptive_{how}_pool{d}d": OperatorSchema(f"Adaptive{how.capitalize()}Pool{d}d", fields=_SIZE)
        for how in ("avg", "max")
        for d in (1, 2, 3)
    },
    "normalize": OperatorSchema("normalize", fields=(("p", 2.0, 2.0), ("dim", 1, 1), ("eps", 1e-12, 1e-12))),
    "cosine_similarity": OperatorSchema("cosine_similarity", 2, (("dim", 1, 1), ("eps", 1e-8, 1e-8))),
    "pairwise_distance": OperatorSchema(
        "pairwise_distance", 2, (("p", 2.0, 2.0), ("eps", 1e-6, 1e-6), ("keepdim", False, False))
    ),
    "pad": OperatorSchema(
        "pad", fields=(("pad", REQUIRED, REQUIRED), ("mode", "constant", "constant"), ("value", None, None))
    ),
    "one_hot": OperatorSchema("one_hot", fields=(("num_classes", REQUIRED, REQUIRED),)),
    "local_response_norm": OperatorSchema(
        "LocalResponseNorm",
        fields=(("size", REQUIRED, REQUIRED), ("alpha", 1e-4, 1e-4), ("beta", 0.75, 0.75), ("k", 1.0, 1.0)),
    ),
}
DROPOUT_KINDS = frozenset({"Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout"})

# Operators of Python, under their names in the module `operator`.
PYTHON_OPERATORS: Mapping[str, OperatorSchema] = {
    **{
        name: TORCH_FUNCTIONS[name]
        for name in ("add", "sub", "mul", "pow", "matmul", "neg", "abs", "gt", "ge", "lt", "le", "eq", "ne")
    },
    "truediv": TORCH_FUNCTIONS["div"],
    "mod": TORCH_FUNCTIONS["remainder"],
    "imod": TORCH_FUNCTIONS["remainder"],
    **{f"i{name}": TORCH_FUNCTIONS[name] for name in ("add", "sub", "mul", "pow", "matmul")},
    "itruediv": TORCH_FUNCTIONS["div"],
}

# Kind → the kind that computes the same with swapped operands.
REFLECTED_OPERATORS: Mapping[str, str] = {
    "add": "add",
    "mul": "mul",
    "eq": "eq",
    "ne": "ne",
    "gt": "lt",
    "lt": "gt",
    "ge": "le",
    "le": "ge",
}

# Kinds that take bools as they are, and kind → that which computes the same of bools alone.
BOOL_KINDS = frozenset(
    """
    logical_and logical_or logical_xor logical_not any all where masked_fill cat stack permute transpose squeeze
    unsqueeze select narrow tile roll flip repeat_interleave movedim stop_gradient zeros_like ones_like tril triu gather
    index_select take_along_dim diagonal Identity
    """.split()  # noqa: SIM905
)
KINDS_OF_BOOLS: Mapping[str, str] = {
    "mul": "logical_and",
    "minimum": "logical_and",
    "maximum": "logical_or",
    "add": "logical_or",
    "ne": "logical_xor",
    "amax": "any",
    "amin": "all",
}
COMPARISONS = frozenset({"gt", "ge", "lt", "le", "eq", "ne"})

# Methods and functions that return their tensor unchanged.
NO_OP_METHODS = frozenset({"contiguous", "clone", "cpu", "cuda", "requires_grad"})

# Operation without a kind → what to do instead.
UNSUPPORTED_HINTS: Mapping[str, str] = {
    "item": "keep the number a tensor",
    "tolist": "keep the numbers a tensor",
    "numpy": "use the functions of torch",
    "batch_norm": "use nn.BatchNorm1d, nn.BatchNorm2d or nn.BatchNorm3d",
}


def schemas_by_function(
    handled: Iterable[str], handled_operators: Iterable[str]
) -> dict[Callable[..., Any], OperatorSchema | None]:
    """Return the schemas by function of torch and Python; `None` for functions with a handler."""
    torch, functional, rnn = map(import_module, ("torch", "torch.nn.functional", "torch.nn.utils.rnn"))
    special: dict[str, OperatorSchema | None] = dict.fromkeys(handled)
    schemas: dict[Callable[..., Any], OperatorSchema | None] = {}
    for module, table in (
        (functional, NN_FUNCTIONS),
        (torch, TORCH_FUNCTIONS),
        (operator, PYTHON_OPERATORS),
        (torch, special),
        (functional, special),
        (rnn, special),
        (operator, dict.fromkeys(handled_operators)),
    ):
        names = set(dir(module)) & set(table)
        schemas |= {getattr(module, name): table[name] for name in names if callable(getattr(module, name))}
    return schemas
