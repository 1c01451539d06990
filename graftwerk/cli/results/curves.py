"""Commands that show the curves of a job: `metrics` and `plot`."""

from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console

from graftwerk.charts.lines import arrange_panels, lines_of
from graftwerk.charts.text import ASCII, MIN_COLUMNS, UNICODE, draw_panel
from graftwerk.cli.output import AsJson, open_client, out, print_json, print_table
from graftwerk.cli.parameters import JobId
from graftwerk.numbers import format_number
from graftwerk.types import Metrics

PLOTTED_POINTS = 20_000  # buckets of a series that are requested: far more than columns, so that NaN is found
PANEL_ROWS = 12


class Axis(StrEnum):
    """What the x axis of a curve counts."""

    STEP = "step"
    EPOCH = "epoch"
    ELAPSED = "elapsed"  # seconds of training
    TIME = "time"  # seconds since 1970


def metrics(
    ctx: typer.Context,
    job_id: JobId,
    names: Annotated[str | None, typer.Option(help="Series, separated by commas; default: all.")] = None,
    max_points: Annotated[int | None, typer.Option(min=1, help="Maximum number of buckets per series.")] = None,
    csv: Annotated[bool, typer.Option("--csv", help="Print every point as CSV.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show a job's curves."""
    selection = names.split(",") if names else None
    with open_client(ctx) as client:
        job = client.jobs.get(job_id)
        if csv:
            typer.echo(job.metrics_csv(selection), nl=False)
            return
        curves = job.metrics(selection, max_points)
    if as_json:
        print_curves_json(curves)
    else:
        print_table(("SERIES", "POINTS", "FIRST", "LAST", "MIN", "MAX"), _curve_rows(curves))


def plot(
    ctx: typer.Context,
    job_id: JobId,
    names: Annotated[
        list[str] | None, typer.Argument(help="Series, such as train/loss; default: all.", metavar="METRIC...")
    ] = None,
    x: Annotated[Axis, typer.Option("--x", help="What the x axis counts; elapsed and time in seconds.")] = Axis.STEP,
    log: Annotated[bool, typer.Option("--log", help="Logarithmic y axis.")] = False,
    log_x: Annotated[bool, typer.Option("--log-x", help="Logarithmic x axis.")] = False,
    low: Annotated[float | None, typer.Option("--from", help="Least x.")] = None,
    high: Annotated[float | None, typer.Option("--to", help="Largest x.")] = None,
    smooth: Annotated[
        float | None, typer.Option(min=0.0, max=0.999, help="Weight of a debiased moving average; hides spikes.")
    ] = None,
    width: Annotated[int | None, typer.Option(min=MIN_COLUMNS, help="Characters; default: the terminal's.")] = None,
    height: Annotated[int, typer.Option(min=3, help="Rows of a panel.")] = PANEL_ROWS,
    as_json: AsJson = False,
) -> None:
    """Draw a job's curves in the terminal. A column shows everything from its minimum to its maximum."""
    with open_client(ctx) as client:
        curves = client.jobs.get(job_id).metrics(names, PLOTTED_POINTS, x.value, low, high, smooth)
    if as_json:
        print_curves_json(curves)
        return
    console = out()
    lines = lines_of(curves)
    together = console.is_terminal and not console.no_color  # lines of one panel differ in their colour alone
    symbols = UNICODE if _has_braille(console) else ASCII
    for number, panel in enumerate(arrange_panels(lines, together=together, log_x=log_x, log_y=log)):
        if number:
            console.print()
        for row in draw_panel(panel, width or console.width, height, symbols):
            console.print(row)
    if not lines:
        console.print("no points yet")


def print_curves_json(curves: Metrics) -> None:
    """Print curves as the API writes them: NaN and infinities as strings."""
    series = {
        name: {title: [format_number(value) for value in column] for title, column in columns.items()}
        for name, columns in curves.series.items()
    }
    print_json({"x": curves.x, "series": series})


def _has_braille(console: Console) -> bool:
    return console.encoding.lower().startswith("utf")


def _curve_rows(curves: Metrics) -> list[tuple[str, ...]]:
    rows = []
    for name, columns in curves.series.items():
        last = columns["last"]
        values = (last[0], last[-1], min(columns.get("min", last)), max(columns.get("max", last))) if last else ()
        rows.append((name, str(len(last)), *(f"{value:.6g}" for value in values)))
    return rows
