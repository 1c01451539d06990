"""Commands for whoever runs the service: `graftwerk up`, `graftwerk backup` and `graftwerk restore`."""

import json
import os
import subprocess
import sys
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from graftwerk.cli.output import out
from graftwerk.http.address import home_directory
from graftwerk.supervise import home as homes
from graftwerk.supervise.home import CannotStart
from graftwerk.supervise.service import Service, ServiceConfig, missing_extras

Home = Annotated[Path | None, typer.Option(help="The service's home; default: ~/.graftwerk.")]
PROGRAM_STYLES = {
    "api": "cyan",
    "worker": "green",
    "broker": "magenta",
    "migrate": "yellow",
    "forks": "blue",
    "up": "bold",
}


def up(
    port: Annotated[int, typer.Option(envvar="GRAFTWERK_PORT", min=0, max=65535, help="0: any free one.")] = 8741,
    home: Annotated[
        Path | None, typer.Option(help="Directory of database, files and key; default: ~/.graftwerk.")
    ] = None,
    slots: Annotated[int, typer.Option(min=0, help="Jobs trained at once; 0: as many as the machine allows.")] = 0,
    no_worker: Annotated[bool, typer.Option("--no-worker", help="Run only the API; workers run elsewhere.")] = False,
) -> None:
    """Serve: database, broker, API and one worker on this machine, until Ctrl-C.

    It prints a link that signs a browser in; `graftwerk open` and the signal SIGUSR1 make others.
    GRAFTWERK_DATABASE_URL and GRAFTWERK_BROKER_URL replace the embedded database and broker.
    """
    console = out()
    as_json = os.environ.get("GRAFTWERK_LOG_JSON", "").strip().lower() in ("1", "true", "yes", "on")

    def print_line(name: str, line: str) -> None:
        if as_json:
            print(line if line.startswith("{") else to_json_line(name, line), flush=True)
            return
        prefix = Text(f"{name:<7} | ", PROGRAM_STYLES.get(name, ""))
        console.print(prefix.append(Text(line, "default")))
        sys.stdout.flush()

    host = os.environ.get("GRAFTWERK_HOST", "127.0.0.1")
    config = ServiceConfig(_resolve_home(home), host, port, slots, worker=not no_worker, link=not as_json)
    Service(config, lambda line: print_line("up", line), print_line).run()


def to_json_line(name: str, line: str) -> str:
    """Return a plain line as JSON, in the form of the service's log."""
    now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    return json.dumps({"process": name, "event": "line", "detail": line, "level": "info", "timestamp": now})


def backup(folder: Annotated[Path, typer.Argument(help="A folder to create.")], home: Home = None) -> None:
    """Back up database and artifacts while the service runs, and verify every file."""
    _run_module(["create", str(folder.absolute())], _resolve_home(home))


def restore(
    folder: Annotated[Path, typer.Argument(help="A folder written by `graftwerk backup`.")],
    home: Home = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing data.")] = False,
) -> None:
    """Verify and restore a backup while the service is stopped; jobs then resume from their checkpoints."""
    target = _resolve_home(home)
    homes.create_home(target)
    embedded = not os.environ.get("GRAFTWERK_DATABASE_URL")
    with homes.lock_home(target) if embedded else nullcontext():
        _run_module(["restore", str(folder.absolute()), *(["--overwrite"] if overwrite else [])], target)


def _resolve_home(home: Path | None) -> Path:
    return (home or home_directory()).expanduser().absolute()


def _run_module(words: list[str], home: Path) -> None:
    """Run `app.backup` in a process of its own, since the command line never imports the server."""
    if "server" in missing_extras():
        raise CannotStart("required packages are missing; install them: pip install 'graftwerk[server]'")
    environment = {**os.environ, "PYTHONSAFEPATH": "1", "GRAFTWERK_HOME": str(home)}
    result = subprocess.run([sys.executable, "-m", "app.backup", *words], env=environment, check=False)
    if result.returncode != 0:
        raise typer.Exit(result.returncode)
