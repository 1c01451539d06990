"""The page of a job in Chromium, from nothing to its curve, and its frames: ``python benchmarks/dashboard.py``.

A real job of 100,000 steps is opened in profiles without any cache: the time from the start of the navigation to the
first frame with a curve, the requests, and the bytes on the wire until nothing more came. With ``--mlflow-python PATH``
and ``--tensorboard-python PATH``, interpreters of environments of their own, the same losses are shown by MLflow's page
of a run's metrics and by TensorBoard's page of scalars, in the same browser on the same machine, loads in turn.

Then a job of 1,000,000 points is zoomed by dragging and moved by Shift and dragging: the time from the event of the
mouse to the frame that shows the new range. The points of that job are appended by `app.curves`, as a worker does it.
"""

import argparse
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from browser_page import Load, cold_load, interactions, open_browser, summarize_loads
from machine import summarize_times, write_results
from mlflow_server import mlflow_version, run_mlflow
from playwright.sync_api import Browser
from service import RunningService, run_service
from tensorboard_server import run_tensorboard, tensorboard_version

from app import curves
from app.db.session import Database
from app.jobs import repository

MANY = 1_000_000
SPEC: dict[str, Any] = {
    "model": {"layers": [{"kind": "Linear", "out_features": 1}]},
    "data": {"kind": "builtin", "name": "diabetes", "scale": "standard"},
    "objective": {"loss": {"kind": "MSELoss"}},
    "training": {"batch_size": 8, "optimizer": {"kind": "SGD", "lr": 0.0005}},
}
# True once a line is on the page. Ours says so itself when it has painted one on its canvas.
OUR_CURVE = "performance.getEntriesByName('graftwerk-curve').length"
MLFLOW_CURVE = "[...document.querySelectorAll('.js-plotly-plot path.js-line')].some((p) => p.getAttribute('d'))"
TENSORBOARD_CURVE = """(() => {
  const find = (root, inside) => [...root.querySelectorAll('*')].some((each) => {
    const within = inside || each.tagName === 'VZ-LINE-CHART2';
    return (within && each.tagName === 'path' && (each.getAttribute('d') ?? '').length > 200) ||
      (each.shadowRoot && find(each.shadowRoot, within)) || (within && !inside && find(each, true));
  });
  return find(document, false);
})()"""
FASTER, SMALLER, REPAINT_MS = 3.0, 10.0, 50.0


def run_long_job(running: RunningService, steps: int) -> tuple[str, list[float]]:
    """Train a job of so many steps; return its id and its losses."""
    job = running.submit(_spec("A long job", steps))
    document = running.wait(job, 900)
    if document["status"] != "succeeded":
        raise SystemExit(f"the job {document['status']}: {document['error']}")
    with _database(running) as database:
        points = database.read(curves.read_points, job, "train/loss")
    return job, [float(value) for value in points["value"]]


def add_many_points(running: RunningService) -> str:
    """Make a job with a million points of one series; return its id."""
    job = running.submit(_spec("A million points", 10))
    running.wait(job)
    points = np.zeros(MANY - 10, curves.POINT_DTYPE)
    points["step"] = np.arange(11, MANY + 1)
    noise = np.random.default_rng(0).normal(0, 0.1, len(points))
    points["value"] = 2.5 * np.exp(-points["step"] / 300_000) * np.exp(noise)
    points["elapsed"] = points["step"] / 1000
    points["time"] = 1.7e9 + points["elapsed"]
    progress = {"step": MANY, "total_steps": MANY, "epoch": MANY / 56, "steps_per_epoch": 56, "rate": 1000.0}
    with _database(running) as database:
        database.run(curves.append, job, {"train/loss": points})
        latest = {"train/loss": float(points["value"][-1])}
        database.run(repository.update_visible, job, progress=progress | {"latest": latest})
    return job


def _spec(name: str, steps: int) -> dict[str, Any]:
    return SPEC | {"name": name, "training": SPEC["training"] | {"steps": steps}}


def _database(running: RunningService) -> "_OpenDatabase":
    return _OpenDatabase(running.home / "graftwerk.db")


class _OpenDatabase:
    """The service's database, open for a moment beside it."""

    def __init__(self, path: Path) -> None:
        self._database = Database(f"sqlite:///{path}")

    def __enter__(self) -> Database:
        return self._database

    def __exit__(self, *_: object) -> None:
        self._database.engine.dispose()


