"""The audit of dependencies: it fails for what is vulnerable, and never pretends to have looked."""

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

PATH = Path(__file__).parents[2] / ".ci" / "audit.py"


@pytest.fixture
def audit() -> ModuleType:
    spec = importlib.util.spec_from_file_location("ci_audit", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SOUND = {"name": "sound", "version": "1.0", "vulns": []}
UNKNOWN = {"name": "unknown", "skip_reason": "Dependency not found"}
HURT = {"name": "hurt", "version": "2.0", "vulns": [{"id": "GHSA-1", "aliases": ["CVE-1"], "fix_versions": ["2.1"]}]}


@pytest.mark.parametrize(
    ("dependencies", "accepted", "code", "words"),
    [
        ([SOUND], {}, 0, "1 of"),
        ([SOUND, HURT], {}, 1, "hurt 2.0: GHSA-1, fixed in 2.1"),
        ([SOUND, HURT], {"CVE-1": "not reached"}, 0, "0 problems"),
        ([SOUND], {"CVE-1": "not reached"}, 1, "in no pinned version any more: CVE-1"),
        ([SOUND, UNKNOWN], {}, 0, "are unknown to it"),
        ([UNKNOWN], {}, 0, "SKIPPED"),
        ([UNKNOWN], {"CVE-1": "not reached"}, 0, "SKIPPED"),
        (None, {}, 0, "SKIPPED"),
    ],
)
def test_what_is_told(
    audit: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    dependencies: Any,
    accepted: dict[str, str],
    code: int,
    words: str,
) -> None:
    report = None if dependencies is None else {"dependencies": dependencies}
    monkeypatch.setattr(audit, "query", lambda service: report)
    monkeypatch.setattr(audit, "ACCEPTED", accepted)
    assert audit.main(required=False) == code
    told = capsys.readouterr().out
    assert words in told
    assert audit.main(required=True) == (1 if "SKIPPED" in words else code)


def test_a_program_that_fails_is_no_audit(audit: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit.sys, "executable", "/bin/false")
    assert audit.query("osv") is None


def test_reasons_are_given(audit: ModuleType) -> None:
    assert all(len(reason) > 20 for reason in audit.ACCEPTED.values())
