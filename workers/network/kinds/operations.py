"""The operation kinds: which function of torch computes them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional

from workers.network.kinds.functional import (
    add_sinusoids,
    arange,
    attention,
    einsum,
    full,
    gather,
    index_select,
    length_mask,
    ones,
    outer,
    pool_sequence,
    rand,
    randn,
    reshape,
    scatter_add,
    to,
    windows,
    zeros,
)


@dataclass(frozen=True)
class Operation:
    """One row: `function(*inputs, **parameters)`.

    With `listed` the inputs go in as one list; `scalar` is torch's name for a second operand that is a number. A
    parameter without a value is left out, unless `nones` names it. `numbers` says what the inputs may hold: a "number"
    is anything but a truth value. `draws` says that it draws random numbers. `path` is how Python source names the
    function; a name of its own in `torch` unless given. `lengths` is the place of the input, if it is given, that holds
    the lengths of sequences.
    """

    function: Callable[..., Any]
    listed: bool = False
    scalar: str = ""
    nones: tuple[str, ...] = ()
    numbers: Literal["float", "integer", "number", "any"] = "number"
    draws: bool = False
    path: str = ""
    lengths: int = 0

    def keywords(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return what is passed by name, under torch's names."""
        passed = {name: value for name, value in parameters.items() if value is not None or name in self.nones}
        return {self.scalar if name == "scalar" else name: value for name, value in passed.items()}

    def bound(self, parameters: Mapping[str, Any]) -> Callable[..., Any]:
        """Return the callable of a node: it takes the inputs alone."""
        function = partial(joined, self.function) if self.listed else self.function
        keywords = self.keywords(parameters)
        return partial(function, **keywords) if keywords else function


def joined(function: Callable[..., Tensor], *inputs: Tensor, **parameters: Any) -> Tensor:
    """Call with all inputs as one list."""
    return function(list(inputs), **parameters)


COMPARISONS: Mapping[str, Callable[..., Tensor]] = {
    "gt": torch.gt, "ge": torch.ge, "lt": torch.lt, "le": torch.le, "eq": torch.eq, "ne": torch.ne,
}  # fmt: skip


def _functional(function: Callable[..., Any], name: str) -> Operation:
    return Operation(function, numbers="float", path=f"nn.functional.{name}")


def _linear(function: Callable[..., Any], name: str) -> Operation:
    return Operation(function, numbers="float", path=f"torch.linalg.{name}")


