"""What moves the rates of learning: a schedule, a warm-up before it, and what takes its place at the end."""

from collections.abc import Mapping
from typing import Any, Protocol

from torch.optim import Optimizer
from torch.optim.swa_utils import SWALR

from app.spec.training.plan import Training
from workers.training.optim.schedules import build_schedule, json_state, scale_by_group
from workers.training.optim.weight_averages import AveragingSchedule, averaging_schedule


class LearningRateSchedule(Protocol):
    """What moves the rates of an optimiser's groups."""

    def after_step(self, epoch_ended: bool) -> None:
        """Move on after an optimizer step."""
        ...

    def after_evaluation(self, values: Mapping[str, float]) -> None:
        """Move on after an evaluation."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return what changes while training. JSON."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        ...


class WarmupSchedule:
    """Rates that rise in a line: those of a schedule, times a factor that grows to 1."""

    def __init__(
        self, rates: LearningRateSchedule | None, optimizer: Optimizer, steps: int, start_factor: float
    ) -> None:
        self._schedule, self._optimizer, self._steps, self._start = rates, optimizer, steps, start_factor
        self._done = 0
        self._scheduled_rates: list[float] = []  # by group, what the schedule says
        self._apply_warmup()

    def after_step(self, epoch_ended: bool) -> None:
        """Move on after an optimizer step."""
        self._restore_scheduled_rates()
        if self._schedule is not None:
            self._schedule.after_step(epoch_ended)
        self._done += 1
        self._apply_warmup()

    def after_evaluation(self, values: Mapping[str, float]) -> None:
        """Move on after an evaluation."""
        self._restore_scheduled_rates()
        if self._schedule is not None:
            self._schedule.after_evaluation(values)
        self._apply_warmup()

    def state_dict(self) -> dict[str, Any]:
        """Return what changes while training. JSON."""
        rates = self._schedule.state_dict() if self._schedule is not None else None
        return {"done": self._done, "whole": self._scheduled_rates, "rates": rates}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        self._done, self._scheduled_rates = state["done"], list(state["whole"])
        if self._schedule is not None:
            self._schedule.load_state_dict(state["rates"])

    def _restore_scheduled_rates(self) -> None:
        """Put the schedule's rates back, to go on from: a product cannot be undone to the bit."""
        for group, rate in zip(self._optimizer.param_groups, self._scheduled_rates, strict=True):
            group["lr"] = rate

    def _apply_warmup(self) -> None:
        groups = self._optimizer.param_groups
        self._scheduled_rates = [group["lr"] for group in groups]
        if self._done < self._steps:
            factor = self._start + (1 - self._start) * self._done / self._steps
            for group in groups:
                group["lr"] *= factor


class SWASchedule:
    """Rates of a schedule until the weights are averaged, and from then on those that are best to average at."""

    def __init__(self, rates: LearningRateSchedule | None, settled: SWALR, turns: AveragingSchedule) -> None:
        self._schedule, self._swalr, self._averaging = rates, settled, turns
        self._done = 0

    def after_step(self, epoch_ended: bool) -> None:
        """Move on after an optimizer step."""
        self._done += 1
        if self._averaging.is_due(self._done):
            self._swalr.step()
        elif self._schedule is not None and self._done <= self._averaging.start:
            self._schedule.after_step(epoch_ended)

    def after_evaluation(self, values: Mapping[str, float]) -> None:
        """Move on after an evaluation."""
        if self._schedule is not None and self._done <= self._averaging.start:
            self._schedule.after_evaluation(values)

    def state_dict(self) -> dict[str, Any]:
        """Return what changes while training. JSON."""
        rates = self._schedule.state_dict() if self._schedule is not None else None
        return {"done": self._done, "settled": json_state(self._swalr.state_dict()), "rates": rates}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        self._done = state["done"]
        self._swalr.load_state_dict(dict(state["settled"]))
        if self._schedule is not None:
            self._schedule.load_state_dict(state["rates"])


def build_learning_rate_schedule(
    plan: Training, optimizer: Optimizer, total_steps: int, steps_per_epoch: int
) -> LearningRateSchedule | None:
    """Build what moves the rates of a plan, if anything does. Raises as `build_schedule` does."""
    rates: LearningRateSchedule | None = None
    settled = _build_swalr(plan.average, optimizer)  # before the schedule, which may set rates of its own
    if plan.schedule is not None:
        rates = build_schedule(plan.schedule, optimizer, total_steps, steps_per_epoch)
    if plan.average is not None and settled is not None:
        rates = SWASchedule(rates, settled, averaging_schedule(plan.average, total_steps, steps_per_epoch))
    if plan.warmup is not None:
        rates = WarmupSchedule(rates, optimizer, plan.warmup.warmup_steps(steps_per_epoch), plan.warmup.start_factor)
    return rates


def _build_swalr(average: Any, optimizer: Optimizer) -> SWALR | None:
    if average is None or average.kind != "swa" or average.lr is None:
        return None
    rates: Any = scale_by_group(average.lr, optimizer)
    return SWALR(optimizer, rates, average.anneal_epochs, average.anneal_strategy)
