"""Completion in a real shell: of commands, options, forms and the ids of jobs."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from graftwerk.cli.main import app
from tests.graftwerk.scripted_transport import job_document

COMPLETE = """
complete_line() {
    COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}; COMPREPLY=()
    "$(complete -p graftwerk | sed 's/.*-F \\([^ ]*\\).*/\\1/')" graftwerk "${@: -1}" "${@: -2:1}"
    printf '%s,' "${COMPREPLY[@]}"; echo
}
"""


class ListOfJobs(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        items = [job_document(f"job_{n}", name="nämé") for n in ("0199aa", "0199bb")]
        body = json.dumps({"items": items, "has_more": False}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def address() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), ListOfJobs) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Return an environment in which `graftwerk` is this one."""
    launcher = tmp_path / "graftwerk"
    launcher.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m graftwerk "$@"\n')
    launcher.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {"PATH": path, "PYTHONPATH": os.getcwd(), "GRAFTWERK_HOME": str(tmp_path)}


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_bash_completes(environment: dict[str, str], address: str) -> None:
    lines = ("plo", "plot --lo", "watch job_0199aa job_0199")  # each of them starts Python
    calls = "".join(f"complete_line graftwerk {line}\n" for line in lines)
    script = f'eval "$(graftwerk)"; unset _GRAFTWERK_COMPLETE\n{COMPLETE}{calls}'
    shell = {"GRAFTWERK_URL": address, "_GRAFTWERK_COMPLETE": "source_bash"}
    found = subprocess.run(
        ["bash", "-c", script], env=environment | shell, capture_output=True, text=True, check=False, timeout=120
    )
    assert found.stdout.splitlines() == ["plot,", "--log,--log-x,", "job_0199aa,job_0199bb,"], found.stderr


def test_a_service_that_is_away_completes_nothing(environment: dict[str, str]) -> None:
    words = {"_GRAFTWERK_COMPLETE": "complete_bash", "COMP_WORDS": "graftwerk watch job_", "COMP_CWORD": "2"}
    away = environment | words | {"GRAFTWERK_URL": "http://127.0.0.1:9"}
    found = subprocess.run(["graftwerk"], env=away, capture_output=True, text=True, check=False)
    assert (found.stdout.strip(), found.stderr) == ("", "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_for_every_shell(shell: str) -> None:
    from typer.testing import CliRunner

    result = CliRunner().invoke(app, [], env={"_GRAFTWERK_COMPLETE": f"source_{shell}"}, prog_name="graftwerk")
    assert result.exit_code == 0, result.output
    assert "_GRAFTWERK_COMPLETE" in result.stdout
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=result.stdout, text=True, check=True)
