"""Commands for data sets, and from data to a job that learns a column of it."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn
from rich.text import Text

from graftwerk.cli.jobs import print_submitted
from graftwerk.cli.output import (
    AsJson,
    CommandGroup,
    err,
    open_client,
    out,
    print_json,
    print_result,
    print_table,
    print_warnings,
)
from graftwerk.client import Client

datasets = typer.Typer(cls=CommandGroup, no_args_is_help=True, help="Data sets: add, ls, show, download, rm.")
DatasetId = Annotated[str, typer.Argument(help="The data set's id, such as ds_0199…", metavar="DATASET")]


@datasets.command()
def add(
    ctx: typer.Context,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="A file; or one for training and one for validation; or a folder of images.", exists=True),
    ] = None,
    builtin: Annotated[str | None, typer.Option(help="A small data set that ships with the service.")] = None,
    torchvision: Annotated[str | None, typer.Option(help="A data set of torchvision, such as FashionMNIST.")] = None,
    name: Annotated[str | None, typer.Option(help="Default: the name of the file or source.")] = None,
    format_: Annotated[str | None, typer.Option("--format", help="Default: detected from the content.")] = None,
    target: Annotated[str | None, typer.Option(help="The column to learn.")] = None,
    types: Annotated[
        list[str] | None, typer.Option("--type", help="COLUMN=TYPE, to override the detected type.")
    ] = None,
    encoding: Annotated[str | None, typer.Option(help="Of a text, such as windows-1251.")] = None,
    background: Annotated[
        str | None, typer.Option(help="Behind transparent pixels: white, black, or none to keep alpha.")
    ] = None,
    cell_formats: Annotated[
        list[str] | None,
        typer.Option("--cells", help="COLUMN=FORMAT of numbers or dates in text, such as price=1.234,5."),
    ] = None,
    on_bad: Annotated[
        str | None, typer.Option(help="refuse, or missing: cells that are no numbers or dates are missing values.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Register a data set. Interrupted uploads resume; content that the service has is not sent again."""
    with open_client(ctx) as client, _progress_bars() as bars:
        task = bars.add_task("uploading", total=None, visible=bool(paths))
        dataset = client.datasets.add(
            *(paths or ()),
            builtin=builtin,
            torchvision=torchvision,
            name=name,
            format=format_,
            target=target,
            types=dict(_parse_assignment(each, "--type") for each in types or ()),
            formats=dict(_parse_assignment(each, "--cells") for each in cell_formats or ()),
            on_bad=on_bad,
            encoding=encoding,
            background=background,
            on_progress=lambda received, size: bars.update(task, completed=received, total=size),
        )
    print_result(dataset.document, f"{dataset.id}  {dataset.status}  {dataset.name}", as_json=as_json)


def _parse_assignment(text: str, option: str) -> tuple[str, str]:
    column, sign, value = text.rpartition("=")
    if not sign:
        raise typer.BadParameter(f"{text} is not COLUMN=VALUE", param_hint=option)
    return column, value


def _progress_bars() -> Progress:
    """Return bars for what is uploaded or downloaded, which are hidden unless standard error is a terminal."""
    console = err()
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal)


@datasets.command()
def ls(
    ctx: typer.Context,
    status: Annotated[str | None, typer.Option(help="Only data sets with this status.")] = None,
    name: Annotated[str | None, typer.Option(help="Only data sets of this name.")] = None,
    as_json: AsJson = False,
) -> None:
    """List data sets."""
    with open_client(ctx) as client:
        items = list(client.datasets.list(status, name))
    if as_json:
        print_json([item.document for item in items])
    else:
        print_table(("DATASET", "STATUS", "NAME"), [(item.id, item.status, item.name) for item in items])


@datasets.command()
def show(ctx: typer.Context, dataset_id: DatasetId, as_json: AsJson = False) -> None:
    """Show a data set: its columns, or its problems."""
    with open_client(ctx) as client:
        dataset = client.datasets.get(dataset_id)
    if as_json:
        print_json(dataset.document)
        return
    schema: Mapping[str, Any] = dataset.document.get("data_schema") or {"columns": [], "rows": {}}
    source = dataset.document["source"]
    rows = ", ".join(f"{count:,} {split}" for split, count in schema["rows"].items())
    kind = source.get("format") or source.get("name") or ""
    out().print(f"{dataset.id}  {dataset.status}  {dataset.name}  {kind}  {rows}".rstrip(), markup=False)
    for problem in dataset.document.get("problems") or ():
        out().print(f"  {problem['detail']}  {problem['hint']}".rstrip(), markup=False)
    if schema["columns"]:
        titles = ("COLUMN", "TYPE", "ROLE", "SHAPE", "MISSING", "DECIDED BY", "VALUES")
        print_table(titles, [_column_row(column, schema) for column in schema["columns"]])
    print_warnings(schema)


