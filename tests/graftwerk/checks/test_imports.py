"""Doctor loads what jobs load, in a process of its own, and names what is missing."""

import sys
from pathlib import Path

import pytest

from graftwerk.checks import imports
from graftwerk.checks.imports import TRIALS, ImportTrial, check_imports
from tests.full import choose


def hide(package: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a package be missing in processes that start from now on."""
    (folder / f"{package}.py").write_text(f'raise ModuleNotFoundError("No module named {package!r}", name={package!r})')
    monkeypatch.setenv("PYTHONPATH", str(folder))


def test_what_jobs_import_is_here_and_torch_stays_out_of_this_process() -> None:
    found = {finding.what: finding for finding in check_imports()}
    assert (found["imports of jobs"].state, found["imports of jobs"].detail) == ("ok", "everything loads")
    assert set(found) == {"imports of jobs", "imports of model.py"}


@pytest.mark.parametrize("package", choose(("torchvision", "safetensors"), "safetensors"))
def test_a_missing_package_is_a_clear_failure(package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hide(package, tmp_path, monkeypatch)
    (finding,) = check_imports()
    assert (finding.what, finding.state) == ("imports of jobs", "fail")
    assert finding.detail == f"no job can train here: ModuleNotFoundError: No module named '{package}'"
    assert "graftwerk[worker]" in finding.hint


@pytest.mark.parametrize(
    ("program", "detail"),
    [
        ("raise RuntimeError('operator torchvision::nms does not exist')", "operator torchvision::nms does not exist"),
        ("import os; os._exit(3)", "Python ended with exit code 3"),
        ("import time; time.sleep(60)", "it takes more than 0.5 s"),
    ],
)
def test_what_fails_to_load_is_told_with_its_consequence(
    program: str, detail: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "IMPORT_SECONDS", 0.5 if "sleep" in program else 60)
    monkeypatch.setattr(imports, "TRIALS", (TRIALS[1]._replace(program=program),))
    (finding,) = check_imports()
    assert finding.state == "warn"
    assert finding.detail.startswith("the model.py of a network with a backbone cannot be imported here")
    assert finding.detail.endswith(detail)


def test_nothing_is_tried_where_only_the_client_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "find_spec", lambda name: None)
    monkeypatch.setattr(imports, "TRIALS", (ImportTrial("", "raise SystemExit(1)", "fail", "", ""),))
    assert list(check_imports()) == []
    assert sys.modules.get("graftwerk.checks.imports") is imports
