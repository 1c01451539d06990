"""Which functions, operators and methods of torch the language has, under which names and with which defaults."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from graftwerk.tracing.unsupported import Refusal

NEEDED: Any = object()  # the default of what has none
Field = tuple[str, Any, Any]  # torch's name, torch's default, the language's default


@dataclass(frozen=True)
class Form:
    """One row: a node of `kind` reads so many tensors, and has the fields that torch takes after them.

    `listed`: the tensors come as one list. `numeric`: one of two operands may be a number. `spread`: the values of the
    only field may come one by one.
    """

    kind: str
    tensors: int = 1
    fields: tuple[Field, ...] = ()
    listed: bool = False
    numeric: bool = False
    spread: bool = False


# What may be passed and has no field: the values that mean nothing is asked for; `...` for any value.
SILENT: Mapping[str, Any] = {
    "inplace": ..., "_stacklevel": ..., "memory_format": ..., "training": ..., "dtype": None, "out": None,
    "return_indices": False, "divisor_override": None, "rounding_mode": None, "alpha": 1,
}  # fmt: skip

_DIMS: tuple[Field, ...] = (("dim", None, None), ("keepdim", False, False))
_DIM: Field = ("dim", NEEDED, -1)
_KEPT: tuple[Field, ...] = (("dim", NEEDED, NEEDED), ("keepdim", False, False))
_ALONG: tuple[Field, ...] = (("dim", NEEDED, NEEDED),)
_SPREAD: tuple[Field, ...] = (("dim", None, None), ("correction", 1, 1), ("keepdim", False, False))
_ELEMENTWISE = """
    neg abs exp log sqrt square sin cos sigmoid tanh relu reciprocal rsqrt exp2 expm1 log2 log10 log1p tan asin acos
    atan sinh cosh asinh acosh atanh sinc erf erfc erfinv lgamma digamma floor ceil round trunc frac sign isnan isinf
    isfinite
