"""Panels as SVG: without scripts or styles of its own, in the colour of the text around it."""

from collections.abc import Iterator, Sequence
from html import escape

from graftwerk.charts.lines import Line, Panel
from graftwerk.charts.scales import Scale, format_tick

COLOURS = ("#3b82f6", "#f97316", "#10b981", "#ec4899", "#8b5cf6", "#a3a322")  # legible on white and on black
LEFT, RIGHT, TOP, BOTTOM = 64, 12, 26, 24  # margins in pixels
FONT = 'font-family="system-ui, sans-serif" font-size="11" fill="currentColor"'
NON_FINITE_COLOUR = "#dc2626"


def draw_svg(panels: Sequence[Panel], width: int = 640, height: int = 220) -> str:
    """Return one SVG with all panels, one below the other, each `height` pixels high."""
    body = "".join(
        f'<g transform="translate(0 {number * height})">{"".join(_draw_panel(panel, width, height))}</g>'
        for number, panel in enumerate(panels)
    )
    total = height * max(len(panels), 1)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="training curves" width="{width}" '
        f'height="{total}" viewBox="0 0 {width} {total}">{body}</svg>'
    )


def _draw_panel(panel: Panel, width: int, height: int) -> Iterator[str]:
    if panel.x is None or panel.y is None:
        yield f'<text x="{LEFT}" y="16" {FONT}>{escape(panel.title)}: no finite values</text>'
        return
    yield from _draw_axes(panel.x, panel.y, width, height)
    left = LEFT
    for number, line in enumerate(panel.lines):
        colour = COLOURS[number % len(COLOURS)]
        label = f"{line.name} {line.last[-1]:.5g}"
        yield f'<rect x="{left}" y="8" width="10" height="10" fill="{colour}"/>'
        yield f'<text x="{left + 14}" y="17" {FONT}>{escape(label)}</text>'
        left += 30 + 7 * len(label)
        yield from _draw_line(line, panel.x, panel.y, (width, height), colour)


def _draw_axes(x: Scale, y: Scale, width: int, height: int) -> Iterator[str]:
    for tick in y.ticks(5):
        at = _down(y, tick, height)
        yield (
            f'<path d="M{LEFT} {at:.1f}H{width - RIGHT}" stroke="currentColor" stroke-opacity="0.15"/>'
            f'<text x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end" {FONT}>{format_tick(tick)}</text>'
        )
    for tick in x.ticks(6):
        at = _across(x, tick, width)
        yield f'<text x="{at:.1f}" y="{height - 8}" text-anchor="middle" {FONT}>{format_tick(tick)}</text>'


def _draw_line(line: Line, x: Scale, y: Scale, size: tuple[int, int], colour: str) -> Iterator[str]:
    """Yield the band from minimum to maximum, the last values as a line, and marks where they have no place."""
    width, height = size
    band, path, down = [], [], False
    for at, low, high, last in zip(line.x, line.low, line.high, line.last, strict=True):
        if not x.shows(at):
            continue
        place = _across(x, at, width)
        if y.shows(low) and y.shows(high) and low < high:
            band.append(f"M{place:.1f} {_down(y, low, height):.1f}V{_down(y, high, height):.1f}")
        if not y.shows(last):
            down = False
            continue
        path.append(f"{'L' if down else 'M'}{place:.1f} {_down(y, last, height):.1f}{'' if down else 'h0.1'}")
        down = True
    if band:
        yield f'<path d="{"".join(band)}" stroke="{colour}" stroke-opacity="0.35" stroke-width="1.2"/>'
    yield f'<path d="{"".join(path)}" fill="none" stroke="{colour}" stroke-width="1.6" stroke-linecap="round"/>'
    for at in line.gaps(x, y):
        where = f'x="{_across(x, at, width):.1f}" y="{height - BOTTOM}"'
        yield (
            f'<text {where} text-anchor="middle" font-size="12" fill="{NON_FINITE_COLOUR}">✕'
            f"<title>{escape(line.name)} is not finite at {format_tick(at)}</title></text>"
        )


def _across(x: Scale, value: float, width: int) -> float:
    return LEFT + x.position(value) * (width - LEFT - RIGHT)


def _down(y: Scale, value: float, height: int) -> float:
    return TOP + (1.0 - y.position(value)) * (height - TOP - BOTTOM)
