"""Optimisers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal, get_args

from pydantic import Field

from app.spec.base import Finite, NonNegative, Positive, Probability, Size
from app.spec.kinds import Kind, KindModel, create_kind_models, discriminated_union

Beta = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]
Betas = tuple[Beta, Beta]

_LR = (NonNegative, 1e-3)
_BETAS = (Betas, (0.9, 0.999))
_EPS = (Positive, 1e-8)
_DECAY = (NonNegative, 0.0)


@dataclass(frozen=True, slots=True)
class OptimizerKind(Kind):
    """An optimiser: its settings, and facts that depend on its kind. The workers have its torch class."""

    states: int = 0  # tensors of a parameter's shape that it always keeps
    optional_states: tuple[str, ...] = ()  # settings that add one more such tensor
    history: tuple[str, int] | None = None  # a setting that is the length of a history, and tensors for each entry
    momentum: str | None = None  # the setting that is its momentum, which schedules may cycle
    global_settings: frozenset[str] = frozenset()  # settings with one value for all parameters
    closure: bool = False  # evaluates a step's loss several times; all its settings are global
    matrices_only: bool = False  # trains parameters of two dimensions alone
    sparse: bool = False  # takes sparse gradients, where it is not fused


OPTIMIZERS: Mapping[str, OptimizerKind] = {
    "SGD": OptimizerKind(
        "Stochastic gradient descent.",
        {
            "lr": _LR,
            "momentum": (NonNegative, 0.0),
            "dampening": (NonNegative, 0.0),
            "weight_decay": _DECAY,
            "nesterov": (bool, False),
        },
        momentum="momentum",
        optional_states=("momentum",),
        sparse=True,
    ),
    "Adam": OptimizerKind(
        "Kingma and Ba (2015).",
        {
            "lr": _LR,
            "betas": _BETAS,
            "eps": _EPS,
            "weight_decay": _DECAY,
            "amsgrad": (bool, False),
            "decoupled_weight_decay": (bool, False),
        },
        momentum="betas",
        states=2,
        optional_states=("amsgrad",),
    ),
    "AdamW": OptimizerKind(
        "Loshchilov and Hutter (2019).",
        {"lr": _LR, "betas": _BETAS, "eps": _EPS, "weight_decay": (NonNegative, 0.01), "amsgrad": (bool, False)},
        momentum="betas",
        states=2,
        optional_states=("amsgrad",),
    ),
    "NAdam": OptimizerKind(
        "Adam with Nesterov momentum.",
        {
            "lr": (NonNegative, 2e-3),
            "betas": _BETAS,
            "eps": _EPS,
            "weight_decay": _DECAY,
            "momentum_decay": (NonNegative, 4e-3),
            "decoupled_weight_decay": (bool, False),
        },
        momentum="betas",
        states=2,
    ),
    "RAdam": OptimizerKind(
        "Adam with a rectified warm-up.",
        {"lr": _LR, "betas": _BETAS, "eps": _EPS, "weight_decay": _DECAY, "decoupled_weight_decay": (bool, False)},
        momentum="betas",
        states=2,
    ),
    "Adamax": OptimizerKind(
        "Adam with the infinity norm.",
        {"lr": (NonNegative, 2e-3), "betas": _BETAS, "eps": _EPS, "weight_decay": _DECAY},
        momentum="betas",
        states=2,
    ),
    "Adagrad": OptimizerKind(
        "Duchi et al. (2011).",
        {
            "lr": (NonNegative, 1e-2),
            "lr_decay": (NonNegative, 0.0),
            "weight_decay": _DECAY,
            "initial_accumulator_value": (NonNegative, 0.0),
            "eps": (Positive, 1e-10),
        },
        states=1,
        sparse=True,
        global_settings=frozenset({"initial_accumulator_value"}),
    ),
    "Adadelta": OptimizerKind(
        "Zeiler (2012).",
        {"lr": (NonNegative, 1.0), "rho": (Probability, 0.9), "eps": (Positive, 1e-6), "weight_decay": _DECAY},
        states=2,
    ),
    "RMSprop": OptimizerKind(
        "Root mean square propagation.",
        {
            "lr": (NonNegative, 1e-2),
            "alpha": (Probability, 0.99),
            "eps": _EPS,
            "weight_decay": _DECAY,
            "momentum": (NonNegative, 0.0),
            "centered": (bool, False),
        },
        momentum="momentum",
        states=1,
        optional_states=("momentum", "centered"),
    ),
    "Rprop": OptimizerKind(
        "Resilient backpropagation, for full batches.",
        {
            "lr": (NonNegative, 1e-2),
            "etas": (tuple[Positive, Positive], (0.5, 1.2)),
            "step_sizes": (tuple[Positive, Positive], (1e-6, 50.0)),
        },
        states=2,
    ),
    "ASGD": OptimizerKind(
        "Averaged stochastic gradient descent.",
        {
            "lr": (NonNegative, 1e-2),
            "lambd": (NonNegative, 1e-4),
            "alpha": (NonNegative, 0.75),
            "t0": (Positive, 1e6),
            "weight_decay": _DECAY,
        },
        states=1,
    ),
    "Adafactor": OptimizerKind(
        "Shazeer and Stern (2018).",
        {
            "lr": (NonNegative, 1e-2),
            "beta2_decay": (Finite, -0.8),
            "eps": (tuple[Positive | None, Positive], (None, 1e-3)),
            "d": (Positive, 1.0),
            "weight_decay": _DECAY,
        },
        states=1,  # at most: of a matrix it keeps a row and a column
    ),
    "LBFGS": OptimizerKind(
        "A quasi-Newton method with a history of steps, for full batches.",
        {
            "lr": (NonNegative, 1.0),
            "max_iter": (Size, 20),
            "max_eval": (Size | None, None),
            "tolerance_grad": (NonNegative, 1e-7),
            "tolerance_change": (NonNegative, 1e-9),
            "history_size": (Size, 100),
            "line_search_fn": (Literal["strong_wolfe"] | None, None),
        },
        states=3,  # the direction, and two gradients to compare
        history=("history_size", 2),
        closure=True,
        sparse=True,
    ),
    "Muon": OptimizerKind(
        "Orthogonalised momentum, for matrices only (Jordan 2024).",
        {
            "lr": _LR,
            "weight_decay": (NonNegative, 0.1),
            "momentum": (NonNegative, 0.95),
            "nesterov": (bool, True),
            "ns_coefficients": (tuple[Finite, Finite, Finite], (3.4445, -4.775, 2.0315)),
            "eps": (Positive, 1e-7),
            "ns_steps": (Annotated[int, Field(strict=True, ge=1, le=99)], 5),
            "adjust_lr_fn": (Literal["original", "match_rms_adamw"] | None, None),
        },
        momentum="momentum",
        states=1,
        matrices_only=True,
    ),
}


class BaseOptimizer(KindModel):
    """The base of all optimisers."""

    @classmethod
    def is_suggested_in(cls, field: str) -> bool:
        """Say whether a hint may suggest the kind: not if most networks have parameters that it cannot train."""
        return not any(OPTIMIZERS[kind].matrices_only for kind in get_args(cls.model_fields["kind"].annotation))

    @property
    def row(self) -> OptimizerKind:
        """The row of the kind."""
        return OPTIMIZERS[self.kind]

    @property
    def has_momentum(self) -> bool:
        """Whether its settings give it momentum."""
        return self.row.momentum is not None and bool(self.settings()[self.row.momentum])

    @property
    def group_settings(self) -> list[str]:
        """The settings that a parameter group may change."""
        return [] if self.row.closure else [name for name in self.row.fields if name not in self.row.global_settings]

    def state_count(self) -> int:
        """Return how many tensors of a parameter's shape the optimiser keeps for each parameter."""
        settings = self.settings()
        length, each = self.row.history or ("", 0)
        history = each * settings[length] if each else 0
        return self.row.states + sum(bool(settings[name]) for name in self.row.optional_states) + history


OPTIMIZER_CLASSES = create_kind_models(OPTIMIZERS, BaseOptimizer)

if TYPE_CHECKING:
    Optimizer = BaseOptimizer
else:
    Optimizer = discriminated_union(OPTIMIZER_CLASSES)
