"""The examples of docs/client.md, as one program against a real service."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.service import ServiceProcess

PAGE = Path(__file__).parents[2] / "docs" / "client.md"


def test_the_examples_run(service: ServiceProcess, tmp_path: Path) -> None:
    for package in ("pandas", "polars"):
        pytest.importorskip(package)
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 4
    (tmp_path / "page.py").write_text("\n".join(blocks), encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GRAFTWERK_")}
    environment |= {"GRAFTWERK_HOME": str(service.home), "PYTHONPATH": str(PAGE.parents[1])}
    page = subprocess.run(
        [sys.executable, "page.py"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert page.returncode == 0, page.stderr
    assert page.stdout.startswith("running\nsucceeded\nsucceeded 0.")
    assert (tmp_path / "weights" / "weights.pth").stat().st_size > 0
    assert list((tmp_path / "runs").glob("iris-job_*/events.out.tfevents.*"))
