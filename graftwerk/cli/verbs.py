"""Commands that change the state of jobs."""

from collections.abc import Callable
from typing import Annotated

import typer

from graftwerk.cli.output import AsJson, open_client, out, print_json, print_result
from graftwerk.cli.parameters import JobId
from graftwerk.jobs import Job


def cancel(ctx: typer.Context, job_id: JobId, as_json: AsJson = False) -> None:
    """End a job before its time."""
    _request_action(ctx, job_id, Job.cancel, as_json, "will end in a moment")


def pause(ctx: typer.Context, job_id: JobId, as_json: AsJson = False) -> None:
    """Pause a job at a checkpoint."""
    _request_action(ctx, job_id, Job.pause, as_json, "will pause at its next step")


def resume(ctx: typer.Context, job_id: JobId, as_json: AsJson = False) -> None:
    """Resume a paused job."""
    _request_action(ctx, job_id, Job.resume, as_json, "goes on")


def retry(ctx: typer.Context, job_id: JobId, as_json: AsJson = False) -> None:
    """Resume a failed or cancelled job from its last checkpoint."""
    _request_action(ctx, job_id, Job.retry, as_json, "goes on")


def rm(
    ctx: typer.Context,
    job_ids: Annotated[list[str], typer.Argument(help="The jobs' ids.", metavar="JOB...")],
    purge: Annotated[bool, typer.Option("--purge", help="Remove them for good.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete ended jobs. `graftwerk undelete` restores them for a while."""
    with open_client(ctx) as client:
        for job_id in job_ids:
            client.jobs.delete(job_id, purge)
            if not as_json:
                out().print(f"{job_id} is {'removed' if purge else 'deleted'}")
    if as_json:
        print_json([{"id": job_id, "deleted": True} for job_id in job_ids])


def undelete(ctx: typer.Context, job_id: JobId, as_json: AsJson = False) -> None:
    """Restore a deleted job."""
    with open_client(ctx) as client:
        job = client.jobs.restore(job_id)
    print_result(job.document, f"{job.id} is {job.status}", as_json=as_json)


def _request_action(ctx: typer.Context, job_id: str, action: Callable[[Job], Job], as_json: bool, pending: str) -> None:
    with open_client(ctx) as client:
        job = action(client.jobs.get(job_id))
    print_result(
        job.document, f"{job.id} {pending if job.status == 'running' else f'is {job.status}'}", as_json=as_json
    )
