"""Histograms: every value in the bin that has it between its edges."""

import math
from itertools import accumulate

import numpy as np
import pytest
import torch

from app import statistics
from tests.workers.training.harness import TrainingHarness, digits_job
from workers.training.statistics.histograms import MAX_VALUES, count_codes, sparse_histograms


def histogram(values: torch.Tensor) -> dict[int, int]:
    found = sparse_histograms([count_codes(values)])
    assert found.sizes == [len(found.bins)]
    return dict(zip(found.bins, found.counts, strict=True))


@pytest.mark.parametrize("scale", [1e-30, 1e-3, 1.0, 1e5])
def test_bins_have_the_values_between_their_edges(scale: float) -> None:
    values = torch.randn(5000, generator=torch.Generator().manual_seed(0)) * scale
    found = statistics._aligned({1: histogram(values)})
    expected, _ = np.histogram(values.double().numpy(), found["edges"])
    assert found["counts"][0].tolist() == expected.tolist()
    assert found["counts"].sum() == 5000


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.0, -0.0, 1.0, -1.0], {0: 2, 505: 1, -505: 1}),
        ([math.nan, math.inf, -math.inf, 1.0], {505: 1}),
        ([1.0, 2.0**-15.9, 2.0**-17], {505: 1, 441: 1, 0: 1}),
        ([math.nan], {}),
        ([0.0], {0: 1}),
    ],
)
def test_special_values(values: list[float], expected: dict[int, int]) -> None:
    assert histogram(torch.tensor(values)) == expected


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_other_dtypes(dtype: torch.dtype) -> None:
    values = torch.linspace(-2, 2, 33, dtype=dtype)
    assert histogram(values) == histogram(values.float())


def test_views_count_what_they_show() -> None:
    values = torch.arange(12.0).view(3, 4)
    assert histogram(values.T[1]) == histogram(values[:, 1].clone())


def test_of_many_values_evenly_spaced_ones_count() -> None:
    count = int(count_codes(torch.ones(1024, 1024)).sum())
    assert MAX_VALUES / 2 < count <= MAX_VALUES
    columns = torch.arange(8.0).repeat(2**17)  # a distance of eight would see one column alone
    assert len(histogram(columns)) == 8


def test_a_sample_has_weights_gradients_and_activations(laboratory: TrainingHarness) -> None:
    (sample,) = laboratory.run(digits_job(training={"steps": 1})).samples()
    assert sample.histograms is not None
    assert sample.histogram_series is not None
    ends = list(accumulate(sample.histograms.sizes))
    counts = {
        series: sum(sample.histograms.counts[end - size : end])
        for series, size, end in zip(sample.histogram_series, sample.histograms.sizes, ends, strict=True)
    }
    assert counts["linear1", "weights"] == counts["linear1", "gradients"] == 64 * 16 + 16
    assert counts["relu1", "activations"] == 64 * 16
