"""Curves as text and as SVG: spikes, gaps and names."""

import math
import re
from xml.etree import ElementTree

import pytest

from graftwerk.charts.lines import Line, arrange_panels, lines_of
from graftwerk.charts.svg import draw_svg
from graftwerk.charts.text import ASCII, UNICODE, Symbols, draw_panel
from graftwerk.types import Metrics

COUNT = 20_000


def line(values: list[float], name: str = "train/loss") -> Line:
    return Line(name, list(range(len(values))), values, values, values)


def draw(lines: list[Line], width: int = 60, log: bool = False, symbols: Symbols = UNICODE) -> list[str]:
    panels = arrange_panels(lines, together=True, log_y=log)
    return [row.plain for panel in panels for row in draw_panel(panel, width, 8, symbols)]


@pytest.mark.parametrize("symbols", [UNICODE, ASCII])
@pytest.mark.parametrize("width", [16, 40, 200])
@pytest.mark.parametrize("at", [0, 7_777, COUNT - 1])
def test_a_spike_of_one_point_reaches_the_top(symbols: Symbols, width: int, at: int) -> None:
    values = [1.0] * COUNT
    values[at] = 100.0
    rows = draw([line(values)], width, symbols=symbols)[1:9]
    filled = [bool(row.partition(symbols.vertical)[2].strip()) for row in rows]
    assert all(filled)
    flat = draw([line([1.0, 100.0, *[1.0] * (COUNT - 2)])], width, symbols=symbols)[1:9]
    assert max(len(row.strip()) for row in flat[:7]) < width


def test_a_bucket_is_drawn_from_its_minimum_to_its_maximum() -> None:
    bucket = Line("loss", [1, 2, 3], [0.0, 0.0, 0.0], [1.0, 8.0, 1.0], [1.0, 1.0, 1.0])
    rows = draw([bucket])[1:9]
    assert all(row.partition("┤")[2].strip() for row in rows)


@pytest.mark.parametrize(
    ("values", "log", "words"),
    [
        ([1.0, math.nan, 2.0, math.inf, 3.0], False, "2 of 5 values not finite"),
        ([1.0, 0.0, 2.0], True, "1 of 3 values not finite or not positive"),
    ],
)
def test_what_has_no_place_is_marked_and_counted(values: list[float], log: bool, words: str) -> None:
    rows = draw([line(values)], log=log)
    assert rows[9].count("✕") == int(words[0])
    assert words in rows[-1]


def test_a_line_is_interrupted_where_it_is_not_a_number() -> None:
    values = [1.0] * 40 + [math.nan] * 20 + [1.0] * 40
    (row,) = [row for row in draw([line(values)], width=52)[1:9] if row.partition("┤")[2].strip()]
    assert re.fullmatch(r"\S+ {9,11}\S+", row.partition("┤")[2].strip())


@pytest.mark.parametrize("values", [[math.nan] * 3, [math.inf]])
def test_nothing_finite_is_said(values: list[float]) -> None:
    rows = draw([line(values)])
    assert rows[0] == "loss"
    assert f"{len(values)} of {len(values)} values not finite" in rows[-1]
    ElementTree.fromstring(draw_svg(arrange_panels([line(values)], together=True)))


def test_rows_fit_the_width() -> None:
    panels = arrange_panels([line([0.123456789, 1e-7, 12345.678])], together=True)
    for width in (20, 33, 80):
        for panel in panels:
            assert all(len(row.plain) <= width for row in list(draw_panel(panel, width, 6))[:-1])


def test_lines_of_a_quantity_share_a_panel_where_colours_tell_them_apart() -> None:
    metrics = Metrics(
        "step", {name: {"step": [1, 2], "last": [0.5, 0.4]} for name in ("train/loss", "val/loss", "val/f1")}
    )
    lines = [*lines_of(metrics), *lines_of(Metrics("step", {"empty": {"step": [], "last": []}}))]
    assert [panel.title for panel in arrange_panels(lines, together=True)] == ["loss", "f1"]
    assert len(arrange_panels(lines, together=False)) == 3


def test_svg_has_names_as_text_and_nothing_that_runs() -> None:
    name = "<script>alert(1)</script>\"&' onload=x"
    values = [1.0, math.nan, 3.0]
    drawing = draw_svg(arrange_panels([line(values, name)], together=False))
    root = ElementTree.fromstring(drawing)
    texts = ["".join(element.itertext()) for element in root.iter() if element.tag.endswith("text")]
    assert any(name in text for text in texts)
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert tags <= {"svg", "g", "path", "rect", "text", "title"}
    assert not [key for element in root.iter() for key in element.attrib if key.startswith("on") or key == "style"]


def test_svg_keeps_the_band_and_interrupts_the_line() -> None:
    bucket = Line("loss", [1, 2, 3, 4], [0, 0, math.nan, 0], [9, 9, math.nan, 9], [1, 2, math.nan, 3])
    paths = re.findall(r'<path d="([^"]*)"[^>]*stroke="#3b82f6"', draw_svg(arrange_panels([bucket], together=True)))
    band, path = paths
    assert band.count("V26.0") == 3
    assert path.count("M") == 2


def test_returns_come_before_losses() -> None:
    names = ("episode/length", "episode/return", "train/loss", "val/return")
    panels = arrange_panels([line([1.0, 2.0], name) for name in names], together=True)
    assert [panel.title for panel in panels] == ["return", "length", "loss"]
    apart = arrange_panels([line([1.0, 2.0], name) for name in names], together=False)
    assert [panel.title for panel in apart][:2] == ["episode/return", "val/return"]
