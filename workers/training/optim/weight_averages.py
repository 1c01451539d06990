"""Averages of the weights along the training: a twin of the network that follows it."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn, get_swa_multi_avg_fn

from app.spec.training.weight_averages import BaseAverage
from workers.network.runtime.build import BuiltNetwork

# From (averages, weights, how many there were before) to new averages, in place.
AveragingFunction = Callable[[list[Tensor], list[Tensor], int], None]


@dataclass(frozen=True)
class AveragingSchedule:
    """After which steps the weights are taken in: after every `every`-th one past `start`."""

    start: int
    every: int

    def is_due(self, step: int) -> bool:
        """Say whether it is time after `step` (counted from 1)."""
        return step > self.start and step % self.every == 0

    def occurs_within(self, steps: int) -> bool:
        """Say whether a run of so many steps has any."""
        return steps // self.every * self.every > self.start


def _ema(spec: Any) -> AveragingFunction:
    mix: AveragingFunction = get_ema_multi_avg_fn(spec.decay)
    return mix


def _swa(spec: Any) -> AveragingFunction:
    mix: AveragingFunction = get_swa_multi_avg_fn()
    return mix


def _ema_schedule(spec: Any, total_steps: int, steps_per_epoch: int) -> AveragingSchedule:
    return AveragingSchedule(spec.start_step, spec.every_steps)


def _swa_schedule(spec: Any, total_steps: int, steps_per_epoch: int) -> AveragingSchedule:
    return AveragingSchedule(int(spec.start * total_steps), steps_per_epoch if spec.every == "epoch" else 1)


# Kind → (how weights are mixed, when).
AVERAGES: Mapping[str, tuple[Callable[[Any], AveragingFunction], Callable[[Any, int, int], AveragingSchedule]]] = {
    "ema": (_ema, _ema_schedule),
    "swa": (_swa, _swa_schedule),
}


def averaging_schedule(spec: BaseAverage, total_steps: int, steps_per_epoch: int) -> AveragingSchedule:
    """Return when the weights are taken in."""
    return AVERAGES[spec.kind][1](spec, total_steps, steps_per_epoch)


class WeightAverage:
    """The averaged weights, in a network of their own, and how often the weights have been taken in.

    Statistics that a network keeps (of batch normalisation) are averaged like weights; counts and other whole numbers
    are those of the latest weights.
    """

    def __init__(self, network: BuiltNetwork, spec: BaseAverage, turns: AveragingSchedule) -> None:
        self.network = copy.deepcopy(network).requires_grad_(False)
        self.count = 0
        self._averaging_function, self._averaging = AVERAGES[spec.kind][0](spec), turns
        pairs = list(zip(_parameters_and_buffers(self.network), _parameters_and_buffers(network), strict=True))
        mixed = [pair for pair in pairs if pair[0].is_floating_point()]
        self._means, self._weights = [mean for mean, _ in mixed], [weight for _, weight in mixed]
        self._others = [pair for pair in pairs if not pair[0].is_floating_point()]

    def after_step(self, step: int) -> None:
        """Take the weights in after a step (counted from 1), if it is time."""
        if not self._averaging.is_due(step):
            return
        copied = self._others
        if self.count == 0:
            copied = [*copied, *zip(self._means, self._weights, strict=True)]
        else:
            self._averaging_function(self._means, self._weights, self.count)
        for mine, theirs in copied:
            mine.copy_(theirs)
        self.count += 1


def _parameters_and_buffers(network: BuiltNetwork) -> list[Tensor]:
    """Return the tensors themselves: a network's stay the same ones while it is trained."""
    return [tensor.detach() for tensor in (*network.parameters(), *network.buffers())]
