"""Trains a job on a service of its own and draws its curves: ``python docs/curve.py`` writes docs/curve.svg."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

from service import run_service  # noqa: E402 - a neighbour folder's script, found by the line above

EXAMPLE = ROOT / "examples" / "digits-cnn.json"
WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 720, 260, 48, 30, 16  # pixels
FONT = ' font-family="sans-serif" font-size="11"'
GREY = 'fill="#555555"'
BUCKETS = 240
SERIES_COLOURS = {"train/loss": "#2f7ed8", "val/loss": "#d8572f"}

CurveColumns = Mapping[str, Sequence[float]]


class PlotArea:
    """Maps steps and losses to pixels."""

    def __init__(self, series: Mapping[str, CurveColumns]) -> None:
        self.steps = max(max(columns["step"]) for columns in series.values())
        self.loss = max(max(columns["max"]) for columns in series.values())

    def to_pixel(self, step: float, loss: float) -> str:
        """Return the pixel of a point."""
        x = LEFT + (WIDTH - LEFT - TOP) * step / self.steps
        y = HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * loss / self.loss
        return f"{x:.1f},{y:.1f}"


def render_svg(series: Mapping[str, CurveColumns], title: str) -> str:
    """Return the curves as SVG: a band from min to max of every bucket, and a line through the last values."""
    frame = PlotArea(series)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"{FONT}>',
        f"<title>{title}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="6" fill="#ffffff"/>',
    ]
    parts += _render_axes(frame)
    for position, (name, columns) in enumerate(series.items()):
        colour = SERIES_COLOURS[name]
        steps = columns["step"]
        upper = [frame.to_pixel(*point) for point in zip(steps, columns["max"], strict=True)]
        lower = [frame.to_pixel(*point) for point in zip(steps, columns["min"], strict=True)]
        line = [frame.to_pixel(*point) for point in zip(steps, columns["last"], strict=True)]
        band = " ".join(upper + lower[::-1])
        parts.append(f'<polygon points="{band}" fill="{colour}" opacity="0.2"/>')
        parts.append(f'<polyline points="{" ".join(line)}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        parts.append(f'<text x="{WIDTH - 110}" y="{TOP + 14 + 16 * position}" fill="{colour}">{name}</text>')
    return "\n".join([*parts, "</svg>\n"])


def _render_axes(frame: PlotArea) -> list[str]:
    parts = []
    for part in (0.0, 0.25, 0.5, 0.75, 1.0):
        x, y = frame.to_pixel(frame.steps * part, frame.loss * part).split(",")
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - TOP}" y1="{y}" y2="{y}" stroke="#dddddd"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y}" text-anchor="end" {GREY}>{frame.loss * part:.2f}</text>')
        parts.append(f'<text x="{x}" y="{HEIGHT - 10}" text-anchor="middle" {GREY}>{frame.steps * part:.0f}</text>')
    return parts


def main() -> None:
    """Train, read the curves as any client does, draw."""
    spec = json.loads(EXAMPLE.read_text())
    with run_service("--slots", "1") as running:
        job = running.submit(spec)
        status = running.wait(job)["status"]
        params = {"names": ",".join(SERIES_COLOURS), "max_points": str(BUCKETS)}
        series = running.http.get(f"/v1/jobs/{job}/metrics", params=params).raise_for_status().json()["series"]
    if status != "succeeded":
        raise SystemExit(f"the job {status}")
    path = ROOT / "docs" / "curve.svg"
    path.write_text(render_svg(series, f"Loss by step: {spec['name']}"))
    sys.stdout.write(f"{path.relative_to(ROOT)} written\n")


if __name__ == "__main__":
    main()
