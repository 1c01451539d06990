"""A module of the corpus, and what tracing it must give."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import nn

from tests.workers.network.networks import Columns

X: Columns = {"x": (8,)}


@dataclass(frozen=True)
class Case:
    """`make` returns the module; `columns` are inputs on which it is compared.

    `refused`: words of the obstacle, else the network must equal the module. `line`: a part of the line of code that it
    names. `told`: the columns are given as examples, for modules that need the sizes.
    """

    name: str
    make: Callable[[], nn.Module]
    columns: Columns
    refused: str = ""
    line: str = ""
    told: bool = False
    tolerance: float = 1e-5


class Forward(nn.Module):
    """A forward of one function, with parts."""

    def __init__(self, does: Callable[..., Any], **parts: Any) -> None:
        super().__init__()
        self.does = does
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, *inputs: Any) -> Any:
        return self.does(self, *inputs)
