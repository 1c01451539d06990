"""The command ``graftwerk``."""

from importlib.metadata import version
from typing import Annotated

import typer

from graftwerk.cli import jobs
from graftwerk.cli.browser import open_page
from graftwerk.cli.datasets import datasets, train
from graftwerk.cli.doctor import doctor
from graftwerk.cli.edits import commands as edits
from graftwerk.cli.keys import audit, keys, usage
from graftwerk.cli.output import CommandGroup
from graftwerk.cli.results.curves import metrics, plot
from graftwerk.cli.results.export import export
from graftwerk.cli.results.predict import predict
from graftwerk.cli.results.report import evaluate, folds, report
from graftwerk.cli.server import backup, restore, up
from graftwerk.cli.verbs import cancel, pause, resume, retry, rm, undelete
from graftwerk.cli.webhooks import webhooks

app = typer.Typer(
    cls=CommandGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    epilog="Exit codes: 0 success, 1 job failed, 2 usage error or invalid spec, 3 service error, 130 interrupted.",
)


def _version(show: bool) -> None:
    if show:
        typer.echo(version("graftwerk"))
        raise typer.Exit


@app.callback()
def root(
    ctx: typer.Context,
    url: Annotated[
        str | None, typer.Option(envvar="GRAFTWERK_URL", help="Default: the address that `graftwerk up` wrote.")
    ] = None,
    show_version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Train networks from JSON on a Graftwerk service."""
    ctx.obj = url


app.command("up")(up)
app.command("open")(open_page)
app.command("train")(train)
app.command("submit")(jobs.submit)
app.command("validate")(jobs.validate)
app.command("ls")(jobs.ls)
app.command("show")(jobs.show)
app.command("watch")(jobs.watch_job)
app.command("metrics")(metrics)
app.command("plot")(plot)
app.command("report")(report)
app.command("evaluate")(evaluate)
app.command("folds")(folds)
app.command("cancel")(cancel)
app.command("pause")(pause)
app.command("resume")(resume)
app.command("retry")(retry)
app.command("fork")(jobs.fork)
app.command("edit", context_settings=edits.UNKNOWN_TO_CLICK, epilog=edits.SHORT_FORMS)(edits.edit)
app.command("edits")(edits.edits)
app.command("withdraw")(edits.withdraw)
app.command("rollback")(edits.rollback)
app.command("diff")(edits.diff)
app.command("rm")(rm)
app.command("undelete")(undelete)
app.command("download")(jobs.download)
app.command("export")(export)
app.command("predict")(predict)
app.command("doctor")(doctor)
app.command("backup")(backup)
app.command("restore")(restore)
app.add_typer(datasets, name="datasets")
app.command("usage")(usage)
app.command("audit")(audit)
app.add_typer(keys, name="keys")
app.add_typer(webhooks, name="webhooks")


def run() -> None:
    """Run the command line."""
    app(prog_name="graftwerk")
