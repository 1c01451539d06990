"""Optimisers, and groups of parameters with settings of their own."""

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, ValidationError, create_model

from app.errors import Problem
from app.spec.base import Finite, NonNegative, Positive, Probability, Size, SpecModel
from app.spec.kinds import Kind, KindTable, create_kind_models, discriminated_union
from app.spec.problems import did_you_mean, from_validation

Betas = tuple[Probability, Probability]

_LR = (NonNegative, 1e-3)
_DECAY = (NonNegative, 0.0)

OPTIMIZERS: KindTable = {
    "SGD": Kind(
        "Stochastic gradient descent.",
        {
            "lr": _LR,
            "momentum": (NonNegative, 0.0),
            "dampening": (NonNegative, 0.0),
            "weight_decay": _DECAY,
            "nesterov": (bool, False),
        },
    ),
    "Adam": Kind(
        "Kingma and Ba (2015).",
        {
            "lr": _LR,
            "betas": (Betas, (0.9, 0.999)),
            "eps": (Positive, 1e-8),
            "weight_decay": _DECAY,
            "amsgrad": (bool, False),
            "decoupled_weight_decay": (bool, False),
        },
    ),
    "AdamW": Kind(
        "Loshchilov and Hutter (2019).",
        {
            "lr": _LR,
            "betas": (Betas, (0.9, 0.999)),
            "eps": (Positive, 1e-8),
            "weight_decay": (NonNegative, 0.01),
            "amsgrad": (bool, False),
        },
    ),
    "NAdam": Kind(
        "Adam with Nesterov momentum.",
        {
            "lr": (NonNegative, 2e-3),
            "betas": (Betas, (0.9, 0.999)),
            "eps": (Positive, 1e-8),
            "weight_decay": _DECAY,
            "momentum_decay": (NonNegative, 4e-3),
            "decoupled_weight_decay": (bool, False),
        },
    ),
    "RAdam": Kind(
        "Adam with a rectified warm-up.",
        {
            "lr": _LR,
            "betas": (Betas, (0.9, 0.999)),
            "eps": (Positive, 1e-8),
            "weight_decay": _DECAY,
            "decoupled_weight_decay": (bool, False),
        },
    ),
    "Adamax": Kind(
        "Adam with the infinity norm.",
        {"lr": (NonNegative, 2e-3), "betas": (Betas, (0.9, 0.999)), "eps": (Positive, 1e-8), "weight_decay": _DECAY},
    ),
    "Adagrad": Kind(
        "Duchi et al. (2011).",
        {
            "lr": (NonNegative, 1e-2),
            "lr_decay": (NonNegative, 0.0),
            "weight_decay": _DECAY,
            "initial_accumulator_value": (NonNegative, 0.0),
            "eps": (Positive, 1e-10),
        },
    ),
    "Adadelta": Kind(
        "Zeiler (2012).",
        {"lr": (NonNegative, 1.0), "rho": (Probability, 0.9), "eps": (Positive, 1e-6), "weight_decay": _DECAY},
    ),
    "RMSprop": Kind(
        "Root mean square propagation.",
        {
            "lr": (NonNegative, 1e-2),
            "alpha": (Probability, 0.99),
            "eps": (Positive, 1e-8),
            "weight_decay": _DECAY,
            "momentum": (NonNegative, 0.0),
            "centered": (bool, False),
        },
    ),
    "Rprop": Kind(
        "Resilient backpropagation, for full batches.",
        {
            "lr": (NonNegative, 1e-2),
            "etas": (tuple[Positive, Positive], (0.5, 1.2)),
            "step_sizes": (tuple[Positive, Positive], (1e-6, 50.0)),
        },
    ),
    "ASGD": Kind(
        "Averaged stochastic gradient descent.",
        {
            "lr": (NonNegative, 1e-2),
            "lambd": (NonNegative, 1e-4),
            "alpha": (NonNegative, 0.75),
            "t0": (Positive, 1e6),
            "weight_decay": _DECAY,
        },
    ),
    "Adafactor": Kind(
        "Shazeer and Stern (2018).",
        {
            "lr": (NonNegative, 1e-2),
            "beta2_decay": (Finite, -0.8),
            "eps": (tuple[Positive | None, Positive], (None, 1e-3)),
            "d": (Positive, 1.0),
            "weight_decay": _DECAY,
        },
    ),
    "LBFGS": Kind(
        "A quasi-Newton method with a history of steps, for whole batches.",
        {
            "lr": (NonNegative, 1.0),
            "max_iter": (Size, 20),
            "max_eval": (Size | None, None),
            "tolerance_grad": (NonNegative, 1e-7),
            "tolerance_change": (NonNegative, 1e-9),
            "history_size": (Size, 100),
            "line_search_fn": (Literal["strong_wolfe"] | None, None),
        },
    ),
    "Muon": Kind(
        "Momentum made orthogonal, for matrices alone (Jordan 2024).",
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
    ),
}


