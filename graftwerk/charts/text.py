"""Panels as text: dots of Braille characters (2 x 4 in each), or plain ASCII."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, repeat
from operator import itemgetter

from rich.text import Text

from graftwerk.charts.envelope import cover_columns
from graftwerk.charts.lines import Line, Panel
from graftwerk.charts.scales import Scale, format_tick

Scales = tuple[Scale, Scale]  # of x and y
COLOURS = ("cyan", "yellow", "magenta", "green", "red", "blue")
BRAILLE = 0x2800
DOT_BITS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # by row and column of a character
MIN_COLUMNS, MIN_ROWS = 10, 3
TICK_ROWS, TICK_COLUMNS = 3, 12  # characters for each tick, at least


@dataclass(frozen=True, slots=True)
class Symbols:
    """The characters of a drawing."""

    vertical: str
    corner: str
    horizontal: str
    gap: str
    dots: bool  # Braille


UNICODE = Symbols("┤", "└", "─", "✕", dots=True)
ASCII = Symbols("|", "+", "-", "x", dots=False)


def draw_panel(panel: Panel, width: int, height: int, symbols: Symbols = UNICODE) -> Iterator[Text]:
    """Yield the lines of a panel: title, rows with labels of y, the axis, labels of x, and a legend.

    `width`: of all in characters; `height`: of the drawing in rows.
    """
    yield Text(panel.title, "bold")
    if panel.x is not None and panel.y is not None:
        scales = panel.x, panel.y
        labels = _row_labels(panel.y, max(height, MIN_ROWS))
        margin = max(map(len, labels))
        columns = max(width - margin - 1, MIN_COLUMNS)
        for label, row in zip(labels, _draw_rows(panel.lines, scales, (columns, len(labels)), symbols), strict=True):
            yield Text.assemble((label.rjust(margin) + symbols.vertical, "dim"), row)
        yield Text(" " * margin + symbols.corner, "dim").append_text(_draw_axis(panel.lines, scales, columns, symbols))
        yield Text(" " * (margin + 1) + _column_labels(panel.x, columns), "dim")
    for number, line in enumerate(panel.lines):
        yield _describe(line, panel, COLOURS[number % len(COLOURS)], symbols)


def _draw_rows(lines: Sequence[Line], scales: Scales, size: tuple[int, int], symbols: Symbols) -> list[Text]:
    """Return the rows, the highest first. Where lines meet, a character has the colour of the later one."""
    columns, rows = size
    across, down = (2, 4) if symbols.dots else (1, 1)
    bits = [[0] * columns for _ in range(rows)]
    styles = [[""] * columns for _ in range(rows)]
    for number, line in enumerate(lines):
        for column, (low, high) in cover_columns(line, *scales, columns * across).items():
            top, bottom = (round((1.0 - position) * (rows * down - 1)) for position in (high, low))
            for dot in range(max(top, 0), min(bottom, rows * down - 1) + 1):
                row, place = dot // down, column // across
                bits[row][place] |= DOT_BITS[dot % down][column % across]
                styles[row][place] = COLOURS[number % len(COLOURS)]
    return [_join_runs(map(_character, row, repeat(symbols)), style) for row, style in zip(bits, styles, strict=True)]


def _join_runs(characters: Iterable[str], styles: Iterable[str]) -> Text:
    """Return characters as text, with one span for neighbours of the same style."""
    text = Text()
    for style, run in groupby(zip(styles, characters, strict=True), itemgetter(0)):
        text.append("".join(character for _, character in run), style)
    return text


def _character(bits: int, symbols: Symbols) -> str:
    if not bits:
        return " "
    return chr(BRAILLE + bits) if symbols.dots else "*"


def _draw_axis(lines: Sequence[Line], scales: Scales, columns: int, symbols: Symbols) -> Text:
    """Return the axis of x, with a mark where a line has no place."""
    axis = [symbols.horizontal] * columns
    x, y = scales
    for line in lines:
        for at in line.gaps(x, y):
            if 0.0 <= (place := x.position(at)) <= 1.0:
                axis[round(place * (columns - 1))] = symbols.gap
    return _join_runs(axis, ["bold red" if each == symbols.gap else "dim" for each in axis])


def _row_labels(y: Scale, rows: int) -> list[str]:
    """Return the label of every row, the highest first; most are empty."""
    labels = [""] * rows
    for tick in y.ticks(max(rows // TICK_ROWS, 2)):
        labels[round((1.0 - y.position(tick)) * (rows - 1))] = format_tick(tick)
    return labels


def _column_labels(x: Scale, columns: int) -> str:
    text = ""
    for tick in x.ticks(max(columns // TICK_COLUMNS, 3)):
        label = format_tick(tick)
        start = min(round(x.position(tick) * (columns - 1)) - len(label) // 2, columns - len(label))
        start = max(start, 0)
        if not text or start > len(text):
            text = text.ljust(start) + label
    return text


def _describe(line: Line, panel: Panel, colour: str, symbols: Symbols) -> Text:
    """Return a line of the legend: the name, and the last, least and largest value."""
    shown = [value for value in line.values() if panel.y is not None and panel.y.shows(value)]
    text = Text.assemble((("●" if symbols.dots else "*") + " ", colour), (line.name, "bold"))
    text.append(f"  last {line.last[-1]:.6g}")
    if shown:
        text.append(f"  min {min(shown):.6g}  max {max(shown):.6g}")
    gaps = _count_gaps(line.last, panel.y)
    if gaps:
        what = "not finite or not positive" if panel.y is not None and panel.y.log else "not finite"
        text.append(f"  {symbols.gap} {gaps} of {len(line.last)} values {what}", "red")
    return text


def _count_gaps(values: Sequence[float], y: Scale | None) -> int:
    return sum(y is None or not y.shows(value) for value in values)
