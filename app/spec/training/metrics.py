"""Metrics: what is reported of the held-out examples beside the loss, and what each can be reported of."""

from collections.abc import Mapping
from re import fullmatch
from typing import TYPE_CHECKING, Literal, NamedTuple

from app.spec.data.columns import Column
from app.spec.training.losses import About, BaseLoss, about


class Measure(NamedTuple):
    """One row of the table."""

    sentence: str
    about: tuple[About, ...]  # what the outputs must be about
    needs: Literal["choice", "scores", "chances"] = (
        "choice"  # of an output: what it decides, how, or how probable it is
    )


_CHOSEN: tuple[About, ...] = ("classes", "tags")
_YES: tuple[About, ...] = (*_CHOSEN, "decisions")
_ALL: tuple[About, ...] = (*_YES, "labels")
_NUMBERS: tuple[About, ...] = ("numbers",)

METRICS: Mapping[str, Measure] = {
    "accuracy": Measure("Share of examples (or tokens, or decisions) that are right.", _ALL),
    "top5_accuracy": Measure("Share of examples whose class is among the five most probable.", _CHOSEN, "scores"),
    "balanced_accuracy": Measure("Mean recall of the classes that there are.", _YES),
    "precision": Measure("Macro-averaged precision over classes.", _ALL),
    "precision_micro": Measure("Precision over all decisions together.", _ALL),
    "precision_weighted": Measure("Precision of each class, weighed by how often it is true.", _ALL),
    "precision_positive": Measure("Precision of yes.", ("decisions",)),
    "recall": Measure("Macro-averaged recall over classes.", _ALL),
    "recall_micro": Measure("Recall over all decisions together.", _ALL),
    "recall_weighted": Measure("Recall of each class, weighed by how often it is true.", _ALL),
    "recall_positive": Measure("Recall of yes.", ("decisions",)),
    "f1": Measure("Macro-averaged F1 score over classes.", _ALL),
    "f1_micro": Measure("F1 score over all decisions together.", _ALL),
    "f1_weighted": Measure("F1 score of each class, weighed by how often it is true.", _ALL),
    "f1_positive": Measure("F1 score of yes.", ("decisions",)),
    "auroc": Measure("Area under the ROC curve; of several classes each against the rest, averaged.", _ALL, "scores"),
    "average_precision": Measure(
        "Area under the curve of precision and recall; of several classes averaged.", _ALL, "scores"
    ),
    "mcc": Measure("Matthews' correlation of predicted and true classes.", _YES),
    "cohen_kappa": Measure("Cohen's kappa: agreement beyond chance.", _YES),
    "calibration_error": Measure("Expected calibration error in 15 bins.", _YES, "chances"),
    "perplexity": Measure("The exponential of the mean negative log-likelihood.", _CHOSEN, "chances"),
    "exact_match": Measure("Share of examples of which every label, or every token, is right.", ("labels", "tags")),
    "hamming": Measure("Share of labels that are wrong.", ("labels",)),
    "span_precision": Measure("Share of the predicted entities that are true: same place, same type.", ("tags",)),
    "span_recall": Measure("Share of the true entities that are found: same place, same type.", ("tags",)),
    "span_f1": Measure("F1 score of entities: same place, same type.", ("tags",)),
    "mae": Measure("Mean absolute error.", _NUMBERS),
    "mse": Measure("Mean squared error.", _NUMBERS),
    "rmse": Measure("Root of the mean squared error.", _NUMBERS),
    "mape": Measure("Mean absolute error relative to the target.", _NUMBERS),
    "r2": Measure("Coefficient of determination.", _NUMBERS),
    "explained_variance": Measure("Share of the target's variance that is explained, whatever the bias.", _NUMBERS),
    "pearson": Measure("Pearson's correlation of output and target.", _NUMBERS),
    "spearman": Measure("Spearman's rank correlation of output and target.", _NUMBERS),
}
MOST_CLASSES = 1000  # of metrics that count every pair of classes, or keep every score
OF_ANY = frozenset({"accuracy", "top5_accuracy", "perplexity", "exact_match"})  # metrics of any number of classes
SPANS = frozenset({"span_precision", "span_recall", "span_f1"})
UNLIKELY = frozenset({"MultiMarginLoss", "SoftMarginLoss", "MultiLabelSoftMarginLoss"})  # scores, not probabilities
TAG = r"O|[BI](-.+)?"  # what a tag of entities looks like

if TYPE_CHECKING:
    Metric = str
else:
    Metric = Literal[tuple(METRICS)]


def are_spans(labels: tuple[str, ...] | None) -> bool:
    """Say whether tags mark entities: B-PER begins one, I-PER goes on with it, O is none."""
    return labels is not None and all(fullmatch(TAG, label) for label in labels)


def misfit(name: str, loss: BaseLoss, target: Column) -> tuple[str, str] | None:
    """Return why a metric cannot be reported, and a hint; `None` if it can."""
    what = about(loss, target)
    fitting = [each for each, row in METRICS.items()
               if what in row.about and (row.needs != "chances" or loss.kind not in UNLIKELY)]  # fmt: skip
    if not are_spans(target.labels):
        fitting = [each for each in fitting if each not in SPANS]
    if name in fitting:
        return None
    hint = "one of: " + ", ".join(fitting)
    if what not in METRICS[name].about:
        return f"{loss.kind} is about {what}, {name} is not", hint
    if name in SPANS:
        return f'{name} needs tags such as B-PER, I-PER and O, which "{target.name}" has not', hint
    return f"{name} needs probabilities, and {loss.kind} gives scores that are none", hint
