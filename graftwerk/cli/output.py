"""What commands share: consoles, the connection, the `--json` option, and how errors are told."""

import json
from collections.abc import Iterator, Sequence
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
from graftwerk.supervise.home import CannotStart

JSON_META_KEY = "graftwerk.json"


class ExitCode(IntEnum):
    """The exit codes of every command."""

    OK = 0
    JOB_FAILED = 1
    USAGE = 2  # also a spec with problems
    SERVICE = 3  # not reachable, or in trouble
    INTERRUPTED = 130


def out() -> Console:
    """Return the console for results."""
    return Console(highlight=False, soft_wrap=True)


def err() -> Console:
    """Return the console for everything that is no result."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def _store_json_flag(ctx: typer.Context, value: bool) -> bool:
    ctx.meta[JSON_META_KEY] = value  # so that errors are told as JSON too
    return value


AsJson = Annotated[bool, typer.Option("--json", callback=_store_json_flag, help="Print JSON, for programs.")]


@contextmanager
def open_client(ctx: typer.Context) -> Iterator[Client]:
    """Open a client for the address that the command line, the environment or `graftwerk up` gives."""
    with Client(ctx.obj) as client:
        yield client


def print_json(value: Any) -> None:
    """Print one JSON document on a line of its own."""
    typer.echo(json.dumps(value))


def print_result(document: Any, line: str, *, as_json: bool) -> None:
    """Print what came of a command: the document for programs, or a line for people."""
    if as_json:
        print_json(document)
    else:
        out().print(line, markup=False)


def print_table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table that other programs can also cut into columns."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in titles:
        table.add_column(title, no_wrap=True)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    width = None if out().is_terminal else 10_000  # never cut what a program reads
    Console(highlight=False, width=width).print(table)


class CommandGroup(TyperGroup):
    """Commands whose expected errors end in a sentence and an exit code, never in a stack trace."""

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        """Run the command."""
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
        plain = {"detail": str(error), "code": type(error).__name__}
        print_json(error.document if isinstance(error, ApiStatusError) else plain)
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
