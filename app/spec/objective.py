"""The objective: losses, metrics, and what they compare."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from app.spec.base import Finite, Name, NotNegative, Part, Positive, Probability, problem
from app.spec.kinds import Kind, Table, classes, closed_union

Reduction = (Literal["mean", "sum"], "mean")

LOSSES: Table = {
    "CrossEntropyLoss": Kind("Classes from logits (N, C); targets are integers (N) or probabilities (N, C).", {
        "weight": (tuple[NotNegative, ...] | None, None), "ignore_index": (int, -100),
        "label_smoothing": (Probability, 0.0), "reduction": Reduction}),
    "NLLLoss": Kind("Classes from log-probabilities (N, C).", {
        "weight": (tuple[NotNegative, ...] | None, None), "ignore_index": (int, -100), "reduction": Reduction}),
    "MSELoss": Kind("The mean squared error.", {"reduction": Reduction}),
    "L1Loss": Kind("The mean absolute error.", {"reduction": Reduction}),
    "SmoothL1Loss": Kind("Squared near zero, absolute further out.", {"beta": (Positive, 1.0), "reduction": Reduction}),
    "HuberLoss": Kind("Squared near zero, linear further out.", {"delta": (Positive, 1.0), "reduction": Reduction}),
    "BCEWithLogitsLoss": Kind("Yes or no from logits.", {
        "pos_weight": (tuple[NotNegative, ...] | None, None), "reduction": Reduction}),
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


class BaseLoss(Part):
    """What every loss has."""

    kind: str


LOSS_CLASSES = classes(LOSSES, BaseLoss)

if TYPE_CHECKING:
    Loss = BaseLoss
else:
    Loss = closed_union(LOSS_CLASSES)

METRICS: dict[str, str] = {
    "accuracy": "Share of examples whose most probable class is right.",
    "top5_accuracy": "Share of examples whose class is among the five most probable.",
    "f1": "Macro-averaged F1 score over classes.",
    "precision": "Macro-averaged precision over classes.",
    "recall": "Macro-averaged recall over classes.",
    "mae": "Mean absolute error.",
    "mse": "Mean squared error.",
    "r2": "Coefficient of determination.",
}
NUMBER_METRICS = frozenset({"mae", "mse", "r2"})
NUMBER_LOSSES = frozenset({"MSELoss", "L1Loss", "SmoothL1Loss", "HuberLoss", "KLDivLoss", "PoissonNLLLoss"})
Metric = Literal["accuracy", "top5_accuracy", "f1", "precision", "recall", "mae", "mse", "r2"]


class Objective(Part):
    """What is minimised, and what is reported beside it."""

    loss: Loss
    metrics: Annotated[tuple[Metric, ...], Field(max_length=16)] = ()
    output: Name | None = None  # which output of the network; the first one by default

    @model_validator(mode="after")
    def _metrics_fit(self) -> "Objective":
        numbers = self.loss.kind in NUMBER_LOSSES
        for name in self.metrics:
            if (name in NUMBER_METRICS) != numbers:
                other = ", ".join(each for each in METRICS if (each in NUMBER_METRICS) == numbers)
                what = "numbers" if numbers else "classes"
                raise problem("contradiction", f"{self.loss.kind} is about {what}, {name} is not", f"one of: {other}")
        return self
