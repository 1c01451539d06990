"""Schedules: how the rate of learning moves."""

from typing import TYPE_CHECKING, Literal

from app.spec.base import Count, NotNegative, Part, Positive, Probability, Size
from app.spec.kinds import Kind, Table, classes, closed_union

_INTERVAL = (Literal["step", "epoch"], "epoch")
_CYCLED = {"cycle_momentum": (bool | None, None)}  # where the optimiser has momentum

SCHEDULES: Table = {
    "StepLR": Kind("Multiplies the rate by gamma every step_size.", {
        "step_size": Size, "gamma": (Positive, 0.1), "interval": _INTERVAL}),
    "MultiStepLR": Kind("Multiplies the rate by gamma at milestones.", {
        "milestones": tuple[Count, ...], "gamma": (Positive, 0.1), "interval": _INTERVAL}),
    "ExponentialLR": Kind("Multiplies the rate by gamma each time.", {"gamma": Positive, "interval": _INTERVAL}),
    "CosineAnnealingLR": Kind("Half a cosine down to eta_min; T_max is the whole run unless given.", {
        "T_max": (Size | None, None), "eta_min": (NotNegative, 0.0), "interval": (Literal["step", "epoch"], "step")}),
    "CosineAnnealingWarmRestarts": Kind("Cosines with restarts.", {
        "T_0": Size, "T_mult": (Size, 1), "eta_min": (NotNegative, 0.0), "interval": _INTERVAL}),
    "LinearLR": Kind("A line between two factors.", {
        "start_factor": (Positive, 1 / 3), "end_factor": (NotNegative, 1.0), "total_iters": (Size, 5),
        "interval": _INTERVAL}),
    "ConstantLR": Kind("A smaller rate at first.", {
        "factor": (Positive, 1 / 3), "total_iters": (Size, 5), "interval": _INTERVAL}),
    "PolynomialLR": Kind("A polynomial down to zero; the whole run unless total_iters is given.", {
        "total_iters": (Size | None, None), "power": (Positive, 1.0), "interval": (Literal["step", "epoch"], "step")}),
    "OneCycleLR": Kind("Up to max_lr and down again over the whole run, step by step (Smith and Topin 2019).", {
        "max_lr": Positive, "pct_start": (Probability, 0.3), "anneal_strategy": (Literal["cos", "linear"], "cos"),
        **_CYCLED, "base_momentum": (Probability, 0.85), "max_momentum": (Probability, 0.95),
        "div_factor": (Positive, 25.0), "final_div_factor": (Positive, 1e4), "three_phase": (bool, False)}),
    "CyclicLR": Kind("Back and forth between two rates, step by step.", {
        "base_lr": NotNegative, "max_lr": Positive, "step_size_up": (Size, 2000), "step_size_down": (Size | None, None),
        "mode": (Literal["triangular", "triangular2", "exp_range"], "triangular"), "gamma": (Positive, 1.0),
        **_CYCLED, "base_momentum": (Probability, 0.8), "max_momentum": (Probability, 0.9)}),
    "ReduceLROnPlateau": Kind("Multiplies the rate by factor when the monitored value stops improving.", {
        "monitor": (str, "val/loss"), "mode": (Literal["min", "max"], "min"), "factor": (Probability, 0.1),
        "patience": (Count, 10), "threshold": (NotNegative, 1e-4), "threshold_mode": (Literal["rel", "abs"], "rel"),
        "cooldown": (Count, 0), "min_lr": (NotNegative, 0.0), "eps": (NotNegative, 1e-8)}),
}  # fmt: skip


class BaseSchedule(Part):
    """What every schedule has."""

    kind: str


SCHEDULE_CLASSES = classes(SCHEDULES, BaseSchedule)

if TYPE_CHECKING:
    Schedule = BaseSchedule
else:
    Schedule = closed_union(SCHEDULE_CLASSES)
