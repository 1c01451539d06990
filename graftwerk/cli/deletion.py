"""Commands that delete and restore jobs."""

from typing import Annotated

import typer

from graftwerk.cli.jobs import JobId
from graftwerk.cli.output import AsJson, open_client, out, print_json, print_result


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
