"""Trains an agent on a service of its own; draws returns and an episode: ``python docs/reinforcement_curves.py``.

It writes docs/reinforcement.svg: the return of episodes while it explored and of evaluations by step, and below them
the numbers of one evaluated episode, each as a share of its largest magnitude.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

from service import run_service  # noqa: E402 - a neighbour folder's script, found by the line above

EXAMPLE = ROOT / "examples" / "rl" / "pendulum-sac.json"
PICTURE = ROOT / "docs" / "reinforcement.svg"
WIDTH, PANEL, LEFT, RIGHT, TOP, BOTTOM = 720, 220, 56, 130, 20, 30  # pixels; PANEL is the height of one
FONT = ' font-family="sans-serif" font-size="11"'
GREY = 'fill="#555555"'
TICKS = 4
RETURNS = ("episode/return", "val/return")
COLOURS = ("#9fc5e8", "#d8572f", "#2f7ed8", "#3a8a3a", "#8a4fbf")
POINTS = 2000  # of a series, at most

Line = Sequence[tuple[float, float]]


def render_svg(panels: Sequence[tuple[str, Mapping[str, Line]]], title: str) -> str:
    """Return panels below each other as SVG, each with a caption and lines by name."""
    height = PANEL * len(panels)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"{FONT}>',
        f"<title>{title}</title>",
        f'<rect width="{WIDTH}" height="{height}" rx="6" fill="#ffffff"/>',
    ]
    for place, (caption, lines) in enumerate(panels):
        parts += _render_panel(caption, lines, PANEL * place)
    return "\n".join([*parts, "</svg>\n"])


def _render_panel(caption: str, lines: Mapping[str, Line], top: float) -> Iterator[str]:
    points = [point for line in lines.values() for point in line]
    last = max(x for x, _ in points)
    low, high = min(y for _, y in points), max(y for _, y in points)

    def to_pixel(x: float, y: float) -> tuple[float, float]:
        share = (y - low) / ((high - low) or 1.0)
        across = LEFT + (WIDTH - LEFT - RIGHT) * x / (last or 1.0)
        return round(across, 1), round(top + TOP + (PANEL - TOP - BOTTOM) * (1 - share), 1)

    yield f'<text x="{LEFT}" y="{top + 14:g}" font-weight="bold">{caption}</text>'
    for tick in range(TICKS + 1):
        step, value = last * tick / TICKS, low + (high - low) * tick / TICKS
        across, down = to_pixel(step, value)
        yield f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{down}" y2="{down}" stroke="#dddddd"/>'
        yield f'<text x="{LEFT - 6}" y="{down}" text-anchor="end" {GREY}>{value:.4g}</text>'
        yield f'<text x="{across}" y="{top + PANEL - 12:g}" text-anchor="middle" {GREY}>{step:.0f}</text>'
    for place, (name, line) in enumerate(lines.items()):
        colour = COLOURS[place % len(COLOURS)]
        drawn = " ".join(f"{x},{y}" for x, y in (to_pixel(*point) for point in line))
        yield f'<polyline points="{drawn}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
        yield f'<text x="{WIDTH - RIGHT + 8}" y="{top + TOP + 12 + 16 * place:g}" fill="{colour}">{name}</text>'


def episode_lines(recorded: Mapping[str, Any]) -> dict[str, Line]:
    """Return the numbers of a recorded episode by name, step by step, as shares of their largest magnitudes."""
    columns = {
        name: [row[place] for row in recorded[rows]]
        for rows, names in (("observations", "observation_names"), ("actions", "action_names"))
        for place, name in enumerate(recorded[names])
    }
    return {
        name: [(step, value / (max(map(abs, values)) or 1.0)) for step, value in enumerate(values)]
        for name, values in columns.items()
    }


def main() -> None:
    """Train, read returns and report as any client does, draw."""
    spec = json.loads(EXAMPLE.read_text())
    with run_service("--slots", "1") as running:
        job = running.submit(spec)
        status = running.wait(job)["status"]
        if status != "succeeded":
            raise SystemExit(f"the job {status}")
        params = {"names": ",".join(RETURNS), "max_points": str(POINTS)}
        series = running.http.get(f"/v1/jobs/{job}/metrics", params=params).raise_for_status().json()["series"]
        report = running.http.get(f"/v1/jobs/{job}/report").raise_for_status().json()
    returns = {name: list(zip(series[name]["step"], series[name]["last"], strict=True)) for name in RETURNS}
    panels = [
        ("return by step", returns),
        ("an evaluated episode, each number as a share of its largest", episode_lines(report["episodes"]["recorded"])),
    ]
    PICTURE.write_text(render_svg(panels, spec["name"]))
    sys.stdout.write(f"{PICTURE.relative_to(ROOT)} written\n")


if __name__ == "__main__":
    main()
