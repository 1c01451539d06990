"""Exponential smoothing and the same month a year before, on series whose forecasts are known."""

import numpy as np

from examples.forecast_baselines import SEASON, fit_smoothing, forecast_errors, smooth

MONTHS = np.arange(120)
SEASONS = 10.0 + np.sin(MONTHS * 2 * np.pi / SEASON)


def test_a_season_that_repeats_is_forecast_without_error() -> None:
    found = forecast_errors(SEASONS)
    assert found["seasonal naive"] == 0.0
    assert found["exponential smoothing"] < 1e-3
    assert found["test windows"] == 24 - 12 + 1


def test_a_season_that_grows_is_forecast_by_the_form_that_multiplies() -> None:
    values = SEASONS * (1 + 0.05 * MONTHS)
    found = forecast_errors(values)
    assert found["multiplicative smoothing"] < 0.5 * found["additive smoothing"]
    assert found["multiplicative smoothing"] < 0.2 * found["seasonal naive"]


def test_the_trend_is_carried_on() -> None:
    values = SEASONS + 0.5 * MONTHS
    squares, forecast = smooth(values, fit_smoothing(values, False), False)
    expected = 10.0 + np.sin(np.arange(120, 132) * 2 * np.pi / SEASON) + 0.5 * np.arange(120, 132)
    np.testing.assert_allclose(forecast, expected, atol=0.1)
    assert squares < 100  # nearly all of it in the first years, whose season began with the trend in it