OPERATIONS: Mapping[str, Operation] = {
    "add": Operation(torch.add, scalar="other"),
    "sub": Operation(torch.sub, scalar="other"),
    "mul": Operation(torch.mul, scalar="other"),
    "div": Operation(torch.div, scalar="other"),
    "pow": Operation(torch.pow, scalar="exponent"),
    "maximum": Operation(torch.maximum),
    "minimum": Operation(torch.minimum),
    "matmul": Operation(torch.matmul, numbers="float"),
    **{name: Operation(function, scalar="other") for name, function in COMPARISONS.items()},
    "logical_and": Operation(torch.logical_and, numbers="any"),
    "logical_or": Operation(torch.logical_or, numbers="any"),
    "logical_not": Operation(torch.logical_not, numbers="any"),
    "any": Operation(torch.any, numbers="any"),
    "all": Operation(torch.all, numbers="any"),
    "where": Operation(torch.where, numbers="any"),
    "neg": Operation(torch.neg),
    "abs": Operation(torch.abs),
    "exp": Operation(torch.exp),
    "log": Operation(torch.log),
    "sqrt": Operation(torch.sqrt),
    "square": Operation(torch.square),
    "sin": Operation(torch.sin),
    "cos": Operation(torch.cos),
    "sigmoid": Operation(torch.sigmoid),
    "tanh": Operation(torch.tanh),
    "relu": Operation(torch.relu),
    "reciprocal": Operation(torch.reciprocal),
    "rsqrt": Operation(torch.rsqrt),
    "exp2": Operation(torch.exp2),
    "expm1": Operation(torch.expm1),
    "log2": Operation(torch.log2),
    "log10": Operation(torch.log10),
    "log1p": Operation(torch.log1p),
    "logit": Operation(torch.logit, numbers="float"),
    "tan": Operation(torch.tan),
    "asin": Operation(torch.asin),
    "acos": Operation(torch.acos),
    "atan": Operation(torch.atan),
    "sinh": Operation(torch.sinh),
    "cosh": Operation(torch.cosh),
    "asinh": Operation(torch.asinh),
    "acosh": Operation(torch.acosh),
    "atanh": Operation(torch.atanh),
    "sinc": Operation(torch.sinc),
    "erf": Operation(torch.erf),
    "erfc": Operation(torch.erfc),
    "erfinv": Operation(torch.erfinv, numbers="float"),
    "lgamma": Operation(torch.lgamma, numbers="float"),
    "digamma": Operation(torch.digamma, numbers="float"),
    "floor": Operation(torch.floor),
    "ceil": Operation(torch.ceil),
    "round": Operation(torch.round),
    "trunc": Operation(torch.trunc),
    "frac": Operation(torch.frac, numbers="float"),
    "sign": Operation(torch.sign),
    "isnan": Operation(torch.isnan),
    "isinf": Operation(torch.isinf),
    "isfinite": Operation(torch.isfinite),
    "nan_to_num": Operation(torch.nan_to_num),
    "atan2": Operation(torch.atan2),
    "hypot": Operation(torch.hypot, numbers="float"),
    "logaddexp": Operation(torch.logaddexp, numbers="float"),
    "lerp": Operation(torch.lerp, numbers="float"),
    "masked_fill": Operation(torch.masked_fill, numbers="any"),
    "logical_xor": Operation(torch.logical_xor, numbers="any"),
    "remainder": Operation(torch.remainder, scalar="other"),
    "fmod": Operation(torch.fmod, scalar="other"),
    "xlogy": Operation(torch.xlogy, scalar="other"),
    "gelu": _functional(functional.gelu, "gelu"),
    "silu": _functional(functional.silu, "silu"),
    "leaky_relu": _functional(functional.leaky_relu, "leaky_relu"),
    "elu": _functional(functional.elu, "elu"),
    "softplus": _functional(functional.softplus, "softplus"),
    "to": Operation(to, numbers="any"),
    "clamp": Operation(torch.clamp),
    "softmax": Operation(torch.softmax, numbers="float"),
    "log_softmax": Operation(torch.log_softmax, numbers="float"),
    "mean": Operation(torch.mean, nones=("dim",)),
    "sum": Operation(torch.sum, nones=("dim",)),
    "amax": Operation(torch.amax),
    "amin": Operation(torch.amin),
    "prod": Operation(torch.prod),
    "std": Operation(torch.std, nones=("dim",), numbers="float"),
    "var": Operation(torch.var, nones=("dim",), numbers="float"),
    "logsumexp": Operation(torch.logsumexp, numbers="float"),
    "vector_norm": _linear(torch.linalg.vector_norm, "vector_norm"),
    "count_nonzero": Operation(torch.count_nonzero, numbers="any"),
    "argmax": Operation(torch.argmax),
    "argmin": Operation(torch.argmin),
    "argsort": Operation(torch.argsort),
    "cumsum": Operation(torch.cumsum),
    "cumprod": Operation(torch.cumprod),
    "logcumsumexp": Operation(torch.logcumsumexp, numbers="float"),
    "cummax": Operation(torch.cummax),
    "cummin": Operation(torch.cummin),
    "topk": Operation(torch.topk),
    "sort": Operation(torch.sort),
    "median": Operation(torch.median),
    "mode": Operation(torch.mode),
    "kthvalue": Operation(torch.kthvalue),
    "diff": Operation(torch.diff),
    "trapezoid": Operation(torch.trapezoid, numbers="float"),
    "normalize": _functional(functional.normalize, "normalize"),
    "cosine_similarity": _functional(functional.cosine_similarity, "cosine_similarity"),
    "pairwise_distance": _functional(functional.pairwise_distance, "pairwise_distance"),
    "bmm": Operation(torch.bmm, numbers="float"),
    "baddbmm": Operation(torch.baddbmm, numbers="float"),
    "einsum": Operation(einsum, numbers="float"),
    "outer": Operation(outer),
    "vecdot": _linear(torch.linalg.vecdot, "vecdot"),
    "cross": _linear(torch.linalg.cross, "cross"),
    "cdist": Operation(torch.cdist, numbers="float"),
    "det": _linear(torch.linalg.det, "det"),
    "inv": _linear(torch.linalg.inv, "inv"),
    "matrix_exp": _linear(torch.linalg.matrix_exp, "matrix_exp"),
    "solve": _linear(torch.linalg.solve, "solve"),
    "diagonal": Operation(torch.diagonal, numbers="any"),
    "diag_embed": Operation(torch.diag_embed, numbers="any"),
    "tril": Operation(torch.tril, numbers="any"),
    "triu": Operation(torch.triu, numbers="any"),
    "scaled_dot_product_attention": Operation(attention, numbers="any"),
    "cat": Operation(torch.cat, listed=True, numbers="any"),
    "stack": Operation(torch.stack, listed=True, numbers="any"),
    "reshape": Operation(reshape, numbers="any"),
    "flatten": Operation(torch.flatten, numbers="any"),
    "permute": Operation(torch.permute, numbers="any"),
    "transpose": Operation(torch.transpose, numbers="any"),
    "squeeze": Operation(torch.squeeze, numbers="any"),
    "unsqueeze": Operation(torch.unsqueeze, numbers="any"),
    "select": Operation(torch.select, numbers="any"),
    "narrow": Operation(torch.narrow, numbers="any"),
    "expand": Operation(torch.Tensor.expand, numbers="any", path="torch.Tensor.expand"),
    "tile": Operation(torch.tile, numbers="any"),
    "repeat_interleave": Operation(torch.repeat_interleave, numbers="any"),
    "roll": Operation(torch.roll, numbers="any"),
    "flip": Operation(torch.flip, numbers="any"),
    "movedim": Operation(torch.movedim, numbers="any"),
    "windows": Operation(windows, numbers="any"),
    "pad": _functional(functional.pad, "pad"),
    "interpolate": _functional(functional.interpolate, "interpolate"),
    "index_select": Operation(index_select, numbers="any"),
    "gather": Operation(gather, numbers="any"),
    "take_along_dim": Operation(torch.take_along_dim, numbers="any"),
    "scatter_add": Operation(scatter_add, numbers="any"),
    "one_hot": Operation(functional.one_hot, numbers="integer", path="nn.functional.one_hot"),
    "arange": Operation(arange, numbers="any"),
    "length_mask": Operation(length_mask, numbers="any", lengths=1),
    "pool_sequence": Operation(pool_sequence, numbers="float", lengths=1),
    "add_sinusoids": Operation(add_sinusoids, numbers="float"),
    "zeros": Operation(zeros, numbers="any"),
    "ones": Operation(ones, numbers="any"),
    "full": Operation(full, numbers="any"),
    "zeros_like": Operation(torch.zeros_like, numbers="any"),
    "ones_like": Operation(torch.ones_like, numbers="any"),
    "rand": Operation(rand, numbers="any", draws=True),
    "randn": Operation(randn, numbers="any", draws=True),
    "rand_like": Operation(torch.rand_like, numbers="float", draws=True),
    "randn_like": Operation(torch.randn_like, numbers="float", draws=True),
    "bernoulli": Operation(torch.bernoulli, numbers="float", draws=True),
    "stop_gradient": Operation(torch.detach, numbers="any"),
}
