"""Running averages of the weights, in a copy of the network."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn, get_swa_multi_avg_fn

from app.spec.training.updates.weight_averages import BaseAverage
from workers.network.runtime.build import BuiltNetwork

# From (averages, weights, number of updates before) to new averages, in place.
Settings = Mapping[str, Any]  # of a kind of average
AveragingFunction = Callable[[list[Tensor], list[Tensor], int], None]


@dataclass(frozen=True)
class AveragingSchedule:
    """After which steps the average is updated: every `every`-th one after `start`, counted from `origin`."""

    start: int
    every: int
    origin: int = 0

    def is_due(self, step: int) -> bool:
        """Say whether the average is updated after `step` (counted from 1)."""
        return step > self.start and (step - self.origin) % self.every == 0

    def occurs_within(self, steps: int) -> bool:
        """Say whether a run of `steps` steps updates it at all."""
        return steps // self.every * self.every > self.start


def _ema(settings: Settings) -> AveragingFunction:
    function: AveragingFunction = get_ema_multi_avg_fn(settings["decay"])
    return function


def _swa(settings: Settings) -> AveragingFunction:
    function: AveragingFunction = get_swa_multi_avg_fn()
    return function


def _ema_schedule(settings: Settings, total_steps: int, steps_per_epoch: int) -> AveragingSchedule:
    return AveragingSchedule(settings["start_step"], settings["every_steps"])


def _swa_schedule(settings: Settings, total_steps: int, steps_per_epoch: int) -> AveragingSchedule:
    every = steps_per_epoch if settings["every"] == "epoch" else 1
    return AveragingSchedule(int(settings["start"] * total_steps), every)


ScheduleFunction = Callable[[Settings, int, int], AveragingSchedule]  # of total steps, and steps of an epoch

# Kind → (update of the average, its schedule).
AVERAGES: Mapping[str, tuple[Callable[[Settings], AveragingFunction], ScheduleFunction]] = {
    "ema": (_ema, _ema_schedule),
    "swa": (_swa, _swa_schedule),
}


def averaging_schedule(
    spec: BaseAverage, total_steps: int, steps_per_epoch: int, epoch_origin: int = 0
) -> AveragingSchedule:
    """Return after which steps the average is updated; epochs have this length from step `epoch_origin` on."""
    schedule = AVERAGES[spec.kind][1](spec.settings(), total_steps, steps_per_epoch)
    return replace(schedule, origin=epoch_origin % schedule.every) if spec.counts_epochs else schedule


class WeightAverage:
    """The averaged weights, in a network of their own, and the number of updates.

    Floating-point buffers (running statistics of batch normalisation) are averaged like weights; integer ones are
    copied from the latest network.
    """

    def __init__(self, network: BuiltNetwork, spec: BaseAverage, schedule: AveragingSchedule) -> None:
        self.network = copy.deepcopy(network).requires_grad_(False)
        self.count = 0
        self._update, self._schedule = AVERAGES[spec.kind][0](spec.settings()), schedule
        pairs = list(zip(_parameters_and_buffers(self.network), _parameters_and_buffers(network), strict=True))
        averaged = [pair for pair in pairs if pair[0].is_floating_point()]
        self._means, self._weights = [mean for mean, _ in averaged], [weight for _, weight in averaged]
        self._copied = [pair for pair in pairs if not pair[0].is_floating_point()]

    def begins_after(self, step: int) -> bool:
        """Say whether no step up to this one (counted from 1) updates the average."""
        return self._schedule.start >= step

    def after_step(self, step: int) -> None:
        """Update the average after a step (counted from 1), if it is due."""
        if not self._schedule.is_due(step):
            return
        copied = self._copied
        if self.count == 0:
            copied = [*copied, *zip(self._means, self._weights, strict=True)]
        else:
            self._update(self._means, self._weights, self.count)
        for target, source in copied:
            target.copy_(source)
        self.count += 1


def _parameters_and_buffers(network: BuiltNetwork) -> list[Tensor]:
    """Return tensors that share memory with the network, which training changes in place."""
    return [tensor.detach() for tensor in (*network.parameters(), *network.buffers())]
