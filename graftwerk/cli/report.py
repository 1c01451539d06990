"""`graftwerk report`: the evaluation report of a checkpoint."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import typer

from graftwerk.cli.jobs import JobId
from graftwerk.cli.output import AsJson, open_client, out, print_json, print_table

MAX_CONFUSION_CLASSES = 20  # of a confusion matrix that is printed
SCORE_NAMES = ("precision", "recall", "f1")
SCORE_TITLES = ("PRECISION", "RECALL", "F1", "SUPPORT")
ScoreRow = Mapping[str, Any]


def report(
    ctx: typer.Context,
    job_id: JobId,
    checkpoint: Annotated[str | None, typer.Option(help="A checkpoint's id; default: the best.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show the evaluation report of a checkpoint: classes, confusion, entities, errors."""
    with open_client(ctx) as client:
        document = client.jobs.get(job_id).report(checkpoint)
    if as_json:
        print_json(document)
        return
    summary = f"{document['checkpoint_id']} at step {document['step']}, {document['rows']:,} validation examples"
    out().print(summary, markup=False)
    for head in document["heads"]:
        _print_head(head)


def _print_head(head: Mapping[str, Any]) -> None:
    right = f", {head['right']:,} of {head['count']:,} right" if "right" in head else f", {head['count']:,} numbers"
    what = f"{head['head'] or head['target']}: {head['about']} of {head['output']}{right}"
    out().print(f"\n{what}", markup=False)
    for kind, title in (("classes", "CLASS"), ("labels", "LABEL")):
        if head.get(kind):
            print_table((title, *SCORE_TITLES), [*_score_rows(head[kind]), *_average_rows(head["averages"])])
    if head.get("spans"):
        out().print()
        print_table(
            ("ENTITY", *SCORE_TITLES), [*_score_rows(head["spans"]["types"]), *_average_rows(head["spans"]["averages"])]
        )
    if head.get("confusion") and len(head["confusion"]) <= MAX_CONFUSION_CLASSES:
        out().print()
        names = [row["label"] for row in head["classes"]]
        rows = [(name, *map(str, counts)) for name, counts in zip(names, head["confusion"], strict=True)]
        print_table(("TRUE \\ CHOSEN", *names), rows)
    if head.get("error"):
        print_table(("ERROR", "VALUE"), list(_print_errors(head["error"])))
    for note in head["notes"]:
        out().print(note, markup=False)


def _score_rows(rows: Sequence[ScoreRow]) -> Iterator[tuple[str, ...]]:
    for row in rows:
        yield row["label"], *map(_format_score, (row[name] for name in SCORE_NAMES)), str(row["support"])


def _average_rows(averages: Mapping[str, ScoreRow | None]) -> Iterator[tuple[str, ...]]:
    for name, row in averages.items():
        if row is not None:
            yield f"({name})", *(f"{row[score]:.4f}" for score in SCORE_NAMES), ""


def _print_errors(error: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in ("mean", "mean_absolute", "root_mean_squared"):
        yield name.replace("_", " "), _format_number(error[name])
    for each in error["quantiles"]:
        yield f"{each['share']:.0%} below", _format_number(each["error"])


def _format_score(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _format_number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"
