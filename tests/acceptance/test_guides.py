"""The tutorial, the how-tos and the notebook are run as a reader would, on a real service."""

import os
import re
import shlex
import stat
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from typer.testing import CliRunner

from graftwerk.cli.main import app
from tests.acceptance.service import ServiceProcess
from tests.docs.guides import GUIDES, ROOT, blocks, commands

IDS = {"JOB": r"\bjob_\w+", "DATASET": r"\bds_\w+"}
RUN = [page for page in GUIDES if any(not each.reason and each.language in ("sh", "python") for each in blocks(page))]
SECONDS = 120


class Reader:
    """Somebody who saves the files of a page and runs its commands, in a folder of their own."""

    def __init__(self, folder: Path, service: ServiceProcess) -> None:
        self.folder = folder
        self.ids = {"EDIT": "1"}
        programs = folder / "bin"
        programs.mkdir()
        for name, words in {"python": "", "graftwerk": "-m graftwerk"}.items():
            program = programs / name
            program.write_text(f'#!/bin/sh\nexec {sys.executable} {words} "$@"\n')
            program.chmod(program.stat().st_mode | stat.S_IXUSR)
        self.environment = os.environ | {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "GRAFTWERK_HOME": str(service.home),
            "COLUMNS": "200",
        }

    def filled_in(self, text: str) -> str:
        """Return a text with the ids that stand for JOB, DATASET and EDIT."""
        for name, value in self.ids.items():
            text = re.sub(rf"\b{name}\b", value, text)
        assert not re.search(r"\b(JOB|DATASET)\b", text), text
        return text

    def run(self, line: str) -> None:
        """Run a command line, and keep the ids that it prints."""
        line = self.filled_in(line)
        plain = line.startswith("graftwerk ") and not set(line) & set(">|;")
        status, printed = self._run_here(line) if plain else self._run_shell(line)
        assert status == 0, f"{line}\n{printed}"
        for name, pattern in IDS.items():
            if found := re.findall(pattern, printed):
                self.ids[name] = found[0]
        if number := re.search(r"\bedit (\d+)\b", printed):
            self.ids["EDIT"] = number[1]

    def _run_here(self, line: str) -> tuple[int, str]:
        """Run a command of Graftwerk in this process, which spares an interpreter: return its status and output."""
        result = CliRunner().invoke(app, shlex.split(line, comments=True)[1:], env=self.environment)
        return result.exit_code, result.output

    def _run_shell(self, line: str) -> tuple[int, str]:
        words = ["bash", "-euo", "pipefail", "-c", line]
        done = subprocess.run(
            words, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=SECONDS, check=False
        )
        return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("page", RUN, ids=lambda page: page.stem)
def test_a_page_can_be_followed(
    page: Path, service: ServiceProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    reader = Reader(tmp_path, service)
    for block in blocks(page):
        if block.reason:
            continue
        if block.file is not None:
            (tmp_path / block.file).write_text(block.code)
        elif block.language == "python":
            (tmp_path / "shown.py").write_text(reader.filled_in(block.code))
            reader.run("python shown.py")
        elif block.language == "sh":
            for line in commands(block):
                reader.run(line)


def test_the_notebook_runs(service: ServiceProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAFTWERK_HOME", str(service.home))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebook = nbformat.read(ROOT / "docs" / "notebooks" / "quickstart.ipynb", as_version=4)
    NotebookClient(notebook, timeout=SECONDS, kernel_name="python3").execute()
    shown = [output for cell in notebook.cells for output in cell.get("outputs", ()) if "data" in output]
    results = ["".join(output["data"]["text/plain"]) for output in shown]
    assert results[0] == "True"
    assert "'succeeded'" in results
    assert "'applied'" in results
    assert results[-1] == "torch.Size([1])"
