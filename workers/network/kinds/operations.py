"""Kinds of operations: the functions of torch that compute them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional

from workers.network.blueprint import Parameters
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
from workers.network.runtime.control_flow import TensorOrTuple
from workers.network.runtime.plan import NodeCall


@dataclass(frozen=True)
class OperationKind:
    """One row: `function(*inputs, **parameters)`.

    With `takes_list` the inputs are passed as one list. `scalar` is torch's name of a second operand that is a number.
    A parameter that is `None` is not passed, unless `keep_none` names it. `accepts` is the dtype of the inputs: a
    "number" is any dtype but bool. `path` is the name of the function in Python source, by default in `torch`.
    `lengths_index` is the index of the optional input with the lengths of sequences.
    """

    function: NodeCall
    takes_list: bool = False
    scalar: str = ""
    keep_none: tuple[str, ...] = ()
    accepts: Literal["float", "integer", "number", "any"] = "number"
    uses_rng: bool = False
    path: str = ""
    lengths_index: int = 0

    def keywords(self, parameters: Parameters) -> dict[str, Any]:
        """Return the keyword arguments, by torch's names."""
        arguments = {name: value for name, value in parameters.items() if value is not None or name in self.keep_none}
        return {self.scalar if name == "scalar" else name: value for name, value in arguments.items()}

    def bind(self, parameters: Parameters) -> NodeCall:
        """Return the callable of a node, which takes its inputs."""
        function = partial(call_with_list, self.function) if self.takes_list else self.function
        keywords = self.keywords(parameters)
        return partial(function, **keywords) if keywords else function


def call_with_list(function: NodeCall, *inputs: Tensor, **parameters: object) -> TensorOrTuple:
    """Call a function with the inputs as one list."""
    return function(list(inputs), **parameters)


COMPARISONS: Mapping[str, Callable[..., Tensor]] = {
    "gt": torch.gt,
    "ge": torch.ge,
    "lt": torch.lt,
    "le": torch.le,
    "eq": torch.eq,
    "ne": torch.ne,
}


def _functional(function: NodeCall, name: str) -> OperationKind:
    return OperationKind(function, accepts="float", path=f"nn.functional.{name}")


def _linear(function: NodeCall, name: str) -> OperationKind:
    return OperationKind(function, accepts="float", path=f"torch.linalg.{name}")


