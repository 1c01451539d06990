"""Commands about data sets."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from graftwerk.cli.output import AsJson, Commands, connected, err, out, print_json, print_table

datasets = typer.Typer(cls=Commands, no_args_is_help=True, help="Data sets: add, ls.")


@datasets.command()
def add(
    ctx: typer.Context,
    path: Annotated[Path | None, typer.Argument(help="CSV, NPZ or safetensors.", exists=True, dir_okay=False)] = None,
    builtin: Annotated[str | None, typer.Option(help="A small data set that ships with the service.")] = None,
    torchvision: Annotated[str | None, typer.Option(help="A data set of torchvision, such as FashionMNIST.")] = None,
    name: Annotated[str | None, typer.Option(help="What to call it; default: the file's or the source's name.")] = None,
    as_json: AsJson = False,
) -> None:
    """Register a data set. An interrupted upload goes on where it was."""
    console = err()
    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        console=console,
        disable=not console.is_terminal,
    )
    with connected(ctx) as client, bars:
        task = bars.add_task("sending", total=None, visible=path is not None)
        made = client.datasets.add(
            path,
            builtin=builtin,
            torchvision=torchvision,
            name=name,
            told=lambda have, size: bars.update(task, completed=have, total=size),
        )
    if as_json:
        print_json(made.document)
    else:
        out().print(f"{made.id}  {made.status}  {made.name}", markup=False)


@datasets.command()
def ls(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List data sets."""
    with connected(ctx) as client:
        found = list(client.datasets.list())
    if as_json:
        print_json([item.document for item in found])
    else:
        print_table(("DATASET", "STATUS", "NAME"), [(item.id, item.status, item.name) for item in found])
