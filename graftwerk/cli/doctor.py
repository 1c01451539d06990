"""`graftwerk doctor`: what is missing or unsafe, and how to fix it."""

import os
from dataclasses import asdict
from pathlib import Path

import typer
from rich.text import Text

from graftwerk.checks.backing_services import check_backing_services
from graftwerk.checks.imports import check_imports
from graftwerk.checks.machine import check_machine
from graftwerk.checks.service import check_service
from graftwerk.checks.settings import check_settings
from graftwerk.cli.output import AsJson, out, print_json
from graftwerk.http.address import home_directory

STATE_STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def doctor(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Check what the client, `graftwerk up` and the service need, and what is unsafe."""
    home = home_directory()
    findings = [
        *check_machine(home),
        *check_imports(),
        *check_backing_services(os.environ),
        *check_settings(os.environ, home, Path.cwd()),
        *check_service(ctx.obj),
    ]
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            out().print(
                Text.assemble((f"{finding.state:<5}", STATE_STYLES[finding.state]), f"{finding.what}: {finding.detail}")
            )
            if finding.hint:
                out().print(Text(f"     → {finding.hint}", "cyan"))
    if any(finding.state == "fail" for finding in findings):
        raise typer.Exit(1)
