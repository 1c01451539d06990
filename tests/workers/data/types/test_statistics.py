"""Statistics are those of numpy over all values, whatever the number that is looked at at once."""

import numpy as np
import pytest
import torch

from workers.data.types import statistics
from workers.data.types.datetimes import DatetimeType
from workers.data.types.statistics import HISTOGRAM_BINS, count_words, summarize, summarize_lengths


@pytest.fixture(params=[7, 1 << 20], autouse=True)
def chunk_size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "SUM_CHUNK_SIZE", request.param)


def numbers(rows: int = 500) -> torch.Tensor:
    values = torch.randn(rows, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 3 + 1
    values[::9] = torch.nan
    return values


def test_figures_and_histogram_are_those_of_numpy() -> None:
    values = numbers()
    there = values[~values.isnan()].numpy()
    found = summarize(values)
    assert found is not None
    assert found["histogram"] == np.histogram(there, HISTOGRAM_BINS)[0].tolist()
    assert (found["min"], found["max"]) == (there.min(), there.max())
    assert (found["mean"], found["std"]) == pytest.approx((there.mean(), there.std()))


def test_whole_numbers_and_bytes_have_a_histogram() -> None:
    values = torch.arange(100, dtype=torch.uint8).reshape(10, 10)
    assert (summarize(values) or {})["histogram"] == [5] * HISTOGRAM_BINS


@pytest.mark.parametrize("values", [[2.0, 2.0], [1.0, 1.0 + 2**-52], [-1.7e308, 1.7e308]], ids=["equal", "near", "far"])
def test_without_width_there_is_no_histogram(values: list[float]) -> None:
    assert "histogram" not in (summarize(torch.tensor(values, dtype=torch.float64)) or {"histogram": ""})


def test_nothing_has_no_statistics() -> None:
    assert summarize(torch.full((3,), torch.nan)) is None
    assert summarize_lengths([None, None]) is None


def test_lengths_are_summarized() -> None:
    assert (summarize_lengths(["a", "abc", None]) or {})["mean"] == 2


def test_words_are_counted_and_how_many_differ() -> None:
    words = [f"w{number}" for number in range(30)] + ["w7", None]
    found = count_words(words)
    assert found["different"] == 30
    assert len(found["counts"]) == 20
    assert next(iter(found["counts"].items())) == ("w7", 2)


def test_dates_have_a_histogram_between_the_first_and_the_last() -> None:
    days = torch.tensor([0.0, 86_400.0, 10 * 86_400.0, torch.nan], dtype=torch.float64)
    found = DatetimeType.statistics(days)
    assert found is not None
    assert (found["min"], found["max"]) == ("1970-01-01T00:00:00", "1970-01-11T00:00:00")
    assert found["histogram"] == np.histogram(days[:3].numpy(), HISTOGRAM_BINS)[0].tolist()
