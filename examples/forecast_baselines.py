"""Baselines of forecasts: the same month of the year before, and exponential smoothing.

The smoothing is Holt and Winters' (Winters 1960) with a trend and a season, which add up or multiply. Its parameters
minimise the squares of the errors one step ahead, on the rows before the test; then it is carried on through the test,
and every forecast follows from all rows before it.
"""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize

SEASON, HORIZON, TEST_FRACTION = 12, 12, 0.2  # months; the last two as in the examples
STARTS = ((0.3, 0.1, 0.1), (0.8, 0.02, 0.5), (0.2, 0.05, 0.8))  # of the minimiser
BOUNDS = ((0.001, 0.999),) * 3

Series = np.ndarray[Any, np.dtype[np.float64]]


def airline_baseline(folder: Path) -> dict[str, Any]:
    """Return the mean absolute errors of all forecasts of `HORIZON` months in the test."""
    with (folder / "airline.csv").open(encoding="utf-8", newline="") as file:
        values = np.array([float(row["passengers"]) for row in csv.DictReader(file)])
    return forecast_errors(values)


def forecast_errors(values: Series) -> dict[str, Any]:
    """Return the errors of each method on every window of the last fifth of a series."""
    border = len(values) - round(TEST_FRACTION * len(values))
    origins = range(border, len(values) - HORIZON + 1)
    truth = np.stack([values[origin : origin + HORIZON] for origin in origins])
    methods: dict[str, Callable[[int], Series]] = {"seasonal naive": lambda origin: _last_season(values, origin)}
    for name, multiplies in {"additive": False, "multiplicative": True}.items():
        parameters = fit_smoothing(values[:border], multiplies)
        methods[f"{name} smoothing"] = lambda origin, fitted=parameters, multiplies=multiplies: smooth(
            values[:origin], fitted, multiplies
        )[1]
    errors = {
        name: round(float(np.abs(np.stack([method(origin) for origin in origins]) - truth).mean()), 4)
        for name, method in methods.items()
    }
    best = min(error for name, error in errors.items() if name != "seasonal naive")
    return {**errors, "exponential smoothing": best, "test windows": len(origins)}


def _last_season(values: Series, origin: int) -> Series:
    return np.resize(values[origin - SEASON : origin], HORIZON)


def fit_smoothing(values: Series, multiplies: bool) -> Series:
    """Return the parameters of level, trend and season, which minimise the squares of errors one step ahead."""
    found = [
        minimize(lambda parameters: smooth(values, parameters, multiplies)[0], start, bounds=BOUNDS) for start in STARTS
    ]
    best: Series = min(found, key=lambda each: each.fun).x
    return best


def smooth(values: Series, parameters: Series, multiplies: bool) -> tuple[float, Series]:
    """Return the sum of the squares of errors one step ahead, and the forecast of the next `HORIZON` steps."""
    of_level, of_trend, of_season = parameters
    level = values[:SEASON].mean()
    trend = (values[SEASON : 2 * SEASON].mean() - level) / SEASON
    seasons = list(values[:SEASON] / level if multiplies else values[:SEASON] - level)
    squares = 0.0
    for step in range(SEASON, len(values)):
        value, season = values[step], seasons[step - SEASON]
        expected = (level + trend) * season if multiplies else level + trend + season
        squares += (value - expected) ** 2
        without_season = value / season if multiplies else value - season
        before, level = level, of_level * without_season + (1 - of_level) * (level + trend)
        trend = of_trend * (level - before) + (1 - of_trend) * trend
        own = value / level if multiplies else value - level
        seasons.append(of_season * own + (1 - of_season) * season)
    line = level + trend * np.arange(1, HORIZON + 1)
    next_seasons = np.resize(np.array(seasons[-SEASON:]), HORIZON)
    return squares, line * next_seasons if multiplies else line + next_seasons
