"""What a campaign has reached: figures for the results, a table for the page."""

import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.machine import RESULTS, machine_info
from tests.faults.stages import ALL_KINDS

RESULT = RESULTS / "faults.json"
PAGE = Path(__file__).parents[2] / "docs" / "faults.md"
CAMPAIGN_SECTION = re.compile(r"(<!-- campaign -->\n).*?(<!-- end of the campaign -->)", re.DOTALL)
FIGURE_TITLES = {
    "recovery_seconds": "from a kill to the next new point",
    "zombie_seconds": "a zombie's end",
    "start_seconds": "start of the next job",
    "answer_seconds": "503 to a `POST`",
    "cancel_seconds": "from cancelling to the last process's end",
    "end_seconds": "end of the next job",
}  # the figures of a table, of each their median and largest


def report(rounds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the whole report: figures by kind, and of all together."""
    kinds: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for each in rounds:
        kinds[each["kind"]].append(each)
    return {
        "benchmark": "faults",
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "machine": machine_info(),
        "total": _figures(rounds),
        "kinds": {kind: _figures(kinds[kind]) for kind in ALL_KINDS if kind in kinds},
        "violated": [
            {name: each[name] for name in ("backend", "kind", "seed", "struck", "violations")}
            for each in rounds
            if each["violations"]
        ],
    }


def _figures(rounds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    struck = Counter(fault["action"] for each in rounds for fault in each["struck"])
    broken = Counter(told.partition(" ")[0] for each in rounds for told in each["violations"])
    jobs = sum(each["jobs"] for each in rounds)
    found: dict[str, Any] = {
        "rounds": len(rounds),
        "by_backend": dict(Counter(each["backend"] for each in rounds)),
        "jobs": jobs,
        "struck": dict(struck),
        "killed": sum(count for action, count in struck.items() if action.startswith("kill")),
        "violations": sum(broken.values()),
        "by_invariant": dict(broken),
        "recovery_seconds": _summarize(seconds for each in rounds for seconds in each["recovered"]),
    }
    measured: dict[str, list[float]] = defaultdict(list)
    for each in rounds:
        for name, value in each["figures"].items():
            if isinstance(value, int | float):
                measured[name].append(value)
    return found | {name: _summarize(values) for name, values in measured.items()}


def _summarize(values: Iterable[float]) -> dict[str, float]:
    ordered = sorted(values)
    if not ordered:
        return {"count": 0}
    high = ordered[min(len(ordered) - 1, round(0.95 * (len(ordered) - 1)))]
    return {
        "count": len(ordered),
        "median": statistics.median(ordered),
        "p95": high,
        "max": ordered[-1],
        "sum": round(sum(ordered), 2),
    }


def render_table(document: Mapping[str, Any]) -> str:
    """Return the table of the page, and a line on the machine."""
    total, machine = document["total"], document["machine"]
    lines = [
        "| kind | rounds | jobs | faults that struck | violations | seconds: median, most |",
        "| --- |" + " --- |" * 5,
    ]
    for kind, told in document["kinds"].items():
        seconds = "; ".join(
            f"{words} {told[name]['median']:.1f}, {told[name]['max']:.1f}"
            for name, words in FIGURE_TITLES.items()
            if told.get(name, {}).get("count")
        )
        faults = ", ".join(f"{count} {action}" for action, count in sorted(told["struck"].items()))
        lines.append(f"| `{kind}` | {told['rounds']} | {told['jobs']} | {faults} | {told['violations']} | {seconds} |")
    backends = " and ".join(f"{count} on {name}" for name, count in sorted(total["by_backend"].items()))
    zombies = round(document["kinds"].get("zombies", {}).get("zombies", {}).get("sum", 0))
    return "\n".join(
        [
            *lines,
            "",
            f"{document['date']}: {total['rounds']} rounds ({backends}) with {total['jobs']} jobs, {total['killed']} "
            f"`kill -9` and {zombies} zombies; {total['violations']} violations. {machine['cores']} cores of "
            f"{machine['processor']}, load {machine['load_before']} at the end, Python {machine['python']}, torch "
            f"{machine['versions']['torch']}.",
        ]
    )
