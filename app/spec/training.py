"""The plan: optimisers, schedules, and when to evaluate, save and stop."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, TypeAdapter, model_validator

from app.spec.base import Count, Finite, NotNegative, Part, Positive, Probability, Size, problem
from app.spec.kinds import Kind, Table, classes, closed_union

Betas = tuple[Probability, Probability]
Steps = Annotated[int, Field(strict=True, ge=1, le=10**12)]

_LR = (NotNegative, 1e-3)
_DECAY = (NotNegative, 0.0)

OPTIMIZERS: Table = {
    "SGD": Kind("Stochastic gradient descent.", {
        "lr": _LR, "momentum": (NotNegative, 0.0), "dampening": (NotNegative, 0.0), "weight_decay": _DECAY,
        "nesterov": (bool, False)}),
    "Adam": Kind("Kingma and Ba (2015).", {
        "lr": _LR, "betas": (Betas, (0.9, 0.999)), "eps": (Positive, 1e-8), "weight_decay": _DECAY,
        "amsgrad": (bool, False), "decoupled_weight_decay": (bool, False)}),
    "AdamW": Kind("Loshchilov and Hutter (2019).", {
        "lr": _LR, "betas": (Betas, (0.9, 0.999)), "eps": (Positive, 1e-8), "weight_decay": (NotNegative, 0.01),
        "amsgrad": (bool, False)}),
    "NAdam": Kind("Adam with Nesterov momentum.", {
        "lr": (NotNegative, 2e-3), "betas": (Betas, (0.9, 0.999)), "eps": (Positive, 1e-8), "weight_decay": _DECAY,
        "momentum_decay": (NotNegative, 4e-3), "decoupled_weight_decay": (bool, False)}),
    "RAdam": Kind("Adam with a rectified warm-up.", {
        "lr": _LR, "betas": (Betas, (0.9, 0.999)), "eps": (Positive, 1e-8), "weight_decay": _DECAY,
        "decoupled_weight_decay": (bool, False)}),
    "Adamax": Kind("Adam with the infinity norm.", {
        "lr": (NotNegative, 2e-3), "betas": (Betas, (0.9, 0.999)), "eps": (Positive, 1e-8), "weight_decay": _DECAY}),
    "Adagrad": Kind("Duchi et al. (2011).", {
        "lr": (NotNegative, 1e-2), "lr_decay": (NotNegative, 0.0), "weight_decay": _DECAY,
        "initial_accumulator_value": (NotNegative, 0.0), "eps": (Positive, 1e-10)}),
    "Adadelta": Kind("Zeiler (2012).", {
        "lr": (NotNegative, 1.0), "rho": (Probability, 0.9), "eps": (Positive, 1e-6), "weight_decay": _DECAY}),
    "RMSprop": Kind("Root mean square propagation.", {
        "lr": (NotNegative, 1e-2), "alpha": (Probability, 0.99), "eps": (Positive, 1e-8), "weight_decay": _DECAY,
        "momentum": (NotNegative, 0.0), "centered": (bool, False)}),
    "Rprop": Kind("Resilient backpropagation, for full batches.", {
        "lr": (NotNegative, 1e-2), "etas": (tuple[Positive, Positive], (0.5, 1.2)),
        "step_sizes": (tuple[Positive, Positive], (1e-6, 50.0))}),
    "ASGD": Kind("Averaged stochastic gradient descent.", {
        "lr": (NotNegative, 1e-2), "lambd": (NotNegative, 1e-4), "alpha": (NotNegative, 0.75), "t0": (Positive, 1e6),
        "weight_decay": _DECAY}),
    "Adafactor": Kind("Shazeer and Stern (2018).", {
        "lr": (NotNegative, 1e-2), "beta2_decay": (Finite, -0.8),
        "eps": (tuple[Positive | None, Positive], (None, 1e-3)), "d": (Positive, 1.0), "weight_decay": _DECAY}),
    "Muon": Kind("Momentum made orthogonal, for matrices alone (Jordan 2024).", {
        "lr": _LR, "weight_decay": (NotNegative, 0.1), "momentum": (NotNegative, 0.95), "nesterov": (bool, True),
        "ns_coefficients": (tuple[Finite, Finite, Finite], (3.4445, -4.775, 2.0315)), "eps": (Positive, 1e-7),
        "ns_steps": (Annotated[int, Field(strict=True, ge=1, le=99)], 5),
        "adjust_lr_fn": (Literal["original", "match_rms_adamw"] | None, None)}),
}  # fmt: skip

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


class BaseOptimizer(Part):
    """What every optimiser has."""

    kind: str


class BaseSchedule(Part):
    """What every schedule has."""

    kind: str


OPTIMIZER_CLASSES = classes(OPTIMIZERS, BaseOptimizer)
SCHEDULE_CLASSES = classes(SCHEDULES, BaseSchedule)

if TYPE_CHECKING:
    Optimizer = BaseOptimizer
    Schedule = BaseSchedule
else:
    Optimizer, Schedule = map(closed_union, (OPTIMIZER_CLASSES, SCHEDULE_CLASSES))


class EarlyStop(Part):
    """Stop when the monitored value has not improved for `patience` evaluations."""

    monitor: str = "val/loss"
    mode: Literal["min", "max"] = "min"
    patience: Size = 3
    min_delta: NotNegative = 0.0


class Checkpointing(Part):
    """When checkpoints are taken and which are kept. The last one is always taken at the end."""

    every_steps: Steps | None = None
    every_seconds: Positive | None = 60.0
    keep_last: Size = 2
    keep_best: Count = 1
    monitor: str = "val/loss"
    mode: Literal["min", "max"] = "min"


class Evaluation(Part):
    """When the held-out examples are evaluated: at the end of every epoch unless `every_steps` says otherwise."""

    every_steps: Steps | None = None


def _adam() -> BaseOptimizer:
    """Return the default: Adam with its own defaults."""
    return TypeAdapter[BaseOptimizer](Optimizer).validate_python({"kind": "Adam"})


class Training(Part):
    """The plan."""

    optimizer: Optimizer = Field(default_factory=_adam)
    schedule: Schedule | None = None
    epochs: Steps | None = None
    steps: Steps | None = None
    batch_size: Size = 64
    accumulate: Size = 1
    clip_norm: Positive | None = None
    precision: Literal["float32", "bf16", "fp16"] = "float32"
    mode: Literal["eager", "compiled"] = "eager"
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    seed: Annotated[int, Field(strict=True, ge=0, le=2**63 - 1)] = 0
    deterministic: bool = True
    drop_last: bool = False
    on_nan: Literal["fail", "skip", "ignore"] = "fail"
    evaluate: Evaluation = Evaluation()
    early_stop: EarlyStop | None = None
    checkpoint: Checkpointing = Checkpointing()

    @model_validator(mode="after")
    def _one_length(self) -> "Training":
        if self.epochs is not None and self.steps is not None:
            raise problem("contradiction", "a plan is measured in epochs or in steps, not in both", "remove one")
        return self

    def total_steps(self, steps_per_epoch: int) -> int:
        """Return the number of optimizer steps of the whole run (one epoch by default)."""
        return self.steps or (self.epochs or 1) * steps_per_epoch
