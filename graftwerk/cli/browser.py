"""The command that opens the dashboard."""

import webbrowser
from typing import Annotated

import typer

from graftwerk.cli.output import AsJson, open_client, out, print_json
from graftwerk.cli.parameters import complete_job


def open_page(
    ctx: typer.Context,
    job_id: Annotated[
        str | None, typer.Argument(help="A job, whose page is opened.", metavar="JOB", autocompletion=complete_job)
    ] = None,
    print_only: Annotated[bool, typer.Option("--print", help="Print the link, and start no browser.")] = False,
    as_json: AsJson = False,
) -> None:
    """Open the dashboard in a browser that the link signs in: it works once, for ten minutes."""
    with open_client(ctx) as client:
        page = "/jobs" if job_id is None else f"/jobs/{client.jobs.get(job_id).id}"
        link = client.sign_in_link(page)
    if as_json:
        print_json({"url": link})
    elif print_only or not webbrowser.open(link):
        out().print(link, markup=False)
