"""Metrics of scikit-learn and scipy: an oracle for those of torchmetrics."""

import math
from typing import Any

import numpy as np
from scipy import stats
from sklearn import metrics as sklearn
from torch import Tensor


def sklearn_metrics(what: str, output: Tensor, target: Tensor) -> dict[str, float]:
    """Return the metrics of a task type."""
    if what == "numbers":
        return regression(output.double().flatten().numpy(), target.double().flatten().numpy())
    if what == "labels":
        return multilabel(output.double().sigmoid().numpy(), target.long().numpy())
    if what == "decisions":
        return binary(output.double().sigmoid().numpy(), target.long().numpy())
    if what == "classes":
        return multiclass(output.double().softmax(1).numpy(), target.long().numpy())
    kept = (target != -100).flatten()
    exact = ((output.argmax(1) == target) | (target == -100)).all(1)
    rows = output.movedim(1, -1).reshape(-1, output.shape[1])[kept]
    tokens = multiclass(rows.double().softmax(1).numpy(), target.flatten()[kept].long().numpy())
    return tokens | {"exact_match": float(exact.float().mean())}


def regression(predicted: Any, target: Any) -> dict[str, float]:
    return {
        "mae": sklearn.mean_absolute_error(target, predicted),
        "mse": sklearn.mean_squared_error(target, predicted),
        "rmse": sklearn.root_mean_squared_error(target, predicted),
        "r2": sklearn.r2_score(target, predicted),
        "mape": sklearn.mean_absolute_percentage_error(target, predicted),
        "smape": float(np.mean(2 * abs(target - predicted) / (abs(target) + abs(predicted)))),
        "explained_variance": sklearn.explained_variance_score(target, predicted),
        "pearson": stats.pearsonr(target, predicted)[0],
        "spearman": stats.spearmanr(target, predicted)[0],
    }


def precision_recall_f1(predicted: Any, target: Any) -> dict[str, float]:
    values = {}
    for name in ("precision", "recall", "f1"):
        score = getattr(sklearn, f"{name}_score")
        for average in ("macro", "micro", "weighted"):
            title = name if average == "macro" else f"{name}_{average}"
            values[title] = score(target, predicted, average=average, zero_division=0)
    return values


def single_label(predicted: Any, target: Any) -> dict[str, float]:
    return precision_recall_f1(predicted, target) | {
        "accuracy": float((predicted == target).mean()),
        "balanced_accuracy": sklearn.balanced_accuracy_score(target, predicted),
        "iou": sklearn.jaccard_score(target, predicted, average="macro"),
        "mcc": sklearn.matthews_corrcoef(target, predicted),
        "cohen_kappa": sklearn.cohen_kappa_score(target, predicted),
    }


def multilabel(probabilities: Any, target: Any) -> dict[str, float]:
    predicted = (probabilities > 0.5).astype(int)
    return precision_recall_f1(predicted, target) | {
        "accuracy": float((predicted == target).mean()),
        "exact_match": sklearn.accuracy_score(target, predicted),
        "iou": sklearn.jaccard_score(target, predicted, average="macro"),
        "hamming": sklearn.hamming_loss(target, predicted),
        "auroc": sklearn.roc_auc_score(target, probabilities),
        "average_precision": sklearn.average_precision_score(target, probabilities),
    }


def binary(probabilities: Any, target: Any) -> dict[str, float]:
    predicted = (probabilities > 0.5).astype(int)
    return single_label(predicted, target) | {
        "precision_positive": sklearn.precision_score(target, predicted),
        "recall_positive": sklearn.recall_score(target, predicted),
        "f1_positive": sklearn.f1_score(target, predicted),
        "iou_positive": sklearn.jaccard_score(target, predicted),
        "specificity": sklearn.recall_score(target, predicted, pos_label=0),
        "calibration_error": calibration(probabilities, target),
        "log_loss": sklearn.log_loss(target, probabilities),
        "auroc": sklearn.roc_auc_score(target, probabilities),
        "average_precision": sklearn.average_precision_score(target, probabilities),
    }


def multiclass(probabilities: Any, target: Any) -> dict[str, float]:
    predicted, classes = probabilities.argmax(1), probabilities.shape[1]
    return single_label(predicted, target) | {
        "calibration_error": calibration(probabilities.max(1), predicted == target),
        "log_loss": sklearn.log_loss(target, probabilities, labels=range(classes)),
        "auroc": sklearn.roc_auc_score(target, probabilities, multi_class="ovr"),
        "average_precision": sklearn.average_precision_score(np.eye(classes)[target], probabilities),
        "top5_accuracy": sklearn.top_k_accuracy_score(target, probabilities, k=5) if classes > 5 else 1.0,
        "perplexity": math.exp(sklearn.log_loss(target, probabilities)),
        "bits_per_token": sklearn.log_loss(target, probabilities) / math.log(2),
    }


def calibration(confidence: Any, right: Any) -> float:
    """Return the expected calibration error in 15 bins."""
    bins = np.minimum((confidence * 15).astype(int), 14)
    errors = (abs(confidence[bins == each].sum() - right[bins == each].sum()) for each in range(15))
    return float(sum(errors) / len(confidence))