class BaseOptimizer(SpecModel):
    """What every optimiser has."""

    kind: str

    def settings(self) -> dict[str, Any]:
        """Return the kind's own fields by name."""
        return {name: getattr(self, name) for name in type(self).model_fields if name != "kind"}


OPTIMIZER_CLASSES = create_kind_models(OPTIMIZERS, BaseOptimizer)

if TYPE_CHECKING:
    Optimizer = BaseOptimizer
else:
    Optimizer = discriminated_union(OPTIMIZER_CLASSES)

ParameterPath = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*$", max_length=500)
]  # as in `state_dict`


class BaseParameterGroup(SpecModel):
    """Parameters that are trained with other settings, or not at all.

    Without `nodes` they are those of all nodes that no other group names.
    """

    nodes: Annotated[tuple[ParameterPath, ...], Field(min_length=1, max_length=1000)] | None = None
    parameters: Literal["all", "bias_and_norm", "weights"] = "all"
    frozen: bool = False

    def settings(self) -> dict[str, Any]:
        """Return the settings of the optimiser that the group changes."""
        own = type(self).model_fields.keys() - BaseParameterGroup.model_fields.keys()
        return {name: getattr(self, name) for name in type(self).model_fields if name in own & self.model_fields_set}


def _optional_settings() -> dict[str, Any]:
    """Return the fields of all optimisers, each with the union of its types, as optional fields."""
    types: dict[str, list[Any]] = {}
    for kind in OPTIMIZERS.values():
        for name, (type_, _) in kind.fields.items():
            union = types.setdefault(name, [])
            if type_ not in union:
                union.append(type_)
    return {name: (reduce(or_, [*union, None]), None) for name, union in types.items()}


if TYPE_CHECKING:
    ParameterGroup = BaseParameterGroup
else:
    ParameterGroup = create_model(
        "Group",
        __base__=BaseParameterGroup,
        __doc__=BaseParameterGroup.__doc__,
        __module__=__name__,
        **_optional_settings(),
    )

# Optimiser → settings that groups cannot change.
GLOBAL_SETTINGS: Mapping[str, frozenset[str]] = {
    "Adagrad": frozenset({"initial_accumulator_value"}),
    "LBFGS": frozenset(OPTIMIZERS["LBFGS"].fields),
}
CLOSURE_OPTIMIZERS = frozenset({"LBFGS"})  # optimisers that evaluate the loss of a step several times


def group_problems(optimizer: BaseOptimizer, groups: Sequence[BaseParameterGroup]) -> list[Problem]:
    """Return the problems of groups that need no network; pointers lead into the plan."""
    problems: list[Problem] = []
    for position, group in enumerate(groups):
        problems += [each.with_prefix(f"/groups/{position}") for each in _settings_problems(optimizer, group)]
    return problems


def _settings_problems(optimizer: BaseOptimizer, group: BaseParameterGroup) -> list[Problem]:
    settings = group.settings()
    if group.frozen and settings:
        names = " and ".join(settings)
        return [Problem("/frozen", "contradiction", f"a frozen group has no {names}", f"remove {names}")]
    known = optimizer.settings().keys() - GLOBAL_SETTINGS.get(optimizer.kind, frozenset())
    unknown = [name for name in settings if name not in known]
    if unknown:
        return [_unknown_setting(optimizer, name, sorted(known)) for name in unknown]
    try:
        type(optimizer).model_validate(optimizer.model_dump() | settings)
    except ValidationError as error:
        return from_validation(error, settings)
    return []


def _unknown_setting(optimizer: BaseOptimizer, name: str, known: Sequence[str]) -> Problem:
    if name in optimizer.settings():
        detail = f"{optimizer.kind} has one {name} for all parameters"
        return Problem(f"/{name}", "unsupported", detail, "move it to optimizer")
    hint = did_you_mean(name, known) or "one of: " + ", ".join(known)
    return Problem(f"/{name}", "unknown_field", f"{optimizer.kind} has no {name}", hint)
