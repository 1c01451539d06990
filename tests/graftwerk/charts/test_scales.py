import math

import pytest

from graftwerk.charts.scales import Scale, fit_scale, format_tick


@pytest.mark.parametrize(
    ("values", "log", "bounds"),
    [
        ([1.0, 3.0, math.nan, math.inf], False, (1.0, 3.0)),
        ([0.0, -1.0, 10.0, 0.1], True, (0.1, 10.0)),
        ([5.0], False, (2.5, 7.5)),
        ([0.0], False, (-1.0, 1.0)),
        ([4.0, 4.0], True, (2.0, 8.0)),
        ([-1.7e308, 1.7e308], False, (-1.7e308, 1.7e308)),
    ],
)
def test_a_scale_fits_what_it_can_show(values: list[float], log: bool, bounds: tuple[float, float]) -> None:
    scale = fit_scale(values, log)
    assert scale is not None
    assert (scale.low, scale.high) == bounds
    for value in values:
        if scale.shows(value):
            assert -1e-9 <= scale.position(value) <= 1 + 1e-9


@pytest.mark.parametrize(("values", "log"), [([], False), ([math.nan, math.inf], False), ([0.0, -3.0], True)])
def test_nothing_to_show(values: list[float], log: bool) -> None:
    assert fit_scale(values, log) is None


@pytest.mark.parametrize(
    ("scale", "ticks"),
    [
        (Scale(0, 1000), [0, 200, 400, 600, 800, 1000]),
        (Scale(-0.3, 0.3), [-0.2, 0, 0.2]),
        (Scale(0.001, 100, log=True), [0.001, 0.01, 0.1, 1, 10, 100]),
        (Scale(1e-9, 1, log=True), [1e-9, 1e-7, 1e-5, 1e-3, 0.1]),
        (Scale(2, 8, log=True), [2, 4, 6, 8]),
    ],
)
def test_ticks_are_round(scale: Scale, ticks: list[float]) -> None:
    assert scale.ticks(6 if len(ticks) > 4 else 4) == pytest.approx(ticks, abs=1e-12)


@pytest.mark.parametrize("low", [-1e308, -5e-324, 0.0, 1.0, 1e16])
@pytest.mark.parametrize("span", [5e-324, 1e-12, 1.0, 1e308])
def test_ticks_of_any_scale_are_few_and_inside(low: float, span: float) -> None:
    scale = fit_scale([low, low + span])
    assert scale is not None
    ticks = scale.ticks(5)
    assert 0 < len(ticks) <= 11
    assert all(-1e-6 <= scale.position(tick) <= 1 + 1e-6 for tick in ticks)


@pytest.mark.parametrize(
    ("value", "label"),
    [
        (0.0, "0"),
        (0.05, "0.05"),
        (1e-5, "1e-5"),
        (-2.5e-10, "-2.5e-10"),
        (123456.0, "123456"),
        (1e6, "1e6"),
        (1e16, "1e16"),
    ],
)
def test_labels_are_short(value: float, label: str) -> None:
    assert format_tick(value) == label
