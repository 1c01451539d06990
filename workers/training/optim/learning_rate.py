"""What moves the rates of learning: a schedule, a warm-up before it, and what takes its place at the end."""

from collections.abc import Mapping
from typing import Any, Protocol

from torch.optim import Optimizer
from torch.optim.swa_utils import SWALR

from app.spec.training.plan import Training
from workers.training.optim.schedules import build_schedule, in_proportion, plain
from workers.training.optim.weight_averages import Turns, turns_of


class Rates(Protocol):
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


class Warmup:
    """Rates that rise in a line: those of a schedule, times a factor that grows to 1."""

    def __init__(self, rates: Rates | None, optimizer: Optimizer, steps: int, start_factor: float) -> None:
        self._rates, self._optimizer, self._steps, self._start = rates, optimizer, steps, start_factor
        self._done = 0
        self._whole: list[float] = []  # by group, what the schedule says
        self._press()

    def after_step(self, epoch_ended: bool) -> None:
        """Move on after an optimizer step."""
        self._lift()
        if self._rates is not None:
            self._rates.after_step(epoch_ended)
        self._done += 1
        self._press()

    def after_evaluation(self, values: Mapping[str, float]) -> None:
        """Move on after an evaluation."""
        self._lift()
        if self._rates is not None:
            self._rates.after_evaluation(values)
        self._press()

    def state_dict(self) -> dict[str, Any]:
        """Return what changes while training. JSON."""
        rates = self._rates.state_dict() if self._rates is not None else None
        return {"done": self._done, "whole": self._whole, "rates": rates}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        self._done, self._whole = state["done"], list(state["whole"])
        if self._rates is not None:
            self._rates.load_state_dict(state["rates"])

    def _lift(self) -> None:
        """Put the schedule's rates back, to go on from: a product cannot be undone to the bit."""
        for group, rate in zip(self._optimizer.param_groups, self._whole, strict=True):
            group["lr"] = rate

    def _press(self) -> None:
        groups = self._optimizer.param_groups
        self._whole = [group["lr"] for group in groups]
        if self._done < self._steps:
            factor = self._start + (1 - self._start) * self._done / self._steps
            for group in groups:
                group["lr"] *= factor


class Settling:
    """Rates of a schedule until the weights are averaged, and from then on those that are best to average at."""

    def __init__(self, rates: Rates | None, settled: SWALR, turns: Turns) -> None:
        self._rates, self._settled, self._turns = rates, settled, turns
        self._done = 0

    def after_step(self, epoch_ended: bool) -> None:
        """Move on after an optimizer step."""
        self._done += 1
        if self._turns.due(self._done):
            self._settled.step()
        elif self._rates is not None and self._done <= self._turns.start:
            self._rates.after_step(epoch_ended)

    def after_evaluation(self, values: Mapping[str, float]) -> None:
        """Move on after an evaluation."""
        if self._rates is not None and self._done <= self._turns.start:
            self._rates.after_evaluation(values)

    def state_dict(self) -> dict[str, Any]:
        """Return what changes while training. JSON."""
        rates = self._rates.state_dict() if self._rates is not None else None
        return {"done": self._done, "settled": plain(self._settled.state_dict()), "rates": rates}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        self._done = state["done"]
        self._settled.load_state_dict(dict(state["settled"]))
        if self._rates is not None:
            self._rates.load_state_dict(state["rates"])


def build_rates(plan: Training, optimizer: Optimizer, total_steps: int, steps_per_epoch: int) -> Rates | None:
    """Build what moves the rates of a plan, if anything does. Raises as `build_schedule` does."""
    rates: Rates | None = None
    settled = _settled(plan.average, optimizer)  # before the schedule, which may set rates of its own
    if plan.schedule is not None:
        rates = build_schedule(plan.schedule, optimizer, total_steps, steps_per_epoch)
    if plan.average is not None and settled is not None:
        rates = Settling(rates, settled, turns_of(plan.average, total_steps, steps_per_epoch))
    if plan.warmup is not None:
        rates = Warmup(rates, optimizer, plan.warmup.length(steps_per_epoch), plan.warmup.start_factor)
    return rates


def _settled(average: Any, optimizer: Optimizer) -> SWALR | None:
    if average is None or average.kind != "swa" or average.lr is None:
        return None
    rates: Any = in_proportion(average.lr, optimizer)
    return SWALR(optimizer, rates, average.anneal_epochs, average.anneal_strategy)