def load_in_turn(pages: dict[str, Callable[[], Load]], rounds: int) -> dict[str, list[Load]]:
    """Load every page `rounds` times, one after the other, after a load of each that does not count."""
    loads: dict[str, list[Load]] = {name: [] for name in pages}
    for number in range(rounds + 1):
        for name, load in pages.items():
            measured = load()
            if number:
                loads[name].append(measured)
    return loads


def measure_loads(browser: Browser, options: argparse.Namespace, url: str, key: str, values: list[float]) -> Any:
    """Return the cold loads of our page and of the others that are there, by name."""
    pages: dict[str, Callable[[], Load]] = {"graftwerk": lambda: cold_load(browser, url, OUR_CURVE, key)}
    with ExitStack() as servers:
        if options.mlflow_python:
            mlflow = servers.enter_context(run_mlflow(options.mlflow_python))
            run = mlflow.create()
            mlflow.store(run, values)
            page = f"{mlflow.http.base_url}#/experiments/0/runs/{run}/model-metrics"
            pages["mlflow"] = lambda: cold_load(browser, page, MLFLOW_CURVE)
        if options.tensorboard_python:
            address = servers.enter_context(run_tensorboard(options.tensorboard_python, values))
            pages["tensorboard"] = lambda: cold_load(browser, f"{address}/#scalars", TENSORBOARD_CURVE)
        return load_in_turn(pages, options.loads)


def claims_of(summaries: dict[str, Any], repaints: dict[str, Any], steps: int) -> list[dict[str, Any]]:
    """Return what is claimed: at least so many times as fast and as small as the others, and frames in time."""
    claims = []
    own = summaries["graftwerk"]
    for name, label in (("mlflow", "MLflow"), ("tensorboard", "TensorBoard")):
        if name not in summaries:
            continue
        for what, column, bound in (
            (f"time to the first curve of {steps:,} points", "first_curve_ms", FASTER),
            ("bytes of the first load", "wire_bytes", SMALLER),
        ):
            ratio = round(summaries[name][column] / own[column], 2)
            claim = {"what": f"dashboard, {what}: {label} / Graftwerk", "measured": ratio, "unit": "x"}
            claims.append(claim | {"bound": bound, "at_most": False})
    for kind in ("zoom", "pan"):
        what = f"dashboard, 1,000,000 points: {kind} to the frame that shows it, median"
        median_ms = repaints[kind]["median"]
        claims.append({"what": what, "measured": median_ms, "unit": "ms", "bound": REPAINT_MS, "at_most": True})
    return claims


def main() -> None:
    """Measure and write results/dashboard.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mlflow-python", type=Path, help="python of an environment with MLflow")
    parser.add_argument("--tensorboard-python", type=Path, help="python of an environment with TensorBoard")
    parser.add_argument("--steps", type=int, default=100_000, help="points of the curve that is loaded")
    parser.add_argument("--loads", type=int, default=7, help="cold loads of each page")
    parser.add_argument("--rounds", type=int, default=12, help="zooms and moves of a million points")
    options = parser.parse_args()
    versions: dict[str, str] = {}
    if options.mlflow_python:
        versions["mlflow"] = mlflow_version(options.mlflow_python)
    if options.tensorboard_python:
        versions["tensorboard"] = tensorboard_version(options.tensorboard_python)
    with run_service() as running, open_browser() as browser:
        key = running.http.headers["Authorization"].removeprefix("Bearer ")
        address = str(running.http.base_url).rstrip("/")
        job, values = run_long_job(running, options.steps)
        loads = measure_loads(browser, options, f"{address}/jobs/{job}", key, values)
        many = add_many_points(running)
        times = interactions(browser, f"{address}/jobs/{many}", key, options.rounds)
        chromium = browser.version
    summaries = {name: dict(summarize_loads(measured)) for name, measured in loads.items()}
    repaints = {kind: summarize_times(seconds) for kind, seconds in times.items()}
    result = {**versions, "chromium": chromium, "first_load": summaries, "a_million_points_ms": repaints}
    write_results("dashboard", result, claims_of(summaries, repaints, options.steps))


if __name__ == "__main__":
    main()
