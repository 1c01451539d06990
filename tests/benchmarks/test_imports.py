"""Benchmarks are run by hand: what they import may have moved since."""

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "benchmarks"


def test_every_script_finds_what_it_imports() -> None:
    names = sorted(path.stem for path in FOLDER.glob("*.py"))
    assert "step_overhead" in names
    code = f"import importlib\nfor name in {names}:\n    importlib.import_module(name)"
    found = subprocess.run([sys.executable, "-c", code], cwd=FOLDER, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
