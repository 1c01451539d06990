"""What commands share: consoles, the client, the `--json` option, and error messages."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import IntEnum
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text
from typer.core import TyperGroup

from graftwerk.client import Client
from graftwerk.errors import AddressNotConfigured, ApiStatusError, GraftwerkClientError, ServerError, Unreachable
from graftwerk.jobs.folds import Folds
from graftwerk.supervise.home import CannotStart

JSON_META_KEY = "graftwerk.json"


class ExitCode(IntEnum):
    """The exit codes of every command."""

    OK = 0
    JOB_FAILED = 1
    USAGE = 2  # or an invalid spec
    SERVICE = 3  # unreachable, or a server error
    INTERRUPTED = 130


def out() -> Console:
    """Return the console for results."""
    return Console(highlight=False, soft_wrap=True)


def err() -> Console:
    """Return the console for everything else: progress, hints, errors."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def _store_json_flag(ctx: typer.Context, value: bool) -> bool:
    ctx.meta[JSON_META_KEY] = value  # so that errors are JSON too
    return value


AsJson = Annotated[bool, typer.Option("--json", callback=_store_json_flag, help="Print JSON.")]


@contextmanager
def open_client(ctx: typer.Context) -> Iterator[Client]:
    """Open a client for the address from the command line, the environment or `graftwerk up`."""
    with Client(ctx.obj) as client:
        yield client


def print_json(value: Any) -> None:
    """Print a JSON document on one line."""
    typer.echo(json.dumps(value))


def print_result(document: Any, line: str, *, as_json: bool) -> None:
    """Print a command's result: as JSON, or as a line of text."""
    if as_json:
        print_json(document)
    else:
        out().print(line, markup=False)


def print_table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table that other programs can also split into columns."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in titles:
        table.add_column(title, no_wrap=True)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    width = None if out().is_terminal else 10_000  # never truncate piped output
    Console(highlight=False, width=width).print(table)


def print_warnings(document: Mapping[str, Any]) -> None:
    """Print what a job or a data set left out, guessed or converted, to standard error."""
    for warning in document.get("warnings") or ():
        place = warning.get("pointer") or "/"
        err().print(Text.assemble(("warning: ", "bold yellow"), (place, "bold"), f": {warning['detail']}"))
        if warning.get("hint"):
            err().print(Text.assemble(("    hint: ", "cyan"), warning["hint"]))


def print_column_roles(document: Mapping[str, Any]) -> None:
    """Print what a job makes of each column of its data."""
    if roles := document.get("columns"):
        print_table(("COLUMN", "TYPE", "ROLE", "BECOMES", "DECIDED BY"), [_role_row(role) for role in roles])


def print_folds(folds: Folds, as_json: bool) -> None:
    """Print the jobs of a cross-validation, and the mean and the deviation of what has succeeded."""
    figures = folds.summary()
    if as_json:
        summary = {name: figure.as_dict() for name, figure in figures.items()}
        print_json({"fold_group": folds.group, "jobs": [job.document for job in folds.jobs], "summary": summary})
        return
    out().print(f"fold_group {folds.group}", markup=False)
    print_table(("FOLD", "JOB", "STATUS"), [(str(n), job.id, job.status) for n, job in enumerate(folds.jobs, start=1)])
    rows = [(name, f"{each.mean:.5g}", f"{each.std:.3g}", str(len(each.values))) for name, each in figures.items()]
    if rows:
        out().print()
        print_table(("SERIES", "MEAN", "STD", "FOLDS"), rows)


def print_splits(document: Mapping[str, Any]) -> None:
    """Print how many rows a job trains on, and which it holds out."""
    for role, split in (document.get("splits") or {}).items():
        rows = "" if split["rows"] is None else f"{split['rows']:,} rows: "
        out().print(f"{role}: {rows}{split['how']}", markup=False)


def _role_row(role: Mapping[str, Any]) -> tuple[str, ...]:
    settings = ", ".join(f"{name} {value}" for name, value in (role.get("settings") or {}).items())
    feature = f"{role['feature']}: {role['kind']}" + (f" ({settings})" if settings else "")
    return role["column"], role["type"], role["role"], role.get("reason") or feature, role["decided_by"]


class CommandGroup(TyperGroup):
    """Commands that report expected errors by a message and an exit code, without a traceback."""

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        """Run the command, and turn expected errors into exit codes."""
        try:
            return super().invoke(ctx)
        except (GraftwerkClientError, CannotStart) as error:
            _print_error(error, as_json=bool(ctx.meta.get(JSON_META_KEY)))
            raise typer.Exit(_exit_code(error)) from None


def _exit_code(error: Exception) -> ExitCode:
    if isinstance(error, (Unreachable, ServerError, AddressNotConfigured, CannotStart)):
        return ExitCode.SERVICE
    return ExitCode.USAGE


def _print_error(error: Exception, *, as_json: bool) -> None:
    if as_json:
        document = {"detail": str(error), "code": type(error).__name__}
        print_json(error.document if isinstance(error, ApiStatusError) else document)
        return
    console = err()
    if not isinstance(error, ApiStatusError):
        console.print(Text.assemble(("error: ", "bold red"), str(error)))
        return
    console.print(Text.assemble(("error: ", "bold red"), f"{error.detail} ({error.status} {error.code})".rstrip()))
    for problem in error.errors:
        console.print(Text.assemble(("  ", ""), (problem.pointer or "/", "bold"), f": {problem.detail}"))
        if problem.hint:
            console.print(Text.assemble(("    hint: ", "cyan"), problem.hint))
