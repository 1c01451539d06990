"""Draws losses around edits: ``python docs/surgery_curves.py`` writes docs/surgery.svg.

The figures are those of benchmarks/results/surgery.json, which ``python benchmarks/surgery.py`` measures.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "surgery.json"
PICTURE = ROOT / "docs" / "surgery.svg"
WIDTH, PANEL, LEFT, BOTTOM, TOP = 720, 220, 48, 30, 26  # pixels; PANEL is the height of one
COLOURS = {"no edit": "#9fc5e8", "ours": "#2f7ed8", "optimiser reset": "#d8572f", "restart": "#888888"}
LABELS = {
    "no edit": "without an edit",
    "ours": "as edits are applied",
    "optimiser reset": "with a new state of the optimiser",
    "restart": "the larger network from new weights",
}
HEADROOM = 3.0  # the top of the axis over the loss before the edit; a restart begins far above
TICKS = 4
FONT = ' font-family="sans-serif" font-size="11"'
GREY = 'fill="#555555"'
DASHED = 'stroke="#333333" stroke-dasharray="4 3"'

Curves = Mapping[str, Sequence[float | None]]


class Panel:
    """Maps the steps and losses of one edit to pixels."""

    def __init__(self, curves: Curves, edit_step: int, top: float) -> None:
        steps = [step for step in curves["step"] if step is not None]
        self.first, self.last, self.edit_step, self.top = steps[0], steps[-1], edit_step, top
        before = [
            loss for step, loss in zip(steps, curves["ours"], strict=True) if step < edit_step and loss is not None
        ]
        self.loss = HEADROOM * sum(before) / len(before)

    def to_pixel(self, step: float, loss: float) -> str:
        """Return the pixel of a point; losses beyond the axis lie on its top."""
        x = LEFT + (WIDTH - LEFT - 16) * (step - self.first) / (self.last - self.first)
        height = PANEL - BOTTOM - TOP
        return f"{x:.1f},{self.top + TOP + height * (1 - min(loss / self.loss, 1.0)):.1f}"


def render_svg(panels: Mapping[str, Curves], edit_step: int) -> str:
    """Return the losses around edits as SVG, a panel for each."""
    height = PANEL * len(panels)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"{FONT}>',
        "<title>Validation loss around edits of a running job</title>",
        f'<rect width="{WIDTH}" height="{height}" rx="6" fill="#ffffff"/>',
    ]
    for place, (name, curves) in enumerate(panels.items()):
        parts += _render_panel(name, curves, Panel(curves, edit_step, PANEL * place), with_labels=place == 0)
    return "\n".join([*parts, "</svg>\n"])


def _render_panel(name: str, curves: Curves, panel: Panel, with_labels: bool) -> Iterator[str]:
    yield f'<text x="{LEFT}" y="{panel.top + 16:g}" font-weight="bold">{name}, before step {panel.edit_step}</text>'
    for tick in range(TICKS + 1):
        share = tick / TICKS
        step = panel.first + share * (panel.last - panel.first)
        x, y = panel.to_pixel(step, panel.loss * share).split(",")
        yield f'<line x1="{LEFT}" x2="{WIDTH - 16}" y1="{y}" y2="{y}" stroke="#dddddd"/>'
        yield f'<text x="{LEFT - 6}" y="{y}" text-anchor="end" {GREY}>{panel.loss * share:.2f}</text>'
        yield f'<text x="{x}" y="{panel.top + PANEL - 12:g}" text-anchor="middle" {GREY}>{step:.0f}</text>'
    x, top = panel.to_pixel(panel.edit_step, panel.loss).split(",")
    bottom = panel.top + PANEL - BOTTOM
    yield f'<line x1="{x}" x2="{x}" y1="{top}" y2="{bottom:g}" {DASHED}/>'
    for place, (way, colour) in enumerate(COLOURS.items()):
        points = [(step, loss) for step, loss in zip(curves["step"], curves[way], strict=True) if step is not None]
        line = " ".join(panel.to_pixel(step, loss) for step, loss in points if loss is not None)
        yield f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
        if with_labels:
            y = bottom - 55 + 15 * place
            yield f'<text x="{LEFT + 12}" y="{y:g}" fill="{colour}">{LABELS[way]}</text>'


def main() -> None:
    """Read the results and draw."""
    losses = json.loads(RESULTS.read_text())["loss"]
    step = next(iter(losses.values()))["edit_step"]
    PICTURE.write_text(render_svg({name: figures["curves"] for name, figures in losses.items()}, step))
    sys.stdout.write(f"{PICTURE.relative_to(ROOT)} written\n")


if __name__ == "__main__":
    main()
