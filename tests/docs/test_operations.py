"""What operators rely on: alarms have runbooks and use figures that are told; defences have tests that exist."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.core import CounterMetricFamily

from app.api.prometheus import PROMETHEUS_METRICS

ROOT = Path(__file__).parents[2]
RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load((ROOT / "docs" / "alerts.yml").read_text())["groups"] for rule in group["rules"]
]
RUNBOOKS = (ROOT / "docs" / "operations.md").read_text().partition("\n## Alarms\n")[2]
HTTP = {f"graftwerk_http_seconds_{part}" for part in ("count", "sum", "bucket")}
THREATS = re.findall(r"^\|(.+)\|$", (ROOT / "SECURITY.md").read_text().partition("## Threat model")[2], re.MULTILINE)[
    2:
]


def test_every_alarm_has_a_runbook_and_every_runbook_an_alarm() -> None:
    assert re.findall(r"^### (\w+)$", RUNBOOKS, re.MULTILINE) == [rule["alert"] for rule in RULES]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_a_runbook_says_what_it_means_where_to_look_and_what_mends(rule: dict[str, Any]) -> None:
    section = RUNBOOKS.partition(f"### {rule['alert']}\n")[2].partition("\n### ")[0]
    meaning, look, mend = re.split(r"^- (?:Look|Mend): ", section, flags=re.MULTILINE)
    assert min(map(len, (meaning, look, mend))) > 20
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["annotations"]["summary"].endswith(".")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alarm_uses_figures_that_are_told(rule: dict[str, Any]) -> None:
    told = {
        name + ("_total" if kind is CounterMetricFamily else ""): labels
        for name, (kind, labels, _) in PROMETHEUS_METRICS.items()
    }
    named = re.findall(r"(graftwerk_\w+)(?:\{(.*?)\})?", re.sub(r'job="graftwerk"', "", rule["expr"]))
    assert named or 'up{job="graftwerk"}' in rule["expr"]
    for name, labels in named:
        assert name in told or name in HTTP, name
        used = set(re.findall(r"(\w+)=", labels))
        assert used <= set(told.get(name, ("method", "route", "status"))), (name, used)


def test_figures_in_runbooks_are_told() -> None:
    told = {
        name + ("_total" if kind is CounterMetricFamily else "") for name, (kind, _, _) in PROMETHEUS_METRICS.items()
    }
    assert set(re.findall(r"graftwerk_\w+", RUNBOOKS)) <= told | HTTP | {"graftwerk_http_seconds"}


def test_the_threat_model_is_a_table_of_four() -> None:
    assert len(THREATS) >= 15
    assert all(len(re.split(r"(?<!\\)\|", row)) == 4 for row in THREATS)


@pytest.mark.parametrize("row", THREATS, ids=lambda row: row.split("|")[1].strip()[:40])
def test_a_named_defence_has_a_test(row: str) -> None:
    names = re.findall(r"`(tests/[\w/.]+\.py)(?:::(\w+))?`", row.split("|")[3])
    assert names
    for path, function in names:
        module = ast.parse((ROOT / path).read_text())
        tests = {node.name for node in module.body if isinstance(node, ast.FunctionDef)}
        assert function in tests if function else any(name.startswith("test_") for name in tests)
