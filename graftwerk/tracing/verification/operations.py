"""The operations of the language that tracing writes, as functions of torch.

The client is installed without the workers that build networks, so it has this small interpreter of its own; a test
compares every function with the workers'.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

Tensor = Any  # torch.Tensor
# Kind → fields with the language's defaults, where they differ from torch's.
DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "cat": {"dim": 1},
    "stack": {"dim": 1},
    "flatten": {"start_dim": 1},
    "softmax": {"dim": -1},
    "log_softmax": {"dim": -1},
}
SCALARS: Mapping[str, str] = {"pow": "exponent"}  # torch's name of the second operand; by default "other"
ALL_DIMENSIONS = frozenset({"mean", "sum", "std", "var"})  # `dim` may be None, and is passed


def operation(kind: str, fields: Mapping[str, Any]) -> Callable[..., Any]:
    """Return the function of a node. Raises `AttributeError` for a kind that tracing does not write."""
    own = OWN_FUNCTIONS.get(kind)
    arguments = {**DEFAULTS.get(kind, {}), **fields}
    if own is not None:
        return lambda *inputs: own(*inputs, **arguments)
    if kind in ALL_DIMENSIONS:
        arguments.setdefault("dim", None)
    if "scalar" in arguments:
        arguments[SCALARS.get(kind, "other")] = arguments.pop("scalar")
    torch = import_module("torch")
    for place in (torch, torch.nn.functional, torch.linalg):
        if kind in dir(place):
            function: Callable[..., Any] = getattr(place, kind)
            break
    else:
        raise AttributeError(f"no function {kind}")
    if kind in ("cat", "stack"):
        return lambda *inputs: function(list(inputs), **arguments)
    return lambda *inputs: function(*inputs, **arguments)


def _dtype(name: str) -> Any:
    torch = import_module("torch")
    return torch.get_default_dtype() if name == "float32" else getattr(torch, name)


def _reshape(x: Tensor, shape: list[int]) -> Tensor:
    return x.reshape([x.shape[dim] if size == 0 else size for dim, size in enumerate(shape)])


def _arange(x: Tensor, dim: int = 1, dtype: str = "int64") -> Tensor:
    return import_module("torch").arange(x.shape[dim], device=x.device).to(_dtype(dtype))


def _full(x: Tensor, shape: list[int], value: float = 0.0, dtype: str = "float32") -> Tensor:
    return import_module("torch").full((x.shape[0], *shape), value, dtype=_dtype(dtype), device=x.device)


def _random(name: str) -> Callable[..., Tensor]:
    return lambda x, shape: getattr(import_module("torch"), name)(x.shape[0], *shape, device=x.device)


def _attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None, **fields: Any) -> Tensor:
    return import_module("torch").nn.functional.scaled_dot_product_attention(query, key, value, mask, **fields)


def _embedding(x: Tensor, weight: Tensor, padding_idx: int | None = None) -> Tensor:
    return import_module("torch").nn.functional.embedding(x, weight, padding_idx)


def _pool_sequence(x: Tensor, lengths: Tensor, by: str = "mean") -> Tensor:
    if by != "last":
        raise AttributeError(f"no pool_sequence by {by}")
    return x[import_module("torch").arange(len(x), device=x.device), lengths.long().to(x.device) - 1]


OWN_FUNCTIONS: Mapping[str, Callable[..., Tensor]] = {
    "reshape": _reshape,
    "to": lambda x, dtype: x.to(_dtype(dtype)),
    "arange": _arange,
    "full": _full,
    "zeros": _full,
    "ones": lambda x, shape, dtype="float32": _full(x, shape, 1, dtype),
    "rand": _random("rand"),
    "randn": _random("randn"),
    "expand": lambda x, size: x.expand(size),
    "outer": lambda x, y: x.unsqueeze(-1) * y.unsqueeze(-2),
    "index_select": lambda x, index, dim: x.index_select(dim, index),
    "gather": lambda x, index, dim: x.gather(dim, index),
    "embedding": _embedding,
    "einsum": lambda *inputs, equation: import_module("torch").einsum(equation, *inputs),
    "stop_gradient": lambda x: x.detach(),
    "scaled_dot_product_attention": _attention,
    "pool_sequence": _pool_sequence,
}
