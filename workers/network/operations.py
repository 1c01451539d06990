"""The operation kinds: which function of torch computes them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from workers.network.calls import reshape


@dataclass(frozen=True)
class Operation:
    """One row: `function(*inputs, **parameters)`.

    With `listed` the inputs go in as one list; `scalar` is torch's name for a second operand that is a number.
    """

    function: Callable[..., Tensor]
    listed: bool = False
    scalar: str = ""

    def keywords(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return what is passed by name: all parameters that have a value, under torch's names."""
        names = {"scalar": self.scalar}
        return {names.get(name, name): value for name, value in parameters.items() if value is not None}

    def bound(self, parameters: Mapping[str, Any]) -> Callable[..., Tensor]:
        """Return the callable of a node: it takes the inputs alone."""
        function = partial(joined, self.function) if self.listed else self.function
        keywords = self.keywords(parameters)
        return partial(function, **keywords) if keywords else function


def joined(function: Callable[..., Tensor], *inputs: Tensor, **parameters: Any) -> Tensor:
    """Call with all inputs as one list."""
    return function(list(inputs), **parameters)


OPERATIONS: Mapping[str, Operation] = {
    "add": Operation(torch.add, scalar="other"),
    "sub": Operation(torch.sub, scalar="other"),
    "mul": Operation(torch.mul, scalar="other"),
    "div": Operation(torch.div, scalar="other"),
    "pow": Operation(torch.pow, scalar="exponent"),
    "maximum": Operation(torch.maximum),
    "minimum": Operation(torch.minimum),
    "matmul": Operation(torch.matmul),
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
    "softmax": Operation(torch.softmax),
    "log_softmax": Operation(torch.log_softmax),
    "mean": Operation(torch.mean),
    "sum": Operation(torch.sum),
    "amax": Operation(torch.amax),
    "amin": Operation(torch.amin),
    "cat": Operation(torch.cat, listed=True),
    "stack": Operation(torch.stack, listed=True),
    "reshape": Operation(reshape),
    "flatten": Operation(torch.flatten),
    "permute": Operation(torch.permute),
    "transpose": Operation(torch.transpose),
    "squeeze": Operation(torch.squeeze),
    "unsqueeze": Operation(torch.unsqueeze),
    "select": Operation(torch.select),
    "narrow": Operation(torch.narrow),
    "stop_gradient": Operation(torch.detach),
}
