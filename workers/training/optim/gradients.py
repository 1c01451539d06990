"""Changes of the gradients of a step between backward and the optimizer: a penalty, clipping, and noise."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

from app.spec.training.updates.update import BaseUpdate, GradientNoise
from workers.data.rng import step_seed, stream_seed

NOISE_STREAM = 0x901E5  # keeps the numbers of the noise apart from those of dropout


class GradientChange(Protocol):
    """Changes the gradients of parameters in place."""

    def apply(self, parameters: Sequence[nn.Parameter], step: int) -> Tensor | None:
        """Change the gradients of the step that comes after `step` steps; return their norm if it was computed."""
        ...


@dataclass(frozen=True)
class L1Penalty:
    """The subgradient of `factor` times the sum of |w|: `factor` · sign(w), 0 at 0, as that of a term of the loss."""

    factor: float
    positions: frozenset[int]  # of the weights among the parameters

    def apply(self, parameters: Sequence[nn.Parameter], step: int) -> None:
        """Add the subgradient."""
        for position, parameter in enumerate(parameters):
            if position in self.positions and parameter.grad is not None:
                parameter.grad.add_(parameter.detach().sign(), alpha=self.factor)


@dataclass(frozen=True)
class ValueClipping:
    """Every element of the gradients between -`limit` and `limit`."""

    limit: float

    def apply(self, parameters: Sequence[nn.Parameter], step: int) -> None:
        """Clip the gradients; NaN stays."""
        clip_grad_value_(parameters, self.limit)


@dataclass(frozen=True)
class NormClipping:
    """The norm of all gradients together at most `limit`."""

    limit: float

    def apply(self, parameters: Sequence[nn.Parameter], step: int) -> Tensor:
        """Clip the gradients; return the norm that they had."""
        return clip_grad_norm_(parameters, self.limit)


@dataclass(frozen=True)
class Noise:
    """Gaussian noise of the variance eta / (1 + t)^gamma on the gradients of step t (Neelakantan et al. 2015)."""

    spec: GradientNoise
    seed: int

    def apply(self, parameters: Sequence[nn.Parameter], step: int) -> None:
        """Add the noise, which is a function of the seed and the step; other random numbers stay as they are."""
        deviation = (self.spec.eta / (1 + step) ** self.spec.gamma) ** 0.5
        generators: dict[torch.device, torch.Generator] = {}
        for parameter in parameters:
            if parameter.grad is None:
                continue
            if parameter.device not in generators:
                seeded = torch.Generator(parameter.device).manual_seed(step_seed(self.seed, step))
                generators[parameter.device] = seeded
            generator = generators[parameter.device]
            noise = torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype, device=parameter.device)
            parameter.grad.add_(noise.mul_(deviation))


def gradient_changes(plan: BaseUpdate, weights: frozenset[int], seed: int, place: int) -> tuple[GradientChange, ...]:
    """Return the changes of an update, in their order.

    `weights` are the positions of the weights among its parameters, `place` its own among the updates of a step.
    """
    return tuple(_changes(plan, weights, stream_seed(seed, NOISE_STREAM, place)))


def _changes(plan: BaseUpdate, weights: frozenset[int], seed: int) -> Iterator[GradientChange]:
    if plan.l1 is not None:
        yield L1Penalty(plan.l1, weights)
    if plan.clip_value is not None:
        yield ValueClipping(plan.clip_value)
    if plan.clip_norm is not None:
        yield NormClipping(plan.clip_norm)
    if plan.gradient_noise is not None:
        yield Noise(plan.gradient_noise, seed)
