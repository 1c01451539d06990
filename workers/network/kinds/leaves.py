"""Leaves: trainable tensors, buffers and constants, and the initialisers that fill them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from app.spec.kinds import KindModel
from workers.network.blueprint import Parameters


@dataclass(frozen=True)
class Initialiser:
    """One row: `function(tensor, **parameters)` fills in place. `torch_names` maps parameters to torch's names."""

    function: Callable[..., Tensor]
    torch_names: Mapping[str, str]
    min_dimensions: int = 0  # of the tensor
    max_dimensions: int = 64

    def arguments(self, init: KindModel) -> dict[str, Any]:
        """Return the parameters by torch's names."""
        return {self.torch_names.get(name, name): value for name, value in init.settings().items()}


INITIALISERS: Mapping[str, Initialiser] = {
    "zeros": Initialiser(nn.init.zeros_, {}),
    "ones": Initialiser(nn.init.ones_, {}),
    "constant": Initialiser(nn.init.constant_, {"value": "val"}),
    "normal": Initialiser(nn.init.normal_, {}),
    "uniform": Initialiser(nn.init.uniform_, {"low": "a", "high": "b"}),
    "xavier_uniform": Initialiser(nn.init.xavier_uniform_, {}, min_dimensions=2),
    "xavier_normal": Initialiser(nn.init.xavier_normal_, {}, min_dimensions=2),
    "kaiming_uniform": Initialiser(nn.init.kaiming_uniform_, {}, min_dimensions=2),
    "kaiming_normal": Initialiser(nn.init.kaiming_normal_, {}, min_dimensions=2),
    "trunc_normal": Initialiser(nn.init.trunc_normal_, {"low": "a", "high": "b"}),
    "eye": Initialiser(nn.init.eye_, {}, min_dimensions=2, max_dimensions=2),
    "dirac": Initialiser(nn.init.dirac_, {}, min_dimensions=3, max_dimensions=5),
    "sparse": Initialiser(nn.init.sparse_, {}, min_dimensions=2, max_dimensions=2),
    "orthogonal": Initialiser(nn.init.orthogonal_, {}, min_dimensions=2),
}


@dataclass(frozen=True)
class LeafKind:
    """One row: how the network stores the tensor."""

    storage: Literal["parameter", "buffer", "constant"]

    def tensor(self, parameters: Parameters) -> Tensor:
        """Return the initialised tensor, in float32. Raises `ValueError` for ragged lists."""
        if self.storage == "constant":
            return torch.tensor(parameters["value"], dtype=torch.float32)
        init = parameters["init"]
        row = INITIALISERS[init.kind]
        with torch.no_grad():
            return row.function(torch.empty(parameters["shape"]), **row.arguments(init))

    def register(self, owner: nn.Module, name: str, tensor: Tensor) -> None:
        """Register the tensor by the node's name. A constant is not in the `state_dict`."""
        if self.storage == "parameter":
            owner.register_parameter(name, nn.Parameter(tensor))
        else:
            owner.register_buffer(name, tensor, persistent=self.storage == "buffer")


LEAVES: Mapping[str, LeafKind] = {
    "Parameter": LeafKind("parameter"),
    "Buffer": LeafKind("buffer"),
    "Constant": LeafKind("constant"),
}
