"""The weights by which an edit chooses units, and their gradients on the batch of the next step."""

import copy
from collections.abc import Set
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor, nn

from workers.network.runtime.build import BuiltNetwork
from workers.surgery.apply import Draw, map_weights
from workers.surgery.draft import Change
from workers.training.assembly import PreparedTraining
from workers.training.optim.update_parameters import split_updates


@dataclass(frozen=True)
class PresentWeights:
    """What `workers.surgery.draft.Weights` asks for, of a training between two steps, which it leaves as it is.

    After changes of the same edit they are those of the network that these make, with the new entries that the edit
    draws by `draw` and `noise_seed`.
    """

    prepared: PreparedTraining
    draw: Draw
    noise_seed: int = 0
    changes: tuple[Change, ...] = ()

    def weight(self, name: str) -> Tensor:
        """Return a weight by its name in `state_dict`."""
        return self._weights[name]

    def gradient(self, name: str) -> Tensor:
        """Return the gradient of a weight; zeros where the loss does not depend on it."""
        return self._gradients.get(name, torch.zeros_like(self.weight(name)))

    def after(self, change: Change) -> "PresentWeights":
        """Return the weights of the network that a change makes of this one."""
        return replace(self, changes=(*self.changes, change))

    @cached_property
    def _weights(self) -> dict[str, Tensor]:
        present = {name: value.detach() for name, value in self.prepared.network.state_dict().items()}
        return dict(map_weights(present, self.changes, self.draw, noise_seed=self.noise_seed))

    @cached_property
    def _gradients(self) -> dict[str, Tensor]:
        """The gradients of a copy: forward passes change statistics, and those of the next step are not taken yet.

        Frozen parameters have gradients too.
        """
        state, devices = self.prepared.state, _devices(self.prepared.device)
        with torch.random.fork_rng(devices=devices):
            network = self._copy().requires_grad_(True)
            batches = state.source.preview(state.counters.step)
            self.prepared.training_step.add_gradients(network, state, batches, self._inputs(network))
        named = network.named_parameters(remove_duplicate=False)
        return {name: parameter.grad for name, parameter in named if parameter.grad is not None}

    def _inputs(self, network: BuiltNetwork) -> list[list[nn.Parameter] | None]:
        """Return the parameters of a copy that each update trains or keeps frozen; `None`: all of them."""
        if not self.prepared.plan.updates:
            return [None]
        splits = split_updates(self.prepared.network.blueprint, self.prepared.plan).splits
        return [
            self._followed(network, split.trained_names() | {each.name for each in split.frozen}) for split in splits
        ]

    def _followed(self, network: BuiltNetwork, names: Set[str]) -> list[nn.Parameter]:
        """Return the parameters of a copy that continue some of the present ones."""
        present = dict(self.prepared.network.named_parameters())
        chosen = {id(present[name]) for name in names}
        named = self.prepared.network.named_parameters(remove_duplicate=False)
        followed = {name for name, parameter in named if id(parameter) in chosen}
        for change in self.changes:
            followed = {name for name, source in change.tensors.items() if source.name in followed}
        return [parameter for name, parameter in network.named_parameters() if name in followed]

    def _copy(self) -> BuiltNetwork:
        if self.changes:
            network = BuiltNetwork(self.changes[-1].blueprint).to(self.prepared.device)
            network.load_state_dict(self._weights)
            return network
        network = copy.deepcopy(self.prepared.network)
        for parameter in network.parameters():
            parameter.grad = None
        return network


def _devices(device: torch.device) -> list[int]:
    return [device.index or 0] if device.type == "cuda" else []
