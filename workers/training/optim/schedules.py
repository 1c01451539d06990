"""Learning-rate schedules by kind."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch.optim import Optimizer, lr_scheduler

from app.errors import BuildError
from app.spec.training.schedules import BaseSchedule

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
RUN_LENGTH_SETTINGS = {
    "CosineAnnealingLR": "T_max",
    "PolynomialLR": "total_iters",
}  # a setting that defaults to the whole run
# Settings that are rates of the plan's own group, and in proportion of every other.
RATE_SETTINGS = {"OneCycleLR": ("max_lr",), "CyclicLR": ("base_lr", "max_lr")}
MOMENTUM_SCHEDULES = frozenset({"OneCycleLR", "CyclicLR"})
PLATEAU = "ReduceLROnPlateau"


@dataclass(frozen=True)
class TorchSchedule:
    """A schedule and when it moves: after every step, after every epoch, or after an evaluation."""

    kind: str
    interval: str  # step, epoch, evaluation
    monitor: str  # series, for an interval of evaluation
    scheduler: Any  # torch's scheduler

    def after_step(self, epoch_ended: bool) -> None:
        """Move on after an optimizer step."""
        if self.interval == "step" or (self.interval == "epoch" and epoch_ended):
            self.scheduler.step()

    def after_evaluation(self, values: Mapping[str, float]) -> None:
        """Move on after an evaluation."""
        if self.interval == "evaluation" and self.monitor in values:
            self.scheduler.step(values[self.monitor])

    def state_dict(self) -> dict[str, Any]:
        """Return what changes while training; settings, which the spec holds, are left out. JSON."""
        return json_state(self.scheduler.state_dict())

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        self.scheduler.load_state_dict(dict(state))


def build_schedule(spec: BaseSchedule, optimizer: Optimizer, total_steps: int, steps_per_epoch: int) -> TorchSchedule:
    """Build the schedule, filled in with the length of the run. Raises `BuildError` if torch refuses its settings."""
    settings = {name: getattr(spec, name) for name in type(spec).model_fields if name != "kind"}
    monitor = settings.pop("monitor", "")
    interval = settings.pop("interval", "evaluation" if spec.kind == PLATEAU else "step")
    length = total_steps if interval == "step" else -(-total_steps // steps_per_epoch)
    whole = RUN_LENGTH_SETTINGS.get(spec.kind)
    if whole is not None and settings[whole] is None:
        settings[whole] = length
    if spec.kind == "OneCycleLR":
        settings["total_steps"] = total_steps
    if spec.kind in MOMENTUM_SCHEDULES and settings["cycle_momentum"] is None:
        defaults = optimizer.defaults
        settings["cycle_momentum"] = "betas" in defaults or defaults.get("momentum", 0) > 0
    for name in RATE_SETTINGS.get(spec.kind, ()):
        settings[name] = scale_by_group(settings[name], optimizer)
    try:
        return TorchSchedule(spec.kind, interval, monitor, SCHEDULES[spec.kind](optimizer, **settings))
    except (ValueError, ZeroDivisionError) as error:
        raise BuildError(f"{spec.kind}: {error}", pointer="/training/schedule") from error


def scale_by_group(rate: float, optimizer: Optimizer) -> float | list[float]:
    """Return a rate for each group: as much more than `rate` as its own rate is more than the plan's."""
    own = optimizer.defaults["lr"]
    rates = [rate if own in (0, group["lr"]) else rate * group["lr"] / own for group in optimizer.param_groups]
    return rates if len(rates) > 1 else rates[0]


def json_state(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return what JSON can hold of a scheduler's state: the rest is made of settings."""
    return {name: value for name, value in state.items() if _is_json(value)}


def _is_json(value: object) -> bool:
    if isinstance(value, list):
        return all(map(_is_json, value))
    return value is None or isinstance(value, bool | int | float | str)
