"""`graftwerk predict`: predictions of a job's network for a file of rows, or samples."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from graftwerk.cli.output import AsJson, open_client, print_json, print_table, print_warnings
from graftwerk.cli.parameters import JobId
from graftwerk.types import Predictions

MAX_CELL_CHARACTERS = 60


def predict(
    ctx: typer.Context,
    job_id: JobId,
    file: Annotated[
        Path | None,
        typer.Argument(
            help="Rows in a format of the data set: CSV, JSONL, Parquet, NPZ, an image, a zip of images; or "
            'JSON: {"rows": […]}.',
            exists=True,
            dir_okay=False,
            readable=True,
        ),
    ] = None,
    row: Annotated[
        list[str] | None, typer.Option(help='A row as JSON instead of a file, such as {"text": "The "}; repeatable.')
    ] = None,
    count: Annotated[
        int | None, typer.Option(min=1, help="Instead of rows: how many samples of outputs that read no column.")
    ] = None,
    checkpoint: Annotated[str | None, typer.Option(help="A checkpoint's id; default: the best.")] = None,
    outputs: Annotated[str, typer.Option(help="labels, probabilities, raw, image; separated by commas.")] = "labels",
    select: Annotated[str | None, typer.Option(help="Outputs of the network, separated by commas.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of networks and texts that draw random numbers.")] = None,
    max_length: Annotated[int | None, typer.Option(help="The maximum number of new tokens of a text.")] = None,
    temperature: Annotated[float | None, typer.Option(help="Sample the text; below 1 likelier tokens.")] = None,
    top_k: Annotated[int | None, typer.Option(help="Sample from the k most probable tokens.")] = None,
    top_p: Annotated[float | None, typer.Option(help="Sample from the fewest tokens of this probability.")] = None,
    beams: Annotated[int | None, typer.Option(help="Search for the most probable text with so many beams.")] = None,
    length_penalty: Annotated[float | None, typer.Option(help="Of a search by beams.")] = None,
    images: Annotated[
        Path | None, typer.Option(file_okay=False, help="Write outputs that are images into this folder, as PNG files.")
    ] = None,
    csv: Annotated[bool, typer.Option("--csv", help="Print a table as CSV.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print a network's predictions for rows, or samples that it draws."""
    rows = _parse_rows(row)
    if [file, rows, count].count(None) != 2:
        raise typer.BadParameter("give a file of rows, --row, or --count for samples")
    sampling = {"temperature": temperature, "top_k": top_k, "top_p": top_p}
    searching = {"beams": beams, "length_penalty": length_penalty}
    request: dict[str, Any] = {"file": file, "rows": rows, "count": count, "checkpoint": checkpoint, "select": select}
    request |= {"seed": seed, "generate": _generation(max_length, sampling, searching)}
    forms = "image" if images is not None else outputs
    with open_client(ctx) as client:
        job = client.jobs.get(job_id)
        if csv:
            typer.echo(job.predict_csv(**request, outputs=forms), nl=False)
            return
        predictions = job.predict(**request, outputs=forms)
    if images is not None:
        print_warnings(predictions.document)
        _write_images(predictions, images)
    elif as_json:
        print_json(predictions.document)
    else:
        print_warnings(predictions.document)
        _print_predictions(predictions)


def _parse_rows(rows: list[str] | None) -> list[dict[str, Any]] | None:
    """Return rows of JSON. Raises `typer.BadParameter`."""
    try:
        parsed = [json.loads(row) for row in rows or ()]
    except json.JSONDecodeError as error:
        raise typer.BadParameter(f"a row is no JSON: {error}") from None
    if not all(isinstance(row, dict) for row in parsed):
        raise typer.BadParameter('a row is an object, such as {"text": "The "}')
    return parsed or None


def _generation(
    max_length: int | None, sampling: Mapping[str, float | None], searching: Mapping[str, float | None]
) -> dict[str, Any] | None:
    """Return the settings of a generated text that are given. Raises `typer.BadParameter` for those of two methods."""
    methods = {"sample": sampling, "beam": searching}
    given = {kind: {name: value for name, value in each.items() if value is not None} for kind, each in methods.items()}
    chosen = [{"kind": kind, **settings} for kind, settings in given.items() if settings]
    if len(chosen) > 1:
        raise typer.BadParameter("a text is sampled, or searched for by beams")
    settings: dict[str, Any] = {"method": chosen[0]} if chosen else {}
    return settings | ({"max_length": max_length} if max_length is not None else {}) or None


def _write_images(predictions: Predictions, folder: Path) -> None:
    """Write a PNG file for each row and each output that is an image, and print their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    for output, fields in predictions[0].items():
        for row, content in enumerate(predictions.images(output) if "image" in fields else ()):
            path = folder / f"{output}-{row:04}.png"
            path.write_bytes(content)
            typer.echo(str(path))


def _print_predictions(predictions: Predictions) -> None:
    """Print a table with a line per row, and a column per field of the outputs; of a text that is alone, all of it."""
    texts = [fields["text"] for row in predictions.rows for fields in row.values() if "text" in fields]
    if len(texts) == len(predictions.outputs) == 1:
        typer.echo(texts[0])
        return
    columns = [
        (output, name)
        for output, fields in predictions[0].items()
        for name in fields
        if "text" not in fields or name in ("text", "ended")
    ]
    titles = [name if len(predictions.outputs) == 1 else f"{output} {name}" for output, name in columns]
    keys, names = _row_names(predictions)
    rows = [
        (*name, *(_format_value(predictions[row][output][field]) for output, field in columns))
        for row, name in enumerate(names)
    ]
    print_table((*keys, *(title.upper() for title in titles)), rows)


def _row_names(predictions: Predictions) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return what tells rows apart, and that of each row: a file, the window of a series, or else its number."""
    if predictions.files:
        return ("FILE",), [(name,) for name in predictions.files]
    if windows := predictions.document.get("windows"):
        return ("SERIES", "AFTER"), [(str(each["series"] or ""), str(each["after"])) for each in windows]
    return ("ROW",), [(str(row),) for row in range(len(predictions))]


def _format_value(value: Any) -> str:
    """Return a value as text for a cell."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        return ", ".join(f"{item['label']} {_format_value(item['probability'])}" for item in value)
    if isinstance(value, list) and not any(isinstance(item, list | dict) for item in value):
        text = " ".join(map(_format_value, value))
    else:
        text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= MAX_CELL_CHARACTERS else text[:MAX_CELL_CHARACTERS] + "…"
