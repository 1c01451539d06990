"""Losses: those of torch, and an output of the network that is the loss itself."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from app.spec.base import Finite, NotNegative, Part, Positive, Probability
from app.spec.data.columns import Column
from app.spec.kinds import Kind, Table, classes, closed_union

Reduction = (Literal["mean", "sum"], "mean")
BALANCED = "balanced"
Weights = (tuple[NotNegative, ...] | Literal["balanced"] | None, None)

TORCH_LOSSES: Table = {
    "CrossEntropyLoss": Kind("Classes from logits (N, C); targets are integers (N) or probabilities (N, C).", {
        "weight": Weights, "ignore_index": (int, -100), "label_smoothing": (Probability, 0.0),
        "reduction": Reduction}),
    "NLLLoss": Kind("Classes from log-probabilities (N, C).", {
        "weight": Weights, "ignore_index": (int, -100), "reduction": Reduction}),
    "MSELoss": Kind("The mean squared error.", {"reduction": Reduction}),
    "L1Loss": Kind("The mean absolute error.", {"reduction": Reduction}),
    "SmoothL1Loss": Kind("Squared near zero, absolute further out.", {"beta": (Positive, 1.0), "reduction": Reduction}),
    "HuberLoss": Kind("Squared near zero, linear further out.", {"delta": (Positive, 1.0), "reduction": Reduction}),
    "BCEWithLogitsLoss": Kind("Yes or no from logits.", {"pos_weight": Weights, "reduction": Reduction}),
    "BCELoss": Kind("Yes or no from probabilities.", {"reduction": Reduction}),
    "KLDivLoss": Kind("The Kullback-Leibler divergence from log-probabilities.", {
        "reduction": (Literal["batchmean", "mean", "sum"], "batchmean"), "log_target": (bool, False)}),
    "PoissonNLLLoss": Kind("Counts from log-rates.", {"log_input": (bool, True), "full": (bool, False),
                                                     "reduction": Reduction}),
    "SoftMarginLoss": Kind("Targets -1 or 1 from scores.", {"reduction": Reduction}),
    "MultiLabelSoftMarginLoss": Kind("Several labels at once from logits.", {"reduction": Reduction}),
    "MultiMarginLoss": Kind("Classes with a margin.", {"p": (Literal[1, 2], 1), "margin": (Finite, 1.0),
                                                      "reduction": Reduction}),
}  # fmt: skip
OWN = "Output"
LOSSES: Table = {
    **TORCH_LOSSES,
    OWN: Kind("The network's own: the output is the loss, one number, or one for each example, which are averaged."),
}

About = Literal["classes", "tags", "decisions", "labels", "numbers"]

# Kind of loss → what its outputs are about. What an own loss is about, only its target tells.
ABOUT: Mapping[str, About] = {
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


class BaseLoss(Part):
    """What every loss has."""

    kind: str


LOSS_CLASSES = classes(LOSSES, BaseLoss)

if TYPE_CHECKING:
    Loss = BaseLoss
else:
    Loss = closed_union(LOSS_CLASSES)


def about(loss: BaseLoss, target: Column) -> About:
    """Return what an output says of its target.

    classes: one of several; tags: one for every token of a list; decisions: yes or no; labels: a yes or no for each of
    several labels; numbers: measured ones.
    """
    found = ABOUT.get(loss.kind) or _of_target(target)
    if found == "classes" and target.padded and target.labels:
        return "tags"
    if found == "decisions" and len(target.shape) == 1 and target.shape[0] > 1 and not target.padded:
        return "labels"
    return found


def _of_target(target: Column) -> About:
    if target.dtype.startswith("float"):
        return "decisions" if target.labels else "numbers"
    return "decisions" if target.dtype == "bool" else "classes"
