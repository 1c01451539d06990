"""Commands for jobs."""

import json
from itertools import islice
from pathlib import Path
from typing import Annotated, NoReturn

import anyio
import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.text import Text

from graftwerk.cli.output import (
    AsJson,
    ExitCode,
    err,
    open_client,
    out,
    print_column_roles,
    print_folds,
    print_json,
    print_result,
    print_splits,
    print_table,
    print_warnings,
)
from graftwerk.cli.parameters import JobId, JobIds
from graftwerk.cli.progress import follow_jobs, format_progress, watch_jobs, watch_progress
from graftwerk.client import AsyncClient, Client
from graftwerk.jobs import AsyncJob, Job
from graftwerk.jobs.document import JobDocument
from graftwerk.specs import Spec, read_spec, start_spec, with_dataset
from graftwerk.types import Event, File

SpecFile = Annotated[
    Path, typer.Argument(help="A JSON or YAML file.", exists=True, dir_okay=False, readable=True, metavar="SPEC")
]
STATUS_COLOURS = {"succeeded": "green", "failed": "red", "cancelled": "yellow", "running": "cyan"}


def submit(
    ctx: typer.Context,
    spec: SpecFile,
    watch_it: Annotated[bool, typer.Option("--watch", help="Show progress until the job has ended.")] = False,
    data: Annotated[list[str] | None, typer.Option(help="A file to register and train on; or a data set's id.")] = None,
    vectors: Annotated[str | None, typer.Option(help="The same, for the spec's word vectors.")] = None,
    weights: Annotated[str | None, typer.Option(help="The same, for a safetensors file of initial weights.")] = None,
    start_from: Annotated[str | None, typer.Option(help="A checkpoint's id, whose weights are taken.")] = None,
    match: Annotated[str | None, typer.Option(help="names: all initial weights fit; shapes: those that fit.")] = None,
    rename: Annotated[list[str] | None, typer.Option(help="OLD=NEW: a path of the weights, and the network's.")] = None,
    idempotency_key: Annotated[
        str | None, typer.Option(help="Submitting again with the same key creates no second job.")
    ] = None,
    folds: Annotated[
        int | None, typer.Option(min=2, max=1000, help="Cross-validation: so many jobs, each with another fold.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Submit a job. `--data train.csv --data test.csv` registers files and trains on them."""
    with open_client(ctx) as client:
        document: Spec = spec
        if data or vectors or weights or start_from:
            ids = (resolve_dataset(client, data or []), resolve_dataset(client, [vectors] if vectors else []))
            document = with_dataset(read_spec(spec), *ids)
        source = start_from or (resolve_dataset(client, [weights], "weights") if weights else None)
        if (match or rename) and source is None:
            raise typer.BadParameter("nothing to start from: give --start-from or --weights", param_hint="--match")
        document = start_spec(document, source, match, _parse_paths(rename or []))
        if folds is not None:
            group = client.folds.create(document, folds, idempotency_key)
            print_folds(group.wait() if watch_it else group, as_json)
            return
        job = client.jobs.create(document, idempotency_key)
        print_submitted(job, watch_it, as_json)


def _parse_paths(pairs: list[str]) -> dict[str, str]:
    """Return the pairs OLD=NEW as a mapping. Raises `BadParameter`."""
    if wrong := [pair for pair in pairs if "=" not in pair]:
        raise typer.BadParameter(f'"{wrong[0]}" is not OLD=NEW', param_hint="--rename")
    return {old: new for old, _, new in (pair.partition("=") for pair in pairs)}


def print_submitted(job: Job, watch_it: bool, as_json: bool) -> None:
    """Print a new job's id and warnings, or its JSON, and watch it if that is requested."""
    if not as_json:
        out().print(job.id)
        print_warnings(job.document)
    if watch_it:
        watch_to_end(job, as_json)
    elif as_json:
        print_json(job.document)


def resolve_dataset(client: Client, names: list[str], format_: str | None = None) -> str | None:
    """Return a data set's id: the one given, or that of files, which are uploaded unless the service has them."""
    if len(names) == 1 and names[0].startswith("ds_"):
        return names[0]
    return client.datasets.add(*names, format=format_).id if names else None


def validate(ctx: typer.Context, spec: SpecFile, as_json: AsJson = False) -> None:
    """Check a spec without submitting it."""
    with open_client(ctx) as client:
        report = client.jobs.validate(spec)
    if as_json:
        print_json(report)
    else:
        out().print(Text.assemble(("valid", "green"), _parameter_count(report)))
        print_column_roles(report)
        print_splits(report)
        print_warnings(report)


def ls(
    ctx: typer.Context,
    status: Annotated[str | None, typer.Option(help="Only jobs with this status.")] = None,
    name: Annotated[str | None, typer.Option(help="Only jobs with this name.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Maximum number, newest first.")] = 50,
    deleted: Annotated[bool, typer.Option("--deleted", help="Deleted jobs that can be restored.")] = False,
    as_json: AsJson = False,
) -> None:
    """List jobs."""
    with open_client(ctx) as client:
        every = client.jobs.list(status=status, name=name, deleted="true" if deleted else None)
        jobs = list(islice(every, limit))
    if as_json:
        print_json([job.document for job in jobs])
        return
    rows = [
        (job.id, job.status, _percent_complete(job), str(job.document.get("created_at", "")), job.name) for job in jobs
    ]
    print_table(("JOB", "STATUS", "DONE", "CREATED", "NAME"), rows)


def show(ctx: typer.Context, job_id: JobId, as_json: AsJson = False) -> None:
    """Show one job."""
    with open_client(ctx) as client:
        job = client.jobs.get(job_id)
        checkpoints = [] if as_json else job.checkpoints()
    if as_json:
        print_json(job.document)
        return
    _format_job(job)
    position = _queue_position(job)
    if position:
        out().print(position)
    print_column_roles(job.document)
    print_splits(job.document)
    print_warnings(job.document)
    for saved in checkpoints:
        revision = f" of revision {saved.revision}" if saved.revision > 1 else ""
        words = [word for word, holds in (("best", saved.best), ("final", saved.final)) if holds]
        suffix = f" ({', '.join(words)})" if words else ""
        out().print(f"checkpoint {saved.id} at step {saved.step}{revision}{suffix}")


def watch_job(ctx: typer.Context, job_ids: JobIds, as_json: AsJson = False) -> None:
    """Show the progress of jobs until they have ended, a bar for each. Ctrl-C only stops watching."""
    if len(job_ids) > 1:
        _watch_together(ctx.obj, job_ids, as_json)
    with open_client(ctx) as client:
        watch_to_end(client.jobs.get(job_ids[0]), as_json)


def _watch_together(url: str | None, job_ids: list[str], as_json: bool) -> NoReturn:
    """Watch several jobs at once, and exit with 1 if one of them has not succeeded."""

    async def watch() -> list[AsyncJob]:
        async with AsyncClient(url) as client:
            jobs = [await client.jobs.get(job_id) for job_id in dict.fromkeys(job_ids)]
            failures = await (follow_jobs(jobs, _print_event) if as_json else watch_jobs(jobs, err()))
        for job in jobs:
            print_json(job.document) if as_json else _format_job(job)
        for failure in failures:
            raise failure
        return jobs

    try:
        ended = anyio.run(watch)
    except KeyboardInterrupt:
        err().print(f"\nstopped watching; the jobs go on. To watch again: graftwerk watch {' '.join(job_ids)}")
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    succeeded = all(job.status == "succeeded" for job in ended)
    raise typer.Exit(ExitCode.OK if succeeded else ExitCode.JOB_FAILED)


def _print_event(job: AsyncJob, event: Event) -> None:
    print_json({"job": job.id, "seq": event.seq, "kind": event.kind, "data": event.data})


def fork(
    ctx: typer.Context,
    job_id: JobId,
    changes: Annotated[str, typer.Option(help="A JSON merge patch for the spec.")] = "{}",
    from_step: Annotated[int | None, typer.Option(help="Step of a kept checkpoint; default: the newest.")] = None,
    from_revision: Annotated[int | None, typer.Option(min=1, help="Its revision, where an edit came there.")] = None,
    weights: Annotated[bool, typer.Option("--weights", help="Take over only the weights.")] = False,
    as_json: AsJson = False,
) -> None:
    """Submit a new job that starts from another job's checkpoint."""
    try:
        patch = json.loads(changes)
    except ValueError as error:
        raise typer.BadParameter(f"not JSON: {error}", param_hint="--changes") from None
    with open_client(ctx) as client:
        what = "weights" if weights else "everything"
        job = client.jobs.get(job_id).fork(patch, from_step, what, from_revision=from_revision)
    print_result(job.document, job.id, as_json=as_json)


def download(
    ctx: typer.Context,
    job_id: JobId,
    folder: Annotated[Path, typer.Argument(help="Where to put the files.", file_okay=False)] = Path(),
    names: Annotated[str | None, typer.Option(help="Files, separated by commas; default: all.")] = None,
    checkpoint: Annotated[str | None, typer.Option(help="A checkpoint's id; default: the best.")] = None,
    as_json: AsJson = False,
) -> None:
    """Download a job's weights. Interrupted downloads resume."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    console = err()
    with open_client(ctx) as client, Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        tasks = {}

        def update(file: File, received: int) -> None:
            if file.name not in tasks:
                tasks[file.name] = bars.add_task(file.name, total=file.size)
            bars.update(tasks[file.name], completed=received)

        paths = client.jobs.get(job_id).download(folder, names.split(",") if names else None, checkpoint, update)
    if as_json:
        print_json([str(path) for path in paths])
        return
    for path in paths:
        out().print(str(path), markup=False)


def watch_to_end(job: Job, as_json: bool) -> None:
    """Watch, then exit with the job's exit code; on Ctrl-C print how to watch again."""
    try:
        if as_json:
            for event in job.stream():
                print_json({"seq": event.seq, "kind": event.kind, "data": event.data})
            print_json(job.refresh().document)
        else:
            _format_job(watch_progress(job, err()))
    except KeyboardInterrupt:
        err().print(f"\nstopped watching; the job goes on. To watch again: graftwerk watch {job.id}")
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    raise typer.Exit(ExitCode.OK if job.status == "succeeded" else ExitCode.JOB_FAILED)


def _format_job(job: JobDocument) -> None:
    console = out()
    console.print(Text.assemble(job.id, "  ", (job.status, STATUS_COLOURS.get(job.status, "")), "  ", job.name))
    progress = "  ".join(format_progress(job.progress, job.ended))
    if progress:
        console.print(progress, markup=False)
    if job.error:
        place = f" (at {job.error['pointer']})" if job.error.get("pointer") else ""
        console.print(Text.assemble((f"{job.error['code']}: ", "bold red"), f"{job.error['message']}{place}"))


def _queue_position(job: Job) -> str:
    """Return a waiting job's position in its queue, as far as it is known."""
    document = job.document
    if document.get("held_by") == "not_before":
        return f"waits until {document.get('not_before')}"
    parts = [f"number {document['position']} in its queue"] if document.get("position") else []
    parts += [f"starts about {document['starts_at']}"] if document.get("starts_at") else []
    parts += {
        "running_limit": ["its key has reached its limit of running jobs"],
        "no_worker": ["no worker serves its queue"],
        "no_device": ["no worker of its queue has the device that it needs"],
    }.get(document.get("held_by") or "", [])
    return ", ".join(parts)


def _percent_complete(job: Job) -> str:
    step, total = job.progress.get("step"), job.progress.get("total_steps")
    if job.status == "succeeded":
        return "100%" if step == total else "stopped early"
    return f"{100 * step // total}%" if step and total else ""


def _parameter_count(report: object) -> str:
    inspection = report.get("inspection", report) if isinstance(report, dict) else {}
    parameters = inspection.get("totals", {}).get("parameters") if isinstance(inspection, dict) else None
    return f": {parameters:,} parameters" if isinstance(parameters, int) else ""
