"""`graftwerk doctor`: what is missing or unsafe here, and how to mend it."""

import os
from dataclasses import asdict
from pathlib import Path

import typer
from rich.text import Text

from graftwerk.checks.machine import machine
from graftwerk.checks.outside import outside
from graftwerk.checks.safety import safety
from graftwerk.checks.service import service
from graftwerk.cli.output import AsJson, out, print_json
from graftwerk.http.address import home_directory

STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def doctor(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Look at everything that the client, `graftwerk up` and the service need, and at what is unsafe."""
    home = home_directory()
    findings = [*machine(home), *outside(os.environ), *safety(os.environ, home, Path.cwd()), *service(ctx.obj)]
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            out().print(
                Text.assemble((f"{finding.state:<5}", STYLES[finding.state]), f"{finding.what}: {finding.detail}")
            )
            if finding.hint:
                out().print(Text(f"     → {finding.hint}", "cyan"))
    if any(finding.state == "fail" for finding in findings):
        raise typer.Exit(1)
