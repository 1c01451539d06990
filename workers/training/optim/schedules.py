"""Learning-rate schedules by kind."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from torch.optim import Optimizer, lr_scheduler

from app.errors import BuildError
from app.spec.training.schedules import BaseSchedule

JsonState = Mapping[str, Any]  # what JSON can hold

SCHEDULES: Mapping[str, type[lr_scheduler.LRScheduler]] = {
    "StepLR": lr_scheduler.StepLR,
    "MultiStepLR": lr_scheduler.MultiStepLR,
    "ExponentialLR": lr_scheduler.ExponentialLR,
    "CosineAnnealingLR": lr_scheduler.CosineAnnealingLR,
    "CosineAnnealingWarmRestarts": lr_scheduler.CosineAnnealingWarmRestarts,
    "LinearLR": lr_scheduler.LinearLR,
    "ConstantLR": lr_scheduler.ConstantLR,
    "PolynomialLR": lr_scheduler.PolynomialLR,
    "OneCycleLR": lr_scheduler.OneCycleLR,
    "CyclicLR": lr_scheduler.CyclicLR,
    "ReduceLROnPlateau": lr_scheduler.ReduceLROnPlateau,
    "SequentialLR": lr_scheduler.SequentialLR,
    "ChainedScheduler": lr_scheduler.ChainedScheduler,
}
PARTS = "_schedulers"  # of the state of a schedule that is made of others


@dataclass(frozen=True)
class TorchSchedule:
    """A torch schedule, and when it moves: after every step, after every epoch, or after an evaluation."""

    scheduler: lr_scheduler.LRScheduler
    interval: Literal["step", "epoch", "evaluation"]
    monitor: str = ""  # series that a plateau is looked for in

    def after_step(self, epoch_ended: bool) -> None:
        """Move on after an optimizer step."""
        if self.interval == "step" or (self.interval == "epoch" and epoch_ended):
            # Rates count the loop's steps: torch would warn of an update that is not taken at the first one (`every`).
            vars(self.scheduler.optimizer)["_opt_called"] = True
            self.scheduler.step()

    def after_evaluation(self, values: Mapping[str, float]) -> None:
        """Move on after an evaluation; `values` are by series. NaN is no value, and no plateau."""
        value = values.get(self.monitor, math.nan)
        if isinstance(self.scheduler, lr_scheduler.ReduceLROnPlateau) and not math.isnan(value):
            self.scheduler.step(value)

    def state_dict(self) -> JsonState:
        """Return what changes while training, as JSON; settings, which the spec holds, are left out."""
        return json_state(self.scheduler.state_dict())

    def load_state_dict(self, state: JsonState) -> None:
        """Restore what `state_dict` returned."""
        parts = {PARTS: list(state[PARTS].values())} if PARTS in state else {}
        self.scheduler.load_state_dict({**state, **parts})


@dataclass(frozen=True)
class ChainedSchedule:
    """Schedules that each move the rates by a factor, at their own intervals; torch's `ChainedScheduler` has one."""

    parts: Sequence[TorchSchedule]

    def after_step(self, epoch_ended: bool) -> None:
        """Move on after an optimizer step."""
        for part in self.parts:
            part.after_step(epoch_ended)

    def after_evaluation(self, values: Mapping[str, float]) -> None:
        """Stay: no part looks at an evaluation."""

    def state_dict(self) -> JsonState:
        """Return what changes while training, as JSON."""
        return {str(position): part.state_dict() for position, part in enumerate(self.parts)}

    def load_state_dict(self, state: JsonState) -> None:
        """Restore what `state_dict` returned."""
        for position, part in enumerate(self.parts):
            part.load_state_dict(state[str(position)])


def build_schedule(
    spec: BaseSchedule,
    optimizer: Optimizer,
    total_steps: int,
    steps_per_epoch: int,
    *,
    has_momentum: bool,
    pointer: str = "/training",
) -> TorchSchedule | ChainedSchedule:
    """Build a schedule for a run of `total_steps`. Raises `BuildError` if torch rejects a setting.

    `has_momentum` decides whether momentum is cycled where the spec leaves it open; `pointer` is that of the update.
    """
    epochs = -(-total_steps // steps_per_epoch)
    lengths = {"step": total_steps, "epoch": epochs}
    try:
        if not spec.parts:
            return _build_plain(spec, optimizer, lengths, has_momentum)
        if spec.kind == "ChainedScheduler":
            return ChainedSchedule([_build_plain(part, optimizer, lengths, has_momentum) for part in spec.parts])
        return _build_sequence(spec, optimizer, lengths, has_momentum)
    except (ValueError, ZeroDivisionError) as error:
        raise BuildError(f"{spec.kind}: {error}", pointer=f"{pointer}/schedule") from error


def _build_plain(
    spec: BaseSchedule, optimizer: Optimizer, lengths: Mapping[str, int], has_momentum: bool
) -> TorchSchedule:
    """Build a schedule that is not made of others; `lengths` are its steps and epochs."""
    row, settings = spec.row, spec.settings()
    monitor = settings.pop("monitor", "")
    interval = settings.pop("interval", "evaluation" if row.on_plateau else "step")
    if row.run_length is not None and settings.get(row.run_length) is None:
        settings[row.run_length] = lengths[interval]
    if row.cycles_momentum and settings["cycle_momentum"] is None:
        settings["cycle_momentum"] = has_momentum
    for name in row.rates:
        settings[name] = scale_by_group(settings[name], optimizer)
    return TorchSchedule(SCHEDULES[spec.kind](optimizer, **settings), interval, monitor)


def _build_sequence(
    spec: BaseSchedule, optimizer: Optimizer, lengths: Mapping[str, int], has_momentum: bool
) -> TorchSchedule:
    """Build schedules of which one follows another; each has the interval of the sequence."""
    settings = spec.settings()
    interval, milestones = settings["interval"], list(settings["milestones"])
    parts = []
    for part, begin, end in zip(spec.parts, [0, *milestones], [*milestones, lengths[interval]], strict=True):
        counted = part.model_copy(update={"interval": interval})
        own = {interval: max(1, end - begin)}
        parts.append(_build_plain(counted, optimizer, own, has_momentum).scheduler)
    return TorchSchedule(lr_scheduler.SequentialLR(optimizer, parts, milestones), interval)


def scale_by_group(rate: float, optimizer: Optimizer) -> float | list[float]:
    """Return a rate for each group, in the proportion of the groups' own rates; a single number for a single group."""
    own = optimizer.defaults["lr"]
    rates = [rate if own in (0, group["lr"]) else rate * group["lr"] / own for group in optimizer.param_groups]
    return rates if len(rates) > 1 else rates[0]


def json_state(state: Mapping[str, object]) -> JsonState:
    """Return the part of a scheduler's state that JSON can hold: the rest follows from its settings.

    The states of the schedulers that it is made of are by their position.
    """
    kept = {name: value for name, value in state.items() if _is_json(value)}
    parts = state.get(PARTS)
    if isinstance(parts, list):
        kept[PARTS] = {str(position): json_state(part) for position, part in enumerate(parts)}
    return kept


def _is_json(value: object) -> bool:
    if isinstance(value, list):
        return all(map(_is_json, value))
    return value is None or isinstance(value, bool | int | float | str)
