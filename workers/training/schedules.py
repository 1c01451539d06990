"""Learning-rate schedules by kind."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from torch.optim import Optimizer, lr_scheduler
from torch.optim.swa_utils import SWALR

from app.errors import BuildError
from app.spec.schedules import BaseSchedule
from app.spec.training import Training
from workers.training.averages import Turns, turns_of

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
}
WHOLE_RUN = {"CosineAnnealingLR": "T_max", "PolynomialLR": "total_iters"}  # a setting that defaults to the whole run
RATES = {
    "OneCycleLR": ("max_lr",),
    "CyclicLR": ("base_lr", "max_lr"),
}  # settings that are rates of the plan's own group
MOVES_MOMENTUM = frozenset({"OneCycleLR", "CyclicLR"})
PLATEAU = "ReduceLROnPlateau"


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


@dataclass(frozen=True)
class Schedule:
    """A schedule and when it moves: after every step, after every epoch, or after an evaluation."""

    kind: str
    interval: str  # step, epoch, evaluation
    monitor: str  # series, for an interval of evaluation
    rates: Any  # torch's scheduler

    def after_step(self, epoch_ended: bool) -> None:
        """Move on after an optimizer step."""
        if self.interval == "step" or (self.interval == "epoch" and epoch_ended):
            self.rates.step()

    def after_evaluation(self, values: Mapping[str, float]) -> None:
        """Move on after an evaluation."""
        if self.interval == "evaluation" and self.monitor in values:
            self.rates.step(values[self.monitor])

    def state_dict(self) -> dict[str, Any]:
        """Return what changes while training; settings, which the spec holds, are left out. JSON."""
        return _plain_ones(self.rates.state_dict())

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        self.rates.load_state_dict(dict(state))


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
        return {"done": self._done, "settled": _plain_ones(self._settled.state_dict()), "rates": rates}

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


def build_schedule(spec: BaseSchedule, optimizer: Optimizer, total_steps: int, steps_per_epoch: int) -> Schedule:
    """Build the schedule, filled in with the length of the run. Raises `BuildError` if torch refuses its settings."""
    settings = {name: getattr(spec, name) for name in type(spec).model_fields if name != "kind"}
    monitor = settings.pop("monitor", "")
    interval = settings.pop("interval", "evaluation" if spec.kind == PLATEAU else "step")
    length = total_steps if interval == "step" else -(-total_steps // steps_per_epoch)
    whole = WHOLE_RUN.get(spec.kind)
    if whole is not None and settings[whole] is None:
        settings[whole] = length
    if spec.kind == "OneCycleLR":
        settings["total_steps"] = total_steps
    if spec.kind in MOVES_MOMENTUM and settings["cycle_momentum"] is None:
        defaults = optimizer.defaults
        settings["cycle_momentum"] = "betas" in defaults or defaults.get("momentum", 0) > 0
    for name in RATES.get(spec.kind, ()):
        settings[name] = _in_proportion(settings[name], optimizer)
    try:
        return Schedule(spec.kind, interval, monitor, SCHEDULES[spec.kind](optimizer, **settings))
    except (ValueError, ZeroDivisionError) as error:
        raise BuildError(f"{spec.kind}: {error}", pointer="/training/schedule") from error


def _settled(average: Any, optimizer: Optimizer) -> SWALR | None:
    if average is None or average.kind != "swa" or average.lr is None:
        return None
    rates: Any = _in_proportion(average.lr, optimizer)
    return SWALR(optimizer, rates, average.anneal_epochs, average.anneal_strategy)


def _in_proportion(rate: float, optimizer: Optimizer) -> float | list[float]:
    """Return a rate for each group: as much more than `rate` as its own rate is more than the plan's."""
    own = optimizer.defaults["lr"]
    rates = [rate * group["lr"] / own if own > 0 else rate for group in optimizer.param_groups]
    return rates if len(rates) > 1 else rate


def _plain_ones(state: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in state.items() if _plain(value)}


def _plain(value: object) -> bool:
    if isinstance(value, list):
        return all(map(_plain, value))
    return value is None or isinstance(value, bool | int | float | str)