def _column_row(column: Mapping[str, Any], schema: Mapping[str, Any]) -> tuple[str, ...]:
    shape = "x".join(map(str, column.get("shape") or ()))
    missing, decided_by = str(column.get("missing") or ""), column.get("decided_by") or ""
    return (
        column["name"],
        column["type"],
        _default_role(column, schema),
        shape,
        missing,
        decided_by,
        _describe_values(column),
    )


def _default_role(column: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    """Return what a job makes of a column unless it says otherwise."""
    if column["name"] == schema.get("target"):
        return "target"
    if column.get("ignored"):
        return f"ignored: {column['ignored']}"
    return "input" if column["name"] in schema.get("inputs", ()) else "ignored"


def _describe_values(column: Mapping[str, Any]) -> str:
    """Return a summary of a column's values."""
    labels = column.get("labels")
    if labels:
        return ", ".join(labels[:8]) + (f" and {len(labels) - 8} more" if len(labels) > 8 else "")
    statistics = column.get("statistics") or {}
    groups = {"": statistics} if "mean" in statistics else statistics
    for unit, values in groups.items():
        if isinstance(values, Mapping) and "mean" in values:
            return f"{values['min']:.4g} to {values['max']:.4g} {unit}".rstrip() + f", mean {values['mean']:.4g}"
    return ""


@datasets.command()
def download(
    ctx: typer.Context,
    dataset_id: DatasetId,
    folder: Annotated[Path, typer.Argument(help="Where to put the file.", file_okay=False)] = Path(),
    as_json: AsJson = False,
) -> None:
    """Download the uploaded file. Interrupted downloads resume."""
    with open_client(ctx) as client, _progress_bars() as bars:
        task = bars.add_task("downloading", total=client.datasets.get(dataset_id).document.get("received"))
        path = client.datasets.download(dataset_id, folder, lambda size: bars.update(task, completed=size))
    print_result({"path": str(path)}, str(path), as_json=as_json)


@datasets.command()
def rm(
    ctx: typer.Context,
    dataset_ids: Annotated[list[str], typer.Argument(help="The data sets' ids.", metavar="DATASET...")],
    as_json: AsJson = False,
) -> None:
    """Delete data sets that no unfinished job needs."""
    with open_client(ctx) as client:
        for dataset_id in dataset_ids:
            client.datasets.delete(dataset_id)
            if not as_json:
                out().print(f"{dataset_id} is deleted", markup=False)
    if as_json:
        print_json({"deleted": dataset_ids})


def train(
    ctx: typer.Context,
    data: Annotated[
        list[str],
        typer.Argument(
            help="A file or folder to upload, train.csv and test.csv, or a data set's id.", metavar="DATA..."
        ),
    ],
    target: Annotated[str | None, typer.Option(help="The column to learn. Default: the data set's own.")] = None,
    task: Annotated[str | None, typer.Option(help="classes, numbers, labels or tags. Default: by the column.")] = None,
    loss: Annotated[str | None, typer.Option(help="Such as L1Loss. Default: by the task.")] = None,
    format_: Annotated[str | None, typer.Option("--format", help="Default: detected from the content.")] = None,
    types: Annotated[
        list[str] | None, typer.Option("--type", help="COLUMN=TYPE, to override the detected type.")
    ] = None,
    watch_it: Annotated[bool, typer.Option("--watch", help="Show progress until the job has ended.")] = False,
    spec_only: Annotated[bool, typer.Option("--spec-only", help="Print the spec, and submit nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Upload data, propose a job that learns a column, say why it is as it is, and submit it."""
    with open_client(ctx) as client:
        dataset = _dataset_id(client, data, format_, target, types or ())
        proposal = client.datasets.propose(dataset, target, task, loss)
        _print_reasons(proposal.reasons)
        print_warnings({"warnings": proposal.warnings})
        if spec_only:
            typer.echo(json.dumps(proposal.spec, indent=2, ensure_ascii=False))
            return
        print_submitted(client.jobs.create(proposal.spec), watch_it, as_json)


def _dataset_id(client: Client, data: list[str], format_: str | None, target: str | None, types: Sequence[str]) -> str:
    """Return a data set's id: the one given, or that of files, which are uploaded unless the service has them."""
    if len(data) == 1 and data[0].startswith("ds_") and not Path(data[0]).exists():
        return data[0]
    known = dict(_parse_assignment(each, "--type") for each in types)
    with _progress_bars() as bars:
        task = bars.add_task("uploading", total=None)

        def update(received: int, size: int) -> None:
            bars.update(task, completed=received, total=size)

        dataset = client.datasets.add(*data, format=format_, target=target, types=known, on_progress=update)
    err().print(f"{dataset.id}  {dataset.name}", markup=False)
    return dataset.id


def _print_reasons(reasons: tuple[Mapping[str, Any], ...]) -> None:
    """Print the reason for each part of the spec to standard error."""
    for reason in reasons:
        err().print(Text.assemble((reason["pointer"], "bold"), f"  {reason['text']}"))
