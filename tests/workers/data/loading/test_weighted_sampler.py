"""Rows drawn by weight, beside torch's `WeightedRandomSampler`: the same rows, and the shares that weights say."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import WeightedRandomSampler

from app.errors import DataError
from app.spec.data.examples.sampling import Sampling
from workers.data.loading.sampler import Sampler, draw_ranks
from workers.data.loading.weights import sampling_weights
from workers.data.rng import stream_seed

ROWS = 50
WEIGHTS = torch.from_numpy(np.random.default_rng(2).random(ROWS) ** 3)
LENGTHS = torch.arange(ROWS) % 13 + 1


def build_sampler(replacement: bool = True, samples: int = ROWS, **settings: Any) -> Sampler:
    sampler = Sampler(5, samples, 8, weights=WEIGHTS, **settings)
    sampler.replacement = replacement
    return sampler


def epoch_rows(sampler: Sampler, epoch: int) -> list[int]:
    steps = range(epoch * sampler.steps_per_epoch, (epoch + 1) * sampler.steps_per_epoch)
    return [row for step in steps for indices, _ in sampler.batches(step) for row in indices.tolist()]


@pytest.mark.parametrize(("replacement", "samples"), [(True, ROWS), (True, 123), (False, 20)])
def test_rows_are_those_of_torchs_sampler(replacement: bool, samples: int) -> None:
    sampler = build_sampler(replacement, samples)
    for epoch in (0, 3):
        generator = torch.Generator().manual_seed(stream_seed(5, epoch))
        expected = list(WeightedRandomSampler(WEIGHTS.tolist(), samples, replacement, generator))
        assert epoch_rows(sampler, epoch) == expected
    if not replacement:
        assert len(set(epoch_rows(sampler, 0))) == samples


def test_shares_are_those_of_the_weights() -> None:
    drawn = np.bincount(epoch_rows(build_sampler(samples=40_000), 0), minlength=ROWS)
    expected = 40_000 * (WEIGHTS / WEIGHTS.sum()).numpy()
    chi_square = float(((drawn - expected) ** 2 / expected).sum())
    assert chi_square < 85  # of 49 degrees of freedom: exceeded once in a thousand


def test_steps_are_a_function_of_seed_epoch_and_step() -> None:
    whole, later = build_sampler(accumulate=3), build_sampler(accumulate=3)
    for step in range(12):
        list(whole.batches(step))
    for step in (11, 2):
        for (mine, _), (other, _) in zip(whole.batches(step), later.batches(step), strict=True):
            assert mine.equal(other)


def test_batches_of_like_length_hold_the_drawn_rows() -> None:
    plain, bucketed = build_sampler(samples=64), build_sampler(samples=64, lengths=LENGTHS)
    assert Counter(epoch_rows(bucketed, 1)) == Counter(epoch_rows(plain, 1))
    spread = [int(LENGTHS[rows].max() - LENGTHS[rows].min()) for step in range(8) for rows, _ in bucketed.batches(step)]
    assert sum(spread) < 30


def test_draws_of_one_row_are_told_apart() -> None:
    assert draw_ranks(torch.tensor([4, 1, 4, 4, 1, 0])).tolist() == [0, 0, 1, 2, 1, 0]
    sampler = build_sampler(accumulate=2)
    numbers = [
        sampler.draw_numbers(step, batch, rows)
        for step in range(sampler.steps_per_epoch)
        for batch, (rows, _) in enumerate(sampler.batches(step))
    ]
    together = torch.cat(numbers)
    assert len(together.unique()) == len(together) == ROWS
    assert (together % ROWS).tolist() == epoch_rows(sampler, 0)
    assert build_sampler(replacement=False, samples=9).draw_numbers(0, 0, torch.arange(3)).tolist() == [0, 1, 2]


def test_classes_are_balanced_also_one_with_a_single_row() -> None:
    labels = ["a"] * 90 + ["b"] * 9 + ["c"]
    weights = sampling_weights(Sampling(kind="balanced"), {"label": labels}, "label")
    sampler = Sampler(0, 30_000, 64, weights=weights)
    counts = Counter(labels[row] for row in epoch_rows(sampler, 0))
    assert all(abs(count / 10_000 - 1) < 0.05 for count in counts.values())
    assert set(counts) == {"a", "b", "c"}


@pytest.mark.parametrize(
    ("values", "settings", "match"),
    [
        ([1.0, -2.0], {}, '"w" is -2 in row 2'),
        ([1.0, float("nan")], {}, '"w" is nan in row 2'),
        ([0.0, 0.0], {}, "0 in every row"),
        ([1.0, 0.0, 2.0], {"replacement": False, "samples": 3}, "2 rows of train have a weight, and 3"),
    ],
)
def test_weights_that_are_none_are_refused(values: list[float], settings: dict[str, Any], match: str) -> None:
    sampling = Sampling(kind="weighted", column="w", **settings)
    with pytest.raises(DataError, match=match):
        sampling_weights(sampling, {"w": torch.tensor(values)}, None)
