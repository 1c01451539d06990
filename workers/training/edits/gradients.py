"""The weights by which an edit chooses units, and their gradients on the batch of the next step."""

import copy
from dataclasses import dataclass, field

import torch
from torch import Tensor

from workers.training.assembly import PreparedTraining


@dataclass
class PresentWeights:
    """What `workers.surgery.draft.Weights` asks for, of a training between two steps, which it leaves as it is."""

    prepared: PreparedTraining
    _gradients: dict[str, Tensor] = field(default_factory=dict)

    def weight(self, name: str) -> Tensor:
        """Return a weight by its name in `state_dict`."""
        weight: Tensor = self.prepared.network.state_dict()[name]
        return weight.detach()

    def gradient(self, name: str) -> Tensor:
        """Return the gradient of a weight; zeros where the loss does not depend on it."""
        if not self._gradients:
            self._gradients = self._compute()
        return self._gradients.get(name, torch.zeros_like(self.weight(name)))

    def _compute(self) -> dict[str, Tensor]:
        """Compute gradients on a copy: forward passes change statistics, and those of the next step are not taken yet.

        Frozen parameters have gradients too.
        """
        state = self.prepared.state
        network = copy.deepcopy(state.network).requires_grad_(True)
        for parameter in network.parameters():
            parameter.grad = None
        with torch.random.fork_rng(devices=_devices(self.prepared.device)):
            self.prepared.training_step.add_gradients(network, state, state.source.batches(state.counters.step))
        named = network.named_parameters(remove_duplicate=False)
        return {name: parameter.grad for name, parameter in named if parameter.grad is not None}


def _devices(device: torch.device) -> list[int]:
    return [device.index or 0] if device.type == "cuda" else []
