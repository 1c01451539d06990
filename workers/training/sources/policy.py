"""A policy: outputs of the job's network that read observations alone."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from app.spec.data.environments.environment import OBSERVATION
from workers.network.runtime.build import BuiltNetwork, GraphModule, flow_metrics, network_part
from workers.training.devices import Precision

# Modules that compute the same in training as in evaluation; a parametrized one is of another type.
MODELESS_MODULES = frozenset(
    {
        GraphModule,
        nn.Conv1d,
        nn.Conv2d,
        nn.ELU,
        nn.Embedding,
        nn.Flatten,
        nn.GELU,
        nn.Hardtanh,
        nn.Identity,
        nn.LayerNorm,
        nn.LeakyReLU,
        nn.Linear,
        nn.Mish,
        nn.ModuleDict,
        nn.ReLU,
        nn.Sigmoid,
        nn.SiLU,
        nn.Softmax,
        nn.Softplus,
        nn.Tanh,
    }
)


class Policy:
    """Some outputs of a network as functions of observations, without gradients.

    They have the weights that the network has when they are called. Observations and outputs are on the CPU.
    """

    def __init__(self, network: BuiltNetwork, outputs: Sequence[str], precision: Precision) -> None:
        self._part, self._device = network_part(network, tuple(dict.fromkeys(outputs))), precision.device
        self._forward = precision.autocast(self._part)
        nodes = {node.id for node in self._part.blueprint.nodes}
        own = [module for name, module in self._part.named_children() if name in nodes]
        self._has_modes = any(type(each) not in MODELESS_MODULES for module in own for each in module.modules())

    @property
    def is_random(self) -> bool:
        """Whether it draws from torch's global generators."""
        return self._part.is_random

    def __call__(self, observation: Tensor) -> dict[str, Tensor]:
        """Return the outputs (N, ...) for observations (N, ...); floating-point ones as float32."""
        with torch.no_grad():  # to enter inference mode took longer than it saved
            outputs = self._forward({OBSERVATION: observation.to(self._device)})
        return {
            name: value.to("cpu", torch.float32 if value.is_floating_point() else None)
            for name, value in outputs.items()
        }

    @contextmanager
    def acting(self) -> Iterator[None]:
        """Compute as in evaluation: without dropout, and without changing statistics. What is recorded is dropped."""
        if self._has_modes:
            self._part.eval()
        try:
            yield
        finally:
            if self._has_modes:
                self._part.train()
            flow_metrics(self._part)
