"""What moves the learning rates: a schedule, a warm-up before it, and the rate of weight averaging after it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from torch.optim import Optimizer
from torch.optim.swa_utils import SWALR

from app.spec.training.updates.update import BaseUpdate
from app.spec.training.updates.weight_averages import BaseAverage
from workers.training.optim.schedules import JsonState, build_schedule, json_state, scale_by_group
from workers.training.optim.weight_averages import AveragingSchedule, averaging_schedule


class LearningRateSchedule(Protocol):
    """Moves the learning rates of an optimizer's groups."""

    def after_step(self, epoch_ended: bool) -> None:
        """Move on after an optimizer step."""
        ...

    def after_evaluation(self, values: Mapping[str, float]) -> None:
        """Move on after an evaluation; `values` are by series."""
        ...

    def state_dict(self) -> JsonState:
        """Return what changes while training, as JSON."""
        ...

    def load_state_dict(self, state: JsonState) -> None:
        """Restore what `state_dict` returned."""
        ...


class WarmupSchedule:
    """A linear warm-up: the rates of a schedule, times a factor that rises to 1."""

    def __init__(
        self, schedule: LearningRateSchedule | None, optimizer: Optimizer, steps: int, start_factor: float
    ) -> None:
        self._schedule, self._optimizer, self._steps, self._start = schedule, optimizer, steps, start_factor
        self._done = 0
        self._scheduled_rates: list[float] = []  # by group, without the factor
        self._apply_factor()

    @property
    def done(self) -> int:
        """How many steps of the warm-up, and after it, are finished."""
        return self._done

    def after_step(self, epoch_ended: bool) -> None:
        """Move on after an optimizer step."""
        self._restore_scheduled_rates()
        if self._schedule is not None:
            self._schedule.after_step(epoch_ended)
        self._done += 1
        self._apply_factor()

    def after_evaluation(self, values: Mapping[str, float]) -> None:
        """Move on after an evaluation; `values` are by series."""
        self._restore_scheduled_rates()
        if self._schedule is not None:
            self._schedule.after_evaluation(values)
        self._apply_factor()

    def state_dict(self) -> JsonState:
        """Return what changes while training, as JSON."""
        rates = self._schedule.state_dict() if self._schedule is not None else None
        return {"done": self._done, "whole": self._scheduled_rates, "rates": rates}

    def load_state_dict(self, state: JsonState) -> None:
        """Restore what `state_dict` returned."""
        self._done, self._scheduled_rates = state["done"], list(state["whole"])
        if self._schedule is not None:
            self._schedule.load_state_dict(state["rates"])

    def skip_to(self, done: int) -> None:
        """Go on as after `done` steps; the schedule stays where it is."""
        self._restore_scheduled_rates()
        self._done = done
        self._apply_factor()

    def _restore_scheduled_rates(self) -> None:
        """Set the rates without the factor, for the schedule to go on from: dividing would not give the same bits."""
        for group, rate in zip(self._optimizer.param_groups, self._scheduled_rates, strict=True):
            group["lr"] = rate

    def _apply_factor(self) -> None:
        groups = self._optimizer.param_groups
        self._scheduled_rates = [group["lr"] for group in groups]
        if self._done < self._steps:
            factor = self._start + (1 - self._start) * self._done / self._steps
            for group in groups:
                group["lr"] *= factor


class SWASchedule:
    """The rates of a schedule until the weights are averaged, and those of torch's `SWALR` from then on."""

    def __init__(
        self, schedule: LearningRateSchedule | None, swalr: SWALR, averaging: AveragingSchedule, done: int = 0
    ) -> None:
        self._schedule, self._swalr, self._averaging = schedule, swalr, averaging
        self._done = done  # steps of the run

    def after_step(self, epoch_ended: bool) -> None:
        """Move on after an optimizer step."""
        self._done += 1
        if self._averaging.is_due(self._done):
            self._swalr.step()
        elif self._schedule is not None and self._done <= self._averaging.start:
            self._schedule.after_step(epoch_ended)

    def after_evaluation(self, values: Mapping[str, float]) -> None:
        """Move on after an evaluation; `values` are by series."""
        if self._schedule is not None and self._done <= self._averaging.start:
            self._schedule.after_evaluation(values)

    def state_dict(self) -> JsonState:
        """Return what changes while training, as JSON."""
        rates = self._schedule.state_dict() if self._schedule is not None else None
        return {"done": self._done, "settled": json_state(self._swalr.state_dict()), "rates": rates}

    def load_state_dict(self, state: JsonState) -> None:
        """Restore what `state_dict` returned."""
        self._done = state["done"]
        self._swalr.load_state_dict(dict(state["settled"]))
        if self._schedule is not None:
            self._schedule.load_state_dict(state["rates"])


@dataclass(frozen=True, slots=True)
class RunLength:
    """The length of a run in steps, and where its schedule began: at 0, unless an edit has begun a new one."""

    total_steps: int
    steps_per_epoch: int
    schedule_step: int = 0  # the schedule has the steps from here to the end
    epoch_step: int = 0  # epochs have had their present length from here on


def build_learning_rate_schedule(
    update: BaseUpdate, average: BaseAverage | None, optimizer: Optimizer, run: RunLength, pointer: str = "/training"
) -> LearningRateSchedule | None:
    """Build what moves the rates of an update; `None` if they stay. Raises `BuildError` as `build_schedule` does.

    `average` is that of the plan, and `pointer` that of the update.
    """
    schedule: LearningRateSchedule | None = None
    swalr = _build_swalr(average, optimizer)  # before the schedule, which may change the groups' rates
    per_epoch, begin = run.steps_per_epoch, run.schedule_step
    if update.schedule is not None:
        steps = max(1, run.total_steps - begin)
        momentum = update.optimizer.has_momentum
        schedule = build_schedule(update.schedule, optimizer, steps, per_epoch, has_momentum=momentum, pointer=pointer)
    if average is not None and swalr is not None:
        averaging = averaging_schedule(average, run.total_steps, per_epoch, run.epoch_step)
        schedule = SWASchedule(schedule, swalr, averaging, begin)
    if (warmup := update.warmup) is not None:
        schedule = WarmupSchedule(schedule, optimizer, warmup.warmup_steps(per_epoch), warmup.start_factor)
    return schedule


def _build_swalr(average: BaseAverage | None, optimizer: Optimizer) -> SWALR | None:
    settings = average.settings() if average is not None else {}
    if settings.get("lr") is None:
        return None
    rates = scale_by_group(settings["lr"], optimizer)
    return SWALR(optimizer, rates, settings["anneal_epochs"], settings["anneal_strategy"])  # type: ignore[arg-type]
