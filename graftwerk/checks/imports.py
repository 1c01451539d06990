"""What jobs import: tried in a process of its own, as this one never loads torch."""

import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from typing import NamedTuple

from graftwerk.checks.result import CheckResult, CheckState

IMPORT_SECONDS = 120.0  # from a cold disk


class ImportTrial(NamedTuple):
    """A row of a table: what runs, in which state its failure leaves the machine, and what to do about it."""

    what: str
    program: str
    on_failure: CheckState
    consequence: str
    hint: str


TRIALS = (
    ImportTrial(
        "imports of jobs",
        "from workers.torch_setup import preload; preload()",
        "fail",
        "no job can train here",
        "pip install 'graftwerk[worker]'",
    ),
    ImportTrial(
        "imports of model.py",
        "import torch, torchvision.models, torchvision.models.segmentation",
        "warn",
        "the model.py of a network with a backbone cannot be imported here; jobs do not need that",
        "install the build of torchvision that belongs to this torch, for example both from one index of wheels",
    ),
)


def check_imports() -> Iterator[CheckResult]:
    """Check that what jobs and their model.py import is there and loads; nothing where torch is not installed."""
    if find_spec("torch") is None or find_spec("workers") is None:
        return
    for trial in TRIALS:
        error = _import_error(trial.program)
        if error is None:
            yield CheckResult(trial.what, "ok", "everything loads")
            continue
        yield CheckResult(trial.what, trial.on_failure, f"{trial.consequence}: {error}", trial.hint)
        if trial.on_failure == "fail":
            return  # what follows would fail for the same reason


def _import_error(program: str) -> str | None:
    """Run a program in this Python; return the last line of its error, `None` if it succeeds."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, timeout=IMPORT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return f"it takes more than {IMPORT_SECONDS:g} s"
    if done.returncode == 0:
        return None
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    return lines[-1] if lines else f"Python ended with exit code {done.returncode}"
