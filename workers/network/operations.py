"""The operation kinds: which function of torch computes them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor

from workers.network.calls import reshape


@dataclass(frozen=True)
class Operation:
    """One row: `function(*inputs, **parameters)`.

    With `listed` the inputs go in as one list; `scalar` is torch's name for a second operand that is a number. A
    parameter without a value is left out, unless `nones` names it. `numbers` says what the inputs may hold: a "number"
    is anything but a truth value.
    """

    function: Callable[..., Tensor]
    listed: bool = False
    scalar: str = ""
    nones: tuple[str, ...] = ()
    numbers: Literal["float", "number", "any"] = "number"

    def keywords(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return what is passed by name, under torch's names."""
        passed = {name: value for name, value in parameters.items() if value is not None or name in self.nones}
        return {self.scalar if name == "scalar" else name: value for name, value in passed.items()}

    def bound(self, parameters: Mapping[str, Any]) -> Callable[..., Tensor]:
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
    "clamp": Operation(torch.clamp),
    "softmax": Operation(torch.softmax, numbers="float"),
    "log_softmax": Operation(torch.log_softmax, numbers="float"),
    "mean": Operation(torch.mean, nones=("dim",)),
    "sum": Operation(torch.sum, nones=("dim",)),
    "amax": Operation(torch.amax),
    "amin": Operation(torch.amin),
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
    "stop_gradient": Operation(torch.detach, numbers="any"),
}