"""
_WINDOW: tuple[Field, ...] = (("kernel_size", NEEDED, NEEDED), ("stride", None, None), ("padding", 0, 0))
_MAX = (*_WINDOW, ("dilation", 1, 1), ("ceil_mode", False, False))
_AVERAGE = (*_WINDOW, ("ceil_mode", False, False), ("count_include_pad", True, True))
_SIZE: tuple[Field, ...] = (("output_size", NEEDED, NEEDED),)
_RATE: tuple[Field, ...] = (("p", 0.5, 0.5),)


def _binary(kind: str) -> Form:
    return Form(kind, 2, numeric=True)


# Functions of `torch`, and methods of tensors of the same names.
TORCH: Mapping[str, Form] = {
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
    "maximum": Form("maximum", 2),
    "minimum": Form("minimum", 2),
    "matmul": Form("matmul", 2),
    "mm": Form("matmul", 2),
    "bmm": Form("matmul", 2),
    "logical_and": Form("logical_and", 2),
    "logical_or": Form("logical_or", 2),
    "logical_not": Form("logical_not"),
    "any": Form("any", fields=_DIMS),
    "all": Form("all", fields=_DIMS),
    "logical_xor": Form("logical_xor", 2),
    **{name: Form(name) for name in _ELEMENTWISE.split()},
    "negative": Form("neg"),
    "absolute": Form("abs"),
    "selu": Form("SELU"),
    "clamp": Form("clamp", fields=(("min", None, None), ("max", None, None))),
    "softmax": Form("softmax", fields=(_DIM,)),
    "log_softmax": Form("log_softmax", fields=(_DIM,)),
    "mean": Form("mean", fields=_DIMS),
    "sum": Form("sum", fields=_DIMS),
    "amax": Form("amax", fields=_DIMS),
    "amin": Form("amin", fields=_DIMS),
    "prod": Form("prod", fields=_KEPT),
    "logsumexp": Form("logsumexp", fields=_KEPT),
    "argmax": Form("argmax", fields=_KEPT),
    "argmin": Form("argmin", fields=_KEPT),
    "std": Form("std", fields=_SPREAD),
    "var": Form("var", fields=_SPREAD),
    "cumsum": Form("cumsum", fields=_ALONG),
    "cumprod": Form("cumprod", fields=_ALONG),
    "tril": Form("tril", fields=(("diagonal", 0, 0),)),
    "triu": Form("triu", fields=(("diagonal", 0, 0),)),
    "outer": Form("outer", 2),
    "baddbmm": Form("baddbmm", 3),
    "cdist": Form("cdist", 2, (("p", 2.0, 2.0),)),
    "masked_fill": Form("masked_fill", 2, (("value", NEEDED, NEEDED),)),
    "flip": Form("flip", fields=(("dims", NEEDED, NEEDED),), spread=True),
    "roll": Form("roll", fields=(("shifts", NEEDED, NEEDED), ("dims", NEEDED, NEEDED))),
    "repeat_interleave": Form("repeat_interleave", fields=(("repeats", NEEDED, NEEDED), ("dim", NEEDED, NEEDED))),
    "zeros_like": Form("zeros_like"),
    "ones_like": Form("ones_like"),
    "rand_like": Form("rand_like"),
    "randn_like": Form("randn_like"),
    "cat": Form("cat", fields=(("dim", 0, 1),), listed=True),
    "concat": Form("cat", fields=(("dim", 0, 1),), listed=True),
    "stack": Form("stack", fields=(("dim", 0, 1),), listed=True),
    "flatten": Form("flatten", fields=(("start_dim", 0, 1), ("end_dim", -1, -1))),
    "unflatten": Form("Unflatten", fields=(("dim", NEEDED, NEEDED), ("unflattened_size", NEEDED, NEEDED))),
    "permute": Form("permute", fields=(("dims", NEEDED, NEEDED),), spread=True),
    "transpose": Form("transpose", fields=(("dim0", NEEDED, NEEDED), ("dim1", NEEDED, NEEDED))),
    "swapaxes": Form("transpose", fields=(("dim0", NEEDED, NEEDED), ("dim1", NEEDED, NEEDED))),
    "squeeze": Form("squeeze", fields=(("dim", NEEDED, NEEDED),)),
    "unsqueeze": Form("unsqueeze", fields=(("dim", NEEDED, NEEDED),)),
    "select": Form("select", fields=(("dim", NEEDED, NEEDED), ("index", NEEDED, NEEDED))),
    "narrow": Form("narrow", fields=(("dim", NEEDED, NEEDED), ("start", NEEDED, NEEDED), ("length", NEEDED, NEEDED))),
    "detach": Form("stop_gradient"),
    "pixel_shuffle": Form("PixelShuffle", fields=(("upscale_factor", NEEDED, NEEDED),)),
    "pixel_unshuffle": Form("PixelUnshuffle", fields=(("downscale_factor", NEEDED, NEEDED),)),
}

# Functions of `torch.nn.functional`.
FUNCTIONAL: Mapping[str, Form] = {
    "relu": Form("relu"),
    "sigmoid": Form("sigmoid"),
    "tanh": Form("tanh"),
    "softmax": Form("softmax", fields=(_DIM,)),
    "log_softmax": Form("log_softmax", fields=(_DIM,)),
    "softmin": Form("Softmin", fields=(_DIM,)),
    "gelu": Form("GELU", fields=(("approximate", "none", "none"),)),
    "relu6": Form("ReLU6"),
    "leaky_relu": Form("LeakyReLU", fields=(("negative_slope", 0.01, 0.01),)),
    "elu": Form("ELU", fields=(("alpha", 1.0, 1.0),)),
    "selu": Form("SELU"),
    "celu": Form("CELU", fields=(("alpha", 1.0, 1.0),)),
    "silu": Form("SiLU"),
    "mish": Form("Mish"),
    "softplus": Form("Softplus", fields=(("beta", 1.0, 1.0), ("threshold", 20.0, 20.0))),
    "softsign": Form("Softsign"),
    "logsigmoid": Form("LogSigmoid"),
    "hardtanh": Form("Hardtanh", fields=(("min_val", -1.0, -1.0), ("max_val", 1.0, 1.0))),
    "hardsigmoid": Form("Hardsigmoid"),
    "hardswish": Form("Hardswish"),
    "tanhshrink": Form("Tanhshrink"),
    "softshrink": Form("Softshrink", fields=(("lambd", 0.5, 0.5),)),
    "hardshrink": Form("Hardshrink", fields=(("lambd", 0.5, 0.5),)),
    "_threshold": Form("Threshold", fields=(("threshold", NEEDED, NEEDED), ("value", NEEDED, NEEDED))),
    "glu": Form("GLU", fields=(("dim", -1, -1),)),
    "dropout": Form("Dropout", fields=_RATE),
    "dropout1d": Form("Dropout1d", fields=_RATE),
    "dropout2d": Form("Dropout2d", fields=_RATE),
    "dropout3d": Form("Dropout3d", fields=_RATE),
    "alpha_dropout": Form("AlphaDropout", fields=_RATE),
    "max_pool1d": Form("MaxPool1d", fields=_MAX),
    "max_pool2d": Form("MaxPool2d", fields=_MAX),
    "max_pool3d": Form("MaxPool3d", fields=_MAX),
    "avg_pool1d": Form("AvgPool1d", fields=_AVERAGE),
    "avg_pool2d": Form("AvgPool2d", fields=_AVERAGE),
    "avg_pool3d": Form("AvgPool3d", fields=_AVERAGE),
    **{f"adaptive_{how}_pool{d}d": Form(f"Adaptive{how.capitalize()}Pool{d}d", fields=_SIZE)
       for how in ("avg", "max") for d in (1, 2, 3)},
    "normalize": Form("normalize", fields=(("p", 2.0, 2.0), ("dim", 1, 1), ("eps", 1e-12, 1e-12))),
    "cosine_similarity": Form("cosine_similarity", 2, (("dim", 1, 1), ("eps", 1e-8, 1e-8))),
    "pad": Form("pad", fields=(("pad", NEEDED, NEEDED), ("mode", "constant", "constant"), ("value", None, None))),
    "one_hot": Form("one_hot", fields=(("num_classes", NEEDED, NEEDED),)),
    "scaled_dot_product_attention": Form("scaled_dot_product_attention", 3, (
        ("attn_mask", None, None), ("dropout_p", 0.0, 0.0), ("is_causal", False, False), ("scale", None, None))),
    "local_response_norm": Form("LocalResponseNorm", fields=(
        ("size", NEEDED, NEEDED), ("alpha", 1e-4, 1e-4), ("beta", 0.75, 0.75), ("k", 1.0, 1.0))),
}  # fmt: skip
DROPOUTS = frozenset({"Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout"})

# Operators of Python, under their names in the module `operator`.
OPERATOR: Mapping[str, Form] = {
    **{name: TORCH[name] for name in ("add", "sub", "mul", "pow", "matmul", "neg", "abs",
                                      "gt", "ge", "lt", "le", "eq", "ne")},
    "truediv": TORCH["div"],
    **{f"i{name}": TORCH[name] for name in ("add", "sub", "mul", "pow", "matmul")},
    "itruediv": TORCH["div"],
}  # fmt: skip

# Kind → the kind that gives the same with its operands swapped.
SWAPPED: Mapping[str, str] = {
    "add": "add", "mul": "mul", "eq": "eq", "ne": "ne", "gt": "lt", "lt": "gt", "ge": "le", "le": "ge",
}  # fmt: skip

# Methods and functions that give their tensor as it is.
SAME = frozenset({"contiguous", "clone", "cpu"})

# What has no kind → what to do instead.
HINTS: Mapping[str, str] = {
    "item": "keep the number a tensor",
    "expand": "broadcasting makes it unnecessary in most places",
    "chunk": "use split with sizes, whose places are known",
    "pack_padded_sequence": "leave it out; in the traced network, give the LSTM or GRU the lengths as a second input",
    "to": "leave the conversion to the data set",
    "float": "leave the conversion to the data set",
    "setitem": "compute the parts and join them with torch.cat",
}


def bound(form: Form, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """Return the operands and the fields of a call. Raises `Refusal` for what the kind does not have."""
    given = dict(kwargs)
    operands = list(args[: form.tensors])
    for name in ("input", "other", "tensors")[len(operands) : form.tensors]:
        if name in given:
            operands.append(given.pop(name))
    if form.listed:
        operands = list(given.pop("tensors")) if "tensors" in given else list(operands[0])
    rest = args[form.tensors :]
    if form.spread and len(rest) > 1:
        rest = (rest,)
    names = [name for name, _, _ in form.fields]
    if len(rest) > len(names):
        raise Refusal(f"{form.kind} has no place for {rest[len(names)]!r}")
    given |= dict(zip(names, rest, strict=False))
    return operands, dict(_fields(form, given))


def _fields(form: Form, given: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the fields that differ from the language's defaults."""
    for name, torchs, ours in form.fields:
        value = given.pop(name, torchs)
        if value is NEEDED:
            raise Refusal(f"{form.kind} needs {name}, which the call leaves out", f"give {name}")
        if ours is NEEDED or value != ours:
            yield name, value
    for name, value in given.items():
        if name not in SILENT or SILENT[name] not in (..., value):
            raise Refusal(f"{form.kind} has no {name}", f"leave {name} out")
