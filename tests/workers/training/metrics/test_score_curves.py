"""Calibration and curves are those of scikit-learn and torchmetrics, over all rows or over every k-th."""

from typing import Any

import numpy as np
import pytest
import torch
from sklearn import metrics as sklearn
from sklearn.calibration import calibration_curve

from app.spec.data.columns import Column
from tests.workers.training.metrics.reports.test_classification_report import report_of
from tests.workers.training.metrics.test_metrics import CLASSES, accumulated_metrics, example
from workers.training.metrics import samples
from workers.training.metrics.score_curves import CALIBRATION_BINS, calibration, threshold_curve


def scores_and_truth(what: str) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return the probabilities and the truth of each curve: (rows, curves) each."""
    output, target = example(what, 600)
    if what == "classes":
        return output.double().softmax(1).numpy(), np.eye(CLASSES)[target.numpy()] > 0
    return output.double().sigmoid().reshape(600, -1).numpy(), target.reshape(600, -1).numpy() > 0


@pytest.mark.parametrize("what", ["classes", "decisions", "labels"])
def test_curves_are_those_of_scikit_learn(what: str) -> None:
    found = report_of(what, *example(what, 600))["curves"]
    scores, truth = scores_and_truth(what)
    assert len(found) == scores.shape[1]
    for code, curve in enumerate(found):
        yes = truth[:, code]
        assert curve["auroc"] == pytest.approx(sklearn.roc_auc_score(yes, scores[:, code]))
        assert curve["average_precision"] == pytest.approx(sklearn.average_precision_score(yes, scores[:, code]))
        assert (curve["positives"], curve["negatives"]) == (yes.sum(), (~yes).sum())
        assert len(curve["thresholds"]) <= 100
        for threshold, true, false in zip(
            curve["thresholds"], curve["true_positives"], curve["false_positives"], strict=True
        ):
            chosen = scores[:, code] >= threshold
            assert (true, false) == ((yes & chosen).sum(), (~yes & chosen).sum())
        assert (curve["true_positives"][-1], curve["false_positives"][-1]) == (yes.sum(), (~yes).sum())


def test_listed_points_are_near_each_other() -> None:
    scores, truth = scores_and_truth("decisions")
    curve = threshold_curve(scores[:, 0], truth[:, 0])
    rates = np.array(curve["true_positives"]) / truth.sum() + np.array(curve["false_positives"]) / (~truth).sum()
    assert np.diff(rates).max() < 3 / 100


@pytest.mark.parametrize("what", ["classes", "decisions", "labels"])
def test_calibration_is_that_of_scikit_learn(what: str) -> None:
    output, target = example(what, 600)
    found = report_of(what, output, target)["calibration"]
    scores, truth = scores_and_truth(what)
    if what == "classes":
        confidence, hit = scores.max(1), scores.argmax(1) == target.numpy()
    else:
        confidence, hit = scores.flatten(), truth.flatten()
    shares, means = calibration_curve(hit, confidence, n_bins=CALIBRATION_BINS, strategy="uniform")
    filled = [each for each in found["bins"] if each["count"]]
    assert [each["share"] for each in filled] == pytest.approx(shares.tolist())
    assert [each["confidence"] for each in filled] == pytest.approx(means.tolist())
    assert sum(each["count"] for each in found["bins"]) == len(confidence)
    if what != "labels":
        metric = accumulated_metrics(what, ["calibration_error"], output, target)["calibration_error"]
        assert found["error"] == pytest.approx(metric, abs=1e-6)


def test_perfect_confidence_is_calibrated() -> None:
    found = calibration(np.array([0.0, 1.0, 1.0]), np.array([False, True, True]))
    assert found is not None
    assert (found["error"], found["bins"][0]["count"], found["bins"][-1]["count"]) == (0.0, 1, 2)
    assert calibration(np.array([np.nan]), np.array([True])) is None


def test_without_both_kinds_of_rows_there_is_no_area() -> None:
    only_true, only_false = (threshold_curve(np.array([0.2, 0.9]), np.full(2, truth)) for truth in (True, False))
    assert (only_true["auroc"], only_true["average_precision"]) == (None, 1.0)
    assert (only_false["auroc"], only_false["average_precision"]) == (None, None)


def test_equal_scores_are_one_threshold() -> None:
    curve = threshold_curve(np.array([0.5, 0.5, 0.5, 0.1]), np.array([True, False, True, False]))
    assert (curve["thresholds"], curve["true_positives"], curve["false_positives"]) == ([0.5, 0.1], [2, 2], [1, 2])


def test_margins_have_curves_and_no_calibration() -> None:
    output, target = example("classes")
    labels = tuple("abcdefg")
    column = Column(name="y", dtype="int64", classes=CLASSES, labels=labels)
    found = report_of("classes", output, target, column, "MultiMarginLoss")
    assert found["calibration"] is None
    assert [curve["label"] for curve in found["curves"]] == list(labels)


def test_of_many_rows_every_kth_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "MAX_SAMPLED_NUMBERS", 200)
    output, target = example("decisions", 600)
    found = report_of("decisions", output, target)
    kept = slice(None, None, 4)
    expected = sklearn.roc_auc_score(target[kept], output[kept])
    assert found["curves"][0]["auroc"] == pytest.approx(expected)
    assert found["notes"] == ["calibration and curves are of every 4th row"]
    assert sum(row["support"] for row in found["classes"]) == 600


def test_only_the_most_frequent_of_many_classes_have_curves() -> None:
    target = torch.cat([torch.arange(60), torch.arange(10, 60)])
    column = Column(name="y", dtype="int64", classes=60)
    found = report_of("classes", torch.eye(60)[target], target, column)
    assert [curve["label"] for curve in found["curves"]] == [str(code) for code in range(10, 60)]
    assert found["notes"] == ["curves are of the 50 that are true most often"]
