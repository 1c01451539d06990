import importlib
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """benchmarks/table.py, imported as the script imports its neighbours."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return importlib.import_module("table")


def result(measured: float, at_most: bool = True) -> dict[str, Any]:
    machine = {"cores": 2, "processor": "A processor", "python": "3.11.9", "versions": {"torch": "2.13.0"}}
    claim = {"what": "time", "measured": measured, "unit": "s", "bound": 0.25, "at_most": at_most}
    return {"benchmark": "start", "date": "2026-11-24", "machine": machine, "claims": [claim]}


@pytest.mark.parametrize(
    ("measured", "at_most", "row"),
    [
        (0.1, True, "| time | 0.1 s | ≤ 0.25 | `start.py` |"),
        (0.3, True, "| time | 0.3 s (missed) | ≤ 0.25 | `start.py` |"),
        (0.3, False, "| time | 0.3 s | ≥ 0.25 | `start.py` |"),
        (0.25, False, "| time | 0.25 s | ≥ 0.25 | `start.py` |"),
    ],
)
def test_a_claim_is_a_row(table: ModuleType, tmp_path: Path, measured: float, at_most: bool, row: str) -> None:
    (tmp_path / "start.json").write_text(json.dumps(result(measured, at_most)))
    written = table.render_table(table.load_results(tmp_path))
    assert row in written.splitlines()
    assert "2 cores of A processor" in written


def test_without_results_there_is_a_sentence(table: ModuleType, tmp_path: Path) -> None:
    assert table.render_table(table.load_results(tmp_path)) == "Nothing has been measured yet: `make bench`."


@pytest.mark.parametrize("name", ["README.md", "docs/measurements.md"])
def test_the_tables_are_fresh(table: ModuleType, name: str) -> None:
    page = (ROOT / name).read_text()
    assert table.GENERATED_SECTION.search(page) is not None
    assert table.render_page(name, page) == page, "stale: run python benchmarks/table.py"


def test_the_readme_says_how_many_claims_are_missed(table: ModuleType) -> None:
    missed = [row for row in table.render_table(table.load_results()).splitlines() if "(missed)" in row]
    assert f", {len(missed)} missed: " in table.render_headlines(table.load_results())


def test_times_are_summed_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    spread = importlib.import_module("machine").summarize_times([0.003, 0.001, 0.002, 0.01])
    assert spread == {"median": 2.5, "p90": 10.0, "min": 1.0, "max": 10.0, "runs": 4}
