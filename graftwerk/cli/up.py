"""`graftwerk up`."""

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from graftwerk.cli.output import out
from graftwerk.http.address import home_directory
from graftwerk.supervise.service import Service, ServiceConfig

PROGRAM_STYLES = {"api": "cyan", "worker": "green", "broker": "magenta", "migrate": "yellow", "up": "bold"}


def up(
    port: Annotated[int, typer.Option(envvar="GRAFTWERK_PORT", min=0, max=65535, help="0: any free one.")] = 8741,
    home: Annotated[Path | None, typer.Option(help="Database, files and key; default: ~/.graftwerk.")] = None,
    slots: Annotated[int, typer.Option(min=0, help="Jobs trained at once; 0: what the machine allows.")] = 0,
    no_worker: Annotated[bool, typer.Option("--no-worker", help="Only the API; workers run elsewhere.")] = False,
) -> None:
    """Serve: database, broker, API and one worker on this machine, until Ctrl-C.

    GRAFTWERK_DATABASE_URL and GRAFTWERK_BROKER_URL take the place of the embedded ones.
    """
    console = out()
    as_json = os.environ.get("GRAFTWERK_LOG_JSON", "").strip().lower() in ("1", "true", "yes", "on")

    def hear(name: str, line: str) -> None:
        if as_json:
            print(line if line.startswith("{") else to_json_line(name, line), flush=True)
            return
        prefix = Text(f"{name:<7} | ", PROGRAM_STYLES.get(name, ""))
        console.print(prefix.append(Text(line, "default")))
        sys.stdout.flush()

    chosen = (home or home_directory()).expanduser().absolute()
    host = os.environ.get("GRAFTWERK_HOST", "127.0.0.1")
    Service(ServiceConfig(chosen, host, port, slots, worker=not no_worker), lambda line: hear("up", line), hear).run()


def to_json_line(name: str, line: str) -> str:
    """Return a line of a program that knows no JSON as the service's own programs write theirs."""
    now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    return json.dumps({"process": name, "event": "line", "detail": line, "level": "info", "timestamp": now})
