"""Commands that show evaluations: of a checkpoint, of a data set, and of the folds of a cross-validation."""

from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Annotated, Any

import typer

from graftwerk.cli.jobs import resolve_dataset
from graftwerk.cli.output import AsJson, open_client, out, print_folds, print_json, print_table, print_warnings
from graftwerk.cli.parameters import JobId

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
    """Show the evaluation report of a checkpoint: classes, confusion, entities, errors; or the returns of episodes."""
    with open_client(ctx) as client:
        document = client.jobs.get(job_id).report(checkpoint)
    if as_json:
        print_json(document)
        return
    episodes = document.get("episodes")
    examined = f"{episodes['count']:,} episodes" if episodes else f"{document['rows']:,} validation examples"
    out().print(f"{document['checkpoint_id']} at step {document['step']}, {examined}", markup=False)
    if episodes:
        _print_episodes(episodes)
    for head in document["heads"]:
        _print_head(head)
    if test := document.get("test"):
        out().print(f"\ntest: {test['checkpoint_id']} at step {test['step']}, {test['rows']:,} examples", markup=False)
        _print_figures(test)


def evaluate(
    ctx: typer.Context,
    job_id: JobId,
    dataset: Annotated[list[str], typer.Argument(help="A data set's id; or files to register.", metavar="DATASET")],
    split: Annotated[str | None, typer.Option(help="Default: test, or else validation, or else train.")] = None,
    checkpoint: Annotated[str | None, typer.Option(help="A checkpoint's id; default: the best.")] = None,
    as_json: AsJson = False,
) -> None:
    """Evaluate a job's network on a labelled data set: the loss, the job's metrics, and the report."""
    with open_client(ctx) as client:
        job = client.jobs.get(job_id)
        document = job.evaluate(resolve_dataset(client, dataset) or "", split, checkpoint)
    if as_json:
        print_json(document)
        return
    what = f"{document['rows']:,} rows of {document['dataset']}, split {document['split']}"
    out().print(f"{document['checkpoint_id']} at step {document['step']}, {what}", markup=False)
    _print_figures(document)
    for note in document["notes"]:
        out().print(note, markup=False)
    print_warnings(document)


def folds(
    ctx: typer.Context,
    group: Annotated[str, typer.Argument(help="The `fold_group` of the jobs' metadata.", metavar="GROUP")],
    watch_it: Annotated[bool, typer.Option("--watch", help="Wait until all jobs have ended.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the jobs of a cross-validation: the mean and the standard deviation of their figures."""
    with open_client(ctx) as client:
        jobs = client.folds.get(group)
        print_folds(jobs.wait() if watch_it else jobs, as_json)


def _print_figures(document: Mapping[str, Any]) -> None:
    """Print the loss, the metrics and the heads of an evaluation."""
    print_table(("FIGURE", "VALUE"), [(name, _format_number(value)) for name, value in document["values"].items()])
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


def _print_episodes(episodes: Mapping[str, Any]) -> None:
    """Print the returns and the lengths of episodes, and the means of what their network reports."""
    returns, count = episodes["return"], episodes["count"]
    figures = [(f"return {name}", _format_number(returns[name])) for name in ("mean", "std", "min", "max")]
    figures.insert(2, ("return median", _format_number(median(episodes["returns"]))))
    figures.append(("length mean", _format_number(sum(episodes["lengths"]) / count)))
    figures.append(("ended by themselves", f"{episodes['terminated']:,} of {count:,}"))
    figures += [(f"{name} mean", _format_number(value)) for name, value in episodes["means"].items()]
    print_table(("FIGURE", "VALUE"), figures)


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
