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
from graftwerk.errors import Answered, GraftwerkClientError, NoAddress, ServiceTrouble, Unreachable
from graftwerk.supervise.home import CannotStart

JSON = "graftwerk.json"


class Exit(IntEnum):
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


def _note_json(ctx: typer.Context, value: bool) -> bool:
    ctx.meta[JSON] = value  # so that errors are told as JSON too
    return value


AsJson = Annotated[bool, typer.Option("--json", callback=_note_json, help="Print JSON, for programs.")]


@contextmanager
def connected(ctx: typer.Context) -> Iterator[Client]:
    """Open a client for the address that the command line, the environment or `graftwerk up` gives."""
    with Client(ctx.obj) as client:
        yield client


def print_json(value: Any) -> None:
    """Print one JSON document on a line of its own."""
    typer.echo(json.dumps(value))


def print_answer(document: Any, line: str, *, as_json: bool) -> None:
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


class Commands(TyperGroup):
    """Commands whose expected errors end in a sentence and an exit code, never in a stack trace."""

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        """Run the command."""
        try:
            return super().invoke(ctx)
        except (GraftwerkClientError, CannotStart) as error:
            _tell(error, as_json=bool(ctx.meta.get(JSON)))
            raise typer.Exit(_exit_code(error)) from None


def _exit_code(error: Exception) -> Exit:
    if isinstance(error, (Unreachable, ServiceTrouble, NoAddress, CannotStart)):
        return Exit.SERVICE
    return Exit.USAGE


def _tell(error: Exception, *, as_json: bool) -> None:
    if as_json:
        plain = {"detail": str(error), "code": type(error).__name__}
        print_json(error.document if isinstance(error, Answered) else plain)
        return
    console = err()
    if not isinstance(error, Answered):
        console.print(Text.assemble(("error: ", "bold red"), str(error)))
        return
    console.print(Text.assemble(("error: ", "bold red"), f"{error.detail} ({error.status} {error.code})".rstrip()))
    for problem in error.errors:
        console.print(Text.assemble(("  ", ""), (problem.pointer or "/", "bold"), f": {problem.detail}"))
        if problem.hint:
            console.print(Text.assemble(("    hint: ", "cyan"), problem.hint))