OPERATIONS: Mapping[str, OperationKind] = {
    "add": OperationKind(torch.add, scalar="other"),
    "sub": OperationKind(torch.sub, scalar="other"),
    "mul": OperationKind(torch.mul, scalar="other"),
    "div": OperationKind(torch.div, scalar="other"),
    "pow": OperationKind(torch.pow, scalar="exponent"),
    "maximum": OperationKind(torch.maximum),
    "minimum": OperationKind(torch.minimum),
    "matmul": OperationKind(torch.matmul, accepts="float"),
    **{name: OperationKind(function, scalar="other") for name, function in COMPARISONS.items()},
    "logical_and": OperationKind(torch.logical_and, accepts="any"),
    "logical_or": OperationKind(torch.logical_or, accepts="any"),
    "logical_not": OperationKind(torch.logical_not, accepts="any"),
    "any": OperationKind(torch.any, accepts="any"),
    "all": OperationKind(torch.all, accepts="any"),
    "where": OperationKind(torch.where, accepts="any"),
    "neg": OperationKind(torch.neg),
    "abs": OperationKind(torch.abs),
    "exp": OperationKind(torch.exp),
    "log": OperationKind(torch.log),
    "sqrt": OperationKind(torch.sqrt),
    "square": OperationKind(torch.square),
    "sin": OperationKind(torch.sin),
    "cos": OperationKind(torch.cos),
    "sigmoid": OperationKind(torch.sigmoid),
    "tanh": OperationKind(torch.tanh),
    "relu": OperationKind(torch.relu),
    "reciprocal": OperationKind(torch.reciprocal),
    "rsqrt": OperationKind(torch.rsqrt),
    "exp2": OperationKind(torch.exp2),
    "expm1": OperationKind(torch.expm1),
    "log2": OperationKind(torch.log2),
    "log10": OperationKind(torch.log10),
    "log1p": OperationKind(torch.log1p),
    "logit": OperationKind(torch.logit, accepts="float"),
    "tan": OperationKind(torch.tan),
    "asin": OperationKind(torch.asin),
    "acos": OperationKind(torch.acos),
    "atan": OperationKind(torch.atan),
    "sinh": OperationKind(torch.sinh),
    "cosh": OperationKind(torch.cosh),
    "asinh": OperationKind(torch.asinh),
    "acosh": OperationKind(torch.acosh),
    "atanh": OperationKind(torch.atanh),
    "sinc": OperationKind(torch.sinc),
    "erf": OperationKind(torch.erf),
    "erfc": OperationKind(torch.erfc),
    "erfinv": OperationKind(torch.erfinv, accepts="float"),
    "lgamma": OperationKind(torch.lgamma, accepts="float"),
    "digamma": OperationKind(torch.digamma, accepts="float"),
    "floor": OperationKind(torch.floor),
    "ceil": OperationKind(torch.ceil),
    "round": OperationKind(torch.round),
    "trunc": OperationKind(torch.trunc),
    "frac": OperationKind(torch.frac, accepts="float"),
    "sign": OperationKind(torch.sign),
    "isnan": OperationKind(torch.isnan),
    "isinf": OperationKind(torch.isinf),
    "isfinite": OperationKind(torch.isfinite),
    "nan_to_num": OperationKind(torch.nan_to_num),
    "atan2": OperationKind(torch.atan2),
    "hypot": OperationKind(torch.hypot, accepts="float"),
    "logaddexp": OperationKind(torch.logaddexp, accepts="float"),
    "lerp": OperationKind(torch.lerp, accepts="float"),
    "masked_fill": OperationKind(torch.masked_fill, accepts="any"),
    "logical_xor": OperationKind(torch.logical_xor, accepts="any"),
    "remainder": OperationKind(torch.remainder, scalar="other"),
    "fmod": OperationKind(torch.fmod, scalar="other"),
    "xlogy": OperationKind(torch.xlogy, scalar="other"),
    "gelu": _functional(functional.gelu, "gelu"),
    "silu": _functional(functional.silu, "silu"),
    "leaky_relu": _functional(functional.leaky_relu, "leaky_relu"),
    "elu": _functional(functional.elu, "elu"),
    "softplus": _functional(functional.softplus, "softplus"),
    "to": OperationKind(to, accepts="any"),
    "clamp": OperationKind(torch.clamp),
    "softmax": OperationKind(torch.softmax, accepts="float"),
    "log_softmax": OperationKind(torch.log_softmax, accepts="float"),
    "mean": OperationKind(torch.mean, keep_none=("dim",)),
    "sum": OperationKind(torch.sum, keep_none=("dim",)),
    "amax": OperationKind(torch.amax),
    "amin": OperationKind(torch.amin),
    "prod": OperationKind(torch.prod),
    "std": OperationKind(torch.std, keep_none=("dim",), accepts="float"),
    "var": OperationKind(torch.var, keep_none=("dim",), accepts="float"),
    "logsumexp": OperationKind(torch.logsumexp, accepts="float"),
    "vector_norm": _linear(torch.linalg.vector_norm, "vector_norm"),
    "count_nonzero": OperationKind(torch.count_nonzero, accepts="any"),
    "argmax": OperationKind(torch.argmax),
    "argmin": OperationKind(torch.argmin),
    "argsort": OperationKind(torch.argsort),
    "cumsum": OperationKind(torch.cumsum),
    "cumprod": OperationKind(torch.cumprod),
    "logcumsumexp": OperationKind(torch.logcumsumexp, accepts="float"),
    "cummax": OperationKind(torch.cummax),
    "cummin": OperationKind(torch.cummin),
    "topk": OperationKind(torch.topk),
    "sort": OperationKind(torch.sort),
    "median": OperationKind(torch.median),
    "mode": OperationKind(torch.mode),
    "kthvalue": OperationKind(torch.kthvalue),
    "diff": OperationKind(torch.diff),
    "trapezoid": OperationKind(torch.trapezoid, accepts="float"),
    "normalize": _functional(functional.normalize, "normalize"),
    "cosine_similarity": _functional(functional.cosine_similarity, "cosine_similarity"),
    "pairwise_distance": _functional(functional.pairwise_distance, "pairwise_distance"),
    "linear": _functional(functional.linear, "linear"),
    "conv1d": _functional(functional.conv1d, "conv1d"),
    "conv2d": _functional(functional.conv2d, "conv2d"),
    "conv3d": _functional(functional.conv3d, "conv3d"),
    "bmm": OperationKind(torch.bmm, accepts="float"),
    "baddbmm": OperationKind(torch.baddbmm, accepts="float"),
    "einsum": OperationKind(einsum, accepts="float"),
    "outer": OperationKind(outer),
    "vecdot": _linear(torch.linalg.vecdot, "vecdot"),
    "cross": _linear(torch.linalg.cross, "cross"),
    "cdist": OperationKind(torch.cdist, accepts="float"),
    "det": _linear(torch.linalg.det, "det"),
    "inv": _linear(torch.linalg.inv, "inv"),
    "matrix_exp": _linear(torch.linalg.matrix_exp, "matrix_exp"),
    "solve": _linear(torch.linalg.solve, "solve"),
    "diagonal": OperationKind(torch.diagonal, accepts="any"),
    "diag_embed": OperationKind(torch.diag_embed, accepts="any"),
    "tril": OperationKind(torch.tril, accepts="any"),
    "triu": OperationKind(torch.triu, accepts="any"),
    "scaled_dot_product_attention": OperationKind(attention, accepts="any"),
    "cat": OperationKind(torch.cat, takes_list=True, accepts="any"),
    "stack": OperationKind(torch.stack, takes_list=True, accepts="any"),
    "reshape": OperationKind(reshape, accepts="any"),
    "flatten": OperationKind(torch.flatten, accepts="any"),
    "permute": OperationKind(torch.permute, accepts="any"),
    "transpose": OperationKind(torch.transpose, accepts="any"),
    "squeeze": OperationKind(torch.squeeze, accepts="any"),
    "unsqueeze": OperationKind(torch.unsqueeze, accepts="any"),
    "select": OperationKind(torch.select, accepts="any"),
    "narrow": OperationKind(torch.narrow, accepts="any"),
    "expand": OperationKind(torch.Tensor.expand, accepts="any", path="torch.Tensor.expand"),
    "tile": OperationKind(torch.tile, accepts="any"),
    "repeat_interleave": OperationKind(torch.repeat_interleave, accepts="any"),
    "roll": OperationKind(torch.roll, accepts="any"),
    "flip": OperationKind(torch.flip, accepts="any"),
    "movedim": OperationKind(torch.movedim, accepts="any"),
    "windows": OperationKind(windows, accepts="any"),
    "pad": _functional(functional.pad, "pad"),
    "interpolate": _functional(functional.interpolate, "interpolate"),
    "index_select": OperationKind(index_select, accepts="any"),
    "embedding": OperationKind(functional.embedding, accepts="any", path="nn.functional.embedding"),
    "gather": OperationKind(gather, accepts="any"),
    "take_along_dim": OperationKind(torch.take_along_dim, accepts="any"),
    "scatter_add": OperationKind(scatter_add, accepts="any"),
    "one_hot": OperationKind(functional.one_hot, accepts="integer", path="nn.functional.one_hot"),
    "arange": OperationKind(arange, accepts="any"),
    "length_mask": OperationKind(length_mask, accepts="any", lengths_index=1),
    "pool_sequence": OperationKind(pool_sequence, accepts="float", lengths_index=1),
    "add_sinusoids": OperationKind(add_sinusoids, accepts="float"),
    "zeros": OperationKind(zeros, accepts="any"),
    "ones": OperationKind(ones, accepts="any"),
    "full": OperationKind(full, accepts="any"),
    "zeros_like": OperationKind(torch.zeros_like, accepts="any"),
    "ones_like": OperationKind(torch.ones_like, accepts="any"),
    "rand": OperationKind(rand, accepts="any", uses_rng=True),
    "randn": OperationKind(randn, accepts="any", uses_rng=True),
    "rand_like": OperationKind(torch.rand_like, accepts="float", uses_rng=True),
    "randn_like": OperationKind(torch.randn_like, accepts="float", uses_rng=True),
    "bernoulli": OperationKind(torch.bernoulli, accepts="float", uses_rng=True),
    "stop_gradient": OperationKind(torch.detach, accepts="any"),
}
