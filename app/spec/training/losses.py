"""Losses: those of torch, and an output of the network that is the loss itself."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from app.spec.base import Finite, NonNegative, Positive, Probability, SpecModel
from app.spec.data.columns import Column
from app.spec.kinds import Kind, KindTable, create_kind_models, discriminated_union

REDUCTION = (Literal["mean", "sum"], "mean")
BALANCED = "balanced"
CLASS_WEIGHTS = (tuple[NonNegative, ...] | Literal["balanced"] | None, None)

TORCH_LOSSES: KindTable = {
    "CrossEntropyLoss": Kind(
        "Classes from logits (N, C); targets are integers (N) or probabilities (N, C).",
        {
            "weight": CLASS_WEIGHTS,
            "ignore_index": (int, -100),
            "label_smoothing": (Probability, 0.0),
            "reduction": REDUCTION,
        },
    ),
    "NLLLoss": Kind(
        "Classes from log-probabilities (N, C).",
        {"weight": CLASS_WEIGHTS, "ignore_index": (int, -100), "reduction": REDUCTION},
    ),
    "MSELoss": Kind("The mean squared error.", {"reduction": REDUCTION}),
    "L1Loss": Kind("The mean absolute error.", {"reduction": REDUCTION}),
    "SmoothL1Loss": Kind("Squared near zero, absolute further out.", {"beta": (Positive, 1.0), "reduction": REDUCTION}),
    "HuberLoss": Kind("Squared near zero, linear further out.", {"delta": (Positive, 1.0), "reduction": REDUCTION}),
    "BCEWithLogitsLoss": Kind("Yes or no from logits.", {"pos_weight": CLASS_WEIGHTS, "reduction": REDUCTION}),
    "BCELoss": Kind("Yes or no from probabilities.", {"reduction": REDUCTION}),
    "KLDivLoss": Kind(
        "The Kullback-Leibler divergence from log-probabilities.",
        {"reduction": (Literal["batchmean", "mean", "sum"], "batchmean"), "log_target": (bool, False)},
    ),
    "PoissonNLLLoss": Kind(
        "Counts from log-rates.", {"log_input": (bool, True), "full": (bool, False), "reduction": REDUCTION}
    ),
    "SoftMarginLoss": Kind("Targets -1 or 1 from scores.", {"reduction": REDUCTION}),
    "MultiLabelSoftMarginLoss": Kind("Several labels at once from logits.", {"reduction": REDUCTION}),
    "MultiMarginLoss": Kind(
        "Classes with a margin.", {"p": (Literal[1, 2], 1), "margin": (Finite, 1.0), "reduction": REDUCTION}
    ),
}
OUTPUT_LOSS = "Output"
LOSSES: KindTable = {
    **TORCH_LOSSES,
    OUTPUT_LOSS: Kind(
        "The network's own: the output is the loss, one number, or one for each example, which are averaged."
    ),
}

TaskType = Literal["classes", "tags", "decisions", "labels", "numbers"]

# Kind of loss → what its outputs are about. What an own loss is about, only its target tells.
TASK_TYPES: Mapping[str, TaskType] = {
    "CrossEntropyLoss": "classes",
    "NLLLoss": "classes",
    "MultiMarginLoss": "classes",
    "BCEWithLogitsLoss": "decisions",
    "BCELoss": "decisions",
    "SoftMarginLoss": "decisions",
    "MultiLabelSoftMarginLoss": "decisions",
    "MSELoss": "numbers",
    "L1Loss": "numbers",
    "SmoothL1Loss": "numbers",
    "HuberLoss": "numbers",
    "KLDivLoss": "numbers",
    "PoissonNLLLoss": "numbers",
}


class BaseLoss(SpecModel):
    """What every loss has."""

    kind: str


LOSS_CLASSES = create_kind_models(LOSSES, BaseLoss)

if TYPE_CHECKING:
    Loss = BaseLoss
else:
    Loss = discriminated_union(LOSS_CLASSES)


def task_type(loss: BaseLoss, target: Column) -> TaskType:
    """Return what an output says of its target.

    classes: one of several; tags: one for every token of a list; decisions: yes or no; labels: a yes or no for each of
    several labels; numbers: measured ones.
    """
    found = TASK_TYPES.get(loss.kind) or _target_task_type(target)
    if found == "classes" and target.padded and target.labels:
        return "tags"
    if found == "decisions" and len(target.shape) == 1 and target.shape[0] > 1 and not target.padded:
        return "labels"
    return found


def _target_task_type(target: Column) -> TaskType:
    if target.dtype.startswith("float"):
        return "decisions" if target.labels else "numbers"
    return "decisions" if target.dtype == "bool" else "classes"
