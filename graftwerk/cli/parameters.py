"""Parameters that commands share, and how a shell completes them."""

import contextlib
from collections.abc import Iterator
from itertools import islice
from typing import Annotated

import typer

from graftwerk.client import Client
from graftwerk.errors import GraftwerkClientError

COMPLETED_JOBS = 50  # the newest, which a shell offers


def complete_job(ctx: typer.Context, incomplete: str) -> Iterator[tuple[str, str]]:
    """Yield the ids of the newest jobs, with their names and states. A service that is away offers nothing."""
    url = ctx.find_root().params.get("url")
    with contextlib.suppress(GraftwerkClientError), Client(url, attempts=1) as client:
        for job in islice(client.jobs.list(limit=COMPLETED_JOBS), COMPLETED_JOBS):
            if job.id.startswith(incomplete):
                yield job.id, f"{job.status} {job.name}"


JobId = Annotated[
    str, typer.Argument(help="The job's id, such as job_0199…", metavar="JOB", autocompletion=complete_job)
]
JobIds = Annotated[list[str], typer.Argument(help="The jobs' ids.", metavar="JOB...", autocompletion=complete_job)]
