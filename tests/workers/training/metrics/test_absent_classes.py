"""Metrics where labels, classes or differences are absent: what is left out, and what is no number."""

import math

import numpy as np
import pytest
import torch
from sklearn import metrics as sklearn

from app.spec.training.metrics import METRICS
from tests.workers.training.metrics.sklearn_metrics import regression, sklearn_metrics
from tests.workers.training.metrics.test_metrics import accumulated_metrics, build_case
from workers.training.metrics.metrics import MetricAccumulator


def score_labels(predicted: list[list[int]], true: list[list[int]]) -> dict[str, float]:
    names = [name for name in METRICS if name.startswith(("precision", "recall", "f1")) and "positive" not in name]
    decoder = build_case("labels")[0]
    accumulator = MetricAccumulator(names, decoder)
    for scores, target in zip(torch.tensor(predicted), torch.tensor(true), strict=True):  # of one row each
        accumulator.add(decoder.decode_labelled(scores[None] * 2.0 - 1, target[None].float(), False))
    return accumulator.values()


@pytest.mark.parametrize(
    ("predicted", "true"),
    [
        ([[1, 1, 0, 0], [0, 1, 0, 0], [1, 0, 0, 0]], [[1, 1, 0, 0], [0, 1, 0, 0], [1, 0, 0, 0]]),  # perfect
        ([[1, 1, 0, 1], [0, 1, 0, 0], [0, 0, 0, 0]], [[1, 1, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0]]),  # "d" in vain
        ([[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]], [[1, 1, 0, 0], [0, 1, 0, 0], [1, 0, 0, 0]]),
    ],
)
def test_labels_that_nobody_has_do_not_count(predicted: list[list[int]], true: list[list[int]]) -> None:
    """Scikit-learn says the same of the labels that are true or predicted."""
    present = np.flatnonzero((np.array(predicted) + np.array(true)).any(0))
    found = score_labels(predicted, true)
    for name, value in found.items():
        score, _, average = name.partition("_")
        function = getattr(sklearn, f"{score}_score")
        expected = function(true, predicted, labels=present, average=average or "macro", zero_division=0)
        assert value == pytest.approx(expected), name
    if predicted == true:
        assert set(found.values()) == {1.0}


@pytest.mark.parametrize("predicted", [[[0, 0, 0, 0]] * 3, [[1, 0, 0, 0]] * 3])
def test_labels_of_which_none_is_true_give_nan(predicted: list[list[int]]) -> None:
    assert all(math.isnan(value) for value in score_labels(predicted, [[0, 0, 0, 0]] * 3).values())


@pytest.mark.parametrize("name", ["mcc", "cohen_kappa"])
def test_correlations_with_one_class_are_nan(name: str) -> None:
    """torchmetrics says an mcc of 0.67 of four right decisions of five that are all yes."""
    output = torch.tensor([1.0, 1, 1, 1, -1])
    assert math.isnan(accumulated_metrics("decisions", [name], output, torch.ones(5))[name])
    half = torch.tensor([1.0, 0, 1, 0, 1])
    found = accumulated_metrics("decisions", [name], torch.ones(5), half)
    assert found == {name: sklearn_metrics("decisions", torch.ones(5), half)[name]} == {name: 0}


@pytest.mark.parametrize("offset", [0.0, 0.1, 1.7e9])
def test_large_targets_lose_no_digits(offset: float) -> None:
    """Seconds of an epoch, half a minute apart: their squares leave nothing of the difference in double precision."""
    generator = torch.Generator().manual_seed(0)
    target = 30 * torch.randn(400, generator=generator, dtype=torch.float64)
    output = target + 3 * torch.randn(400, generator=generator, dtype=torch.float64)
    decoder = build_case("numbers")[0]
    accumulator = MetricAccumulator(["r2", "explained_variance"], decoder)
    accumulator.add(decoder.decode_labelled(output + offset, target + offset, False))
    expected = regression(output.numpy(), target.numpy())
    assert accumulator.values() == pytest.approx(
        {name: expected[name] for name in ("r2", "explained_variance")}, abs=1e-6
    )
    constant = MetricAccumulator(["r2", "explained_variance"], decoder)
    constant.add(decoder.decode_labelled(output + offset, torch.full_like(target, offset), False))
    assert all(math.isnan(value) for value in constant.values().values())
