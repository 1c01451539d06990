"""What a machine lacks is told, with how to mend it."""

import tempfile
from pathlib import Path

import pytest

from graftwerk.checks.machine import check_machine


@pytest.mark.parametrize(("length", "state"), [(1, "ok"), (80, "fail")])
def test_a_temporary_folder_must_be_short(
    length: int, state: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="t") as base:
        folder = Path(base) / ("x" * length)
        folder.mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(folder))
        (found,) = (finding for finding in check_machine(tmp_path) if finding.what == "temporary folder")
        assert found.state == state
        assert ("TMPDIR" in found.hint) == (state == "fail")
        assert not list(folder.iterdir())
