"""Losses: those of torch, and an output of the network that is the loss itself.

Facts of a loss stand in its `LossKind`; what needs torch is in the row of the same name in
`workers.training.objective.losses`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

from pydantic import AfterValidator, Field

from app.spec.base import Count, Finite, Int64, Name, NonNegative, Positive, Probability, validation_error
from app.spec.data.columns import Column
from app.spec.data.features import TargetTask
from app.spec.kinds import Kind, KindModel, create_kind_models, discriminated_union

TaskType = Literal["classes", "tags", "decisions", "labels", "numbers", "sequences"]
ClassWeights = tuple[float, ...] | Literal["balanced"] | None


def _ascending(quantiles: tuple[float, ...]) -> tuple[float, ...]:
    if list(quantiles) != sorted(set(quantiles)):
        raise validation_error(
            "out_of_range", "quantiles are in ascending order, each of them once", "sort them, and name each once"
        )
    return quantiles


Quantile = Annotated[float, Field(gt=0, lt=1)]
Quantiles = Annotated[tuple[Quantile, ...], Field(min_length=1, max_length=100), AfterValidator(_ascending)]
REDUCTION = (Literal["mean", "sum"], "mean")
BALANCED = "balanced"
CLASS_WEIGHTS = (tuple[NonNegative, ...] | Literal["balanced"] | None, None)
IGNORE_INDEX = -100


@dataclass(frozen=True, slots=True)
class LossKind(Kind):
    """A row of the table of losses.

    `task_type` is that of its outputs, before the target's shape is taken into account; `None` if the target alone
    decides. `gives_probabilities` is true of losses that are least where an activation of the output is the
    probability of the target (proper scoring rules). `takes_soft_targets` is true of a loss whose targets may be
    probabilities of classes. `scales_targets` is true of losses of numbers whose unit is arbitrary: the default target
    is standardised, and predictions are in its units. `other_outputs` are fields that name further outputs of the
    network, which the loss reads beside its own.
    """

    task_type: TaskType | None = "numbers"
    gives_probabilities: bool = False
    takes_soft_targets: bool = False
    scales_targets: bool = False
    other_outputs: tuple[str, ...] = ()


TORCH_LOSSES: Mapping[str, LossKind] = {
    "CrossEntropyLoss": LossKind(
        "Classes from logits (N, C); targets are integers (N) or probabilities (N, C).",
        {
            "weight": CLASS_WEIGHTS,
            "ignore_index": (Int64, IGNORE_INDEX),
            "label_smoothing": (Probability, 0.0),
            "reduction": REDUCTION,
        },
        task_type="classes",
        gives_probabilities=True,
        takes_soft_targets=True,
    ),
    "NLLLoss": LossKind(
        "Classes from log-probabilities (N, C).",
        {"weight": CLASS_WEIGHTS, "ignore_index": (Int64, IGNORE_INDEX), "reduction": REDUCTION},
        task_type="classes",
        gives_probabilities=True,
    ),
    "MSELoss": LossKind("The mean squared error.", {"reduction": REDUCTION}, scales_targets=True),
    "L1Loss": LossKind("The mean absolute error.", {"reduction": REDUCTION}, scales_targets=True),
    "SmoothL1Loss": LossKind(
        "Squared near zero, absolute further out.",
        {"beta": (Positive, 1.0), "reduction": REDUCTION},
        scales_targets=True,
    ),
    "HuberLoss": LossKind(
        "Squared near zero, linear further out.",
        {"delta": (Positive, 1.0), "reduction": REDUCTION},
        scales_targets=True,
    ),
    "BCEWithLogitsLoss": LossKind(
        "Yes or no from logits.",
        {"pos_weight": CLASS_WEIGHTS, "reduction": REDUCTION},
        task_type="decisions",
        gives_probabilities=True,
    ),
    "BCELoss": LossKind(
        "Yes or no from probabilities.", {"reduction": REDUCTION}, task_type="decisions", gives_probabilities=True
    ),
    "KLDivLoss": LossKind(
        "The Kullback-Leibler divergence from log-probabilities.",
        {"reduction": (Literal["batchmean", "mean", "sum"], "batchmean"), "log_target": (bool, False)},
    ),
    "PoissonNLLLoss": LossKind(
        "Counts from log-rates.", {"log_input": (bool, True), "full": (bool, False), "reduction": REDUCTION}
    ),
    "SoftMarginLoss": LossKind(
        "Targets -1 or 1 from scores.", {"reduction": REDUCTION}, task_type="decisions", gives_probabilities=True
    ),
    "MultiLabelSoftMarginLoss": LossKind(
        "Several labels at once from logits.", {"reduction": REDUCTION}, task_type="decisions", gives_probabilities=True
    ),
    "MultiMarginLoss": LossKind(
        "Classes with a margin.",
        {"p": (Literal[1, 2], 1), "margin": (Finite, 1.0), "reduction": REDUCTION},
        task_type="classes",
    ),
}
# Losses that are no function of one output and one target of its shape.
OTHER_LOSSES: Mapping[str, LossKind] = {
    "GaussianNLLLoss": LossKind(
        "Numbers with their uncertainty: the output is the mean, and the output `var` the variance, above 0.",
        {"var": Name, "full": (bool, False), "eps": (Positive, 1e-6), "reduction": REDUCTION},
        scales_targets=True,
        other_outputs=("var",),
    ),
    "QuantileLoss": LossKind(
        "Quantiles of a number, (N, …, Q) in their order: the pinball loss (Koenker and Bassett 1978).",
        {"quantiles": Quantiles, "reduction": REDUCTION},
        scales_targets=True,
    ),
    "CTCLoss": LossKind(
        "Sequences without an alignment, from log-probabilities (N, C, T) of labels and a blank (Graves et al. 2006); "
        "`input_lengths` is an output with the number of steps of each row, (N).",
        {
            "blank": (Count, 0),
            "input_lengths": (Name | None, None),
            "zero_infinity": (bool, False),
            "reduction": REDUCTION,
        },
        task_type="sequences",
        other_outputs=("input_lengths",),
    ),
}
OUTPUT_LOSS = "Output"
LOSSES: Mapping[str, LossKind] = {
    **TORCH_LOSSES,
    **OTHER_LOSSES,
    OUTPUT_LOSS: LossKind(
        "The network's own: the output is the loss, one number, or one for each example, which are averaged.",
        task_type=None,
    ),
}

# Task type → the loss that reads scores in the same way as a network's own loss of that type.
EQUIVALENT_LOSSES: Mapping[TaskType, str] = {
    "classes": "CrossEntropyLoss",
    "tags": "CrossEntropyLoss",
    "decisions": "BCEWithLogitsLoss",
    "labels": "BCEWithLogitsLoss",
    "numbers": "MSELoss",
    "sequences": "CTCLoss",
}


def target_task(loss: "BaseLoss") -> TargetTask | None:
    """Return what a loss makes of a column of numbers by default; `None` if the column alone decides."""
    task = loss.row.task_type
    return None if task is None else "classes" if task not in ("numbers", "sequences") else task


class LossOptions(NamedTuple):
    """The options of a loss that more than torch reads; defaults for those that its kind does not have."""

    weight: ClassWeights = None
    pos_weight: ClassWeights = None
    ignore_index: int = IGNORE_INDEX
    log_input: bool = False
    log_target: bool = True
    quantiles: tuple[float, ...] = ()
    blank: int = 0
    input_lengths: str | None = None

    @property
    def is_log_output(self) -> bool:
        """Whether the output is the logarithm of the predicted number."""
        return self.log_input or not self.log_target


class BaseLoss(KindModel):
    """What every loss has."""

    @property
    def row(self) -> LossKind:
        """The facts of its kind."""
        return LOSSES[self.kind]

    @property
    def options(self) -> LossOptions:
        """Its options that more than torch reads."""
        return LossOptions(**{name: value for name, value in self if name in LossOptions._fields})

    @property
    def other_outputs(self) -> dict[str, str]:
        """The outputs that it reads beside its own, by the field that names each."""
        names = {field: getattr(self, field) for field in self.row.other_outputs}
        return {field: name for field, name in names.items() if name is not None}


LOSS_CLASSES = create_kind_models(LOSSES, BaseLoss)

if TYPE_CHECKING:
    Loss = BaseLoss
else:
    Loss = discriminated_union(LOSS_CLASSES)


def task_type(loss: BaseLoss, target: Column) -> TaskType:
    """Return what an output predicts of its target.

    classes: one of several; tags: one for every token of a list; decisions: yes or no; labels: a yes or no for each of
    several labels; numbers: measured ones; sequences: lists of classes, of another length than what they are read from.
    """
    task = loss.row.task_type or _target_task_type(target)
    if task == "classes" and target.padded and target.labels:
        return "tags"
    if task == "decisions" and len(target.shape) == 1 and target.shape[0] > 1 and not target.padded:
        return "labels"
    return task


def equivalent_loss(loss: BaseLoss, target: Column) -> BaseLoss:
    """Return a loss of torch that reads the scores for `target` alike: `loss` itself unless it is the network's own."""
    if loss.kind != OUTPUT_LOSS:
        return loss
    kind = EQUIVALENT_LOSSES[task_type(loss, target)]
    return LOSS_CLASSES[kind].model_validate({"kind": kind})


def _target_task_type(target: Column) -> TaskType:
    if target.dtype.startswith("float"):
        return "decisions" if target.labels else "numbers"
    return "decisions" if target.dtype == "bool" else "classes"
