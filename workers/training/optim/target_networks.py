"""Target networks: tensors that follow others after a step (Polyak averaging)."""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from app.spec.training.updates.target_networks import TargetNetwork
from workers.network.runtime.build import BuiltNetwork


class FollowingNode:
    """A node that follows another one. It begins as a copy."""

    def __init__(self, network: BuiltNetwork, spec: TargetNetwork) -> None:
        self._tau, self._every = spec.tau, spec.every
        pairs, buffers = (_pairs(named, spec) for named in (network.named_parameters, network.named_buffers))
        for target, _ in pairs:
            target.requires_grad_(False)
        pairs = [(target.detach(), source.detach()) for target, source in pairs]
        self._weights, self._sources = [weight for weight, _ in pairs], [source for _, source in pairs]
        self._copied = [*buffers, *pairs] if spec.tau == 1 else buffers
        _copy([*buffers, *pairs])

    def after_step(self, step: int) -> None:
        """Follow the source after a step (counted from 1), if it is due."""
        if step % self._every:
            return
        if self._tau < 1:
            torch._foreach_lerp_(self._weights, self._sources, self._tau)
        _copy(self._copied)


def _pairs(named: Callable[..., Iterator[tuple[str, Tensor]]], spec: TargetNetwork) -> list[tuple[Tensor, Tensor]]:
    """Return the tensors of the node with those of its source that have the same name in it."""
    tensors = dict(named(remove_duplicate=False))
    return [
        (tensor, tensors[spec.source + name.removeprefix(spec.node)])
        for name, tensor in tensors.items()
        if f"{name}.".startswith(f"{spec.node}.")
    ]


def _copy(pairs: Sequence[tuple[Tensor, Tensor]]) -> None:
    for target, source in pairs:
        target.copy_(source)
