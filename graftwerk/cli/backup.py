"""`graftwerk backup` and `graftwerk restore`: for who runs the service, on a machine that reaches its database."""

import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from graftwerk.http.address import home_directory
from graftwerk.supervise import home as homes
from graftwerk.supervise.home import CannotStart
from graftwerk.supervise.service import missing_extras

Home = Annotated[Path | None, typer.Option(help="The service's home; default: ~/.graftwerk.")]


def backup(folder: Annotated[Path, typer.Argument(help="A new folder.")], home: Home = None) -> None:
    """Back up database and artifacts while the service runs; every file is verified."""
    _run_module(["create", str(folder.absolute())], _resolve_home(home))


def restore(
    folder: Annotated[Path, typer.Argument(help="What `graftwerk backup` made.")],
    home: Home = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Drop what is there.")] = False,
) -> None:
    """Verify a backup and put it in place, with the service stopped; jobs then go on from their checkpoints."""
    chosen = _resolve_home(home)
    homes.create_home(chosen)
    embedded = not os.environ.get("GRAFTWERK_DATABASE_URL")
    with homes.lock_home(chosen) if embedded else nullcontext():
        _run_module(["restore", str(folder.absolute()), *(["--overwrite"] if overwrite else [])], chosen)


def _resolve_home(home: Path | None) -> Path:
    return (home or home_directory()).expanduser().absolute()


def _run_module(words: list[str], home: Path) -> None:
    """Run the server's own part, as a process: the command line imports nothing of it."""
    if "server" in missing_extras():
        raise CannotStart("parts are missing; install them: pip install 'graftwerk[server]'")
    environment = {**os.environ, "PYTHONSAFEPATH": "1", "GRAFTWERK_HOME": str(home)}
    done = subprocess.run([sys.executable, "-m", "app.backup", *words], env=environment, check=False)
    if done.returncode != 0:
        raise typer.Exit(done.returncode)
