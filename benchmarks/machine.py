"""What every benchmark shares: the facts of the machine, and where results go."""

import json
import os
import platform
import statistics
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
REPORTED_PACKAGES = ("torch", "fastapi", "uvicorn", "celery", "sqlalchemy", "numpy")


def machine_info() -> dict[str, Any]:
    """Return what a reader must know of the machine: processor, cores, memory in GiB, versions."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(memory, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": {name: installed for name in REPORTED_PACKAGES if (installed := _version(name))},
        "load_before": round(os.getloadavg()[0], 2),
    }


def _processor() -> str:
    listed = Path("/proc/cpuinfo")
    if listed.exists():
        for line in listed.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def summarize_times(seconds: Sequence[float]) -> dict[str, float]:
    """Return median, 90th percentile, least and largest of some times, in milliseconds."""
    ordered = sorted(seconds)
    high = ordered[min(len(ordered) - 1, round(0.9 * (len(ordered) - 1)))]
    figures = {"median": statistics.median(ordered), "p90": high, "min": ordered[0], "max": ordered[-1]}
    return {name: round(1000 * value, 3) for name, value in figures.items()} | {"runs": len(ordered)}


def write_results(name: str, result: Mapping[str, Any], claims: Sequence[Mapping[str, Any]]) -> None:
    """Write results/NAME.json and print it.

    A claim is {"what", "measured", "unit", "bound", "at_most"}: `measured` must be at most (or at least) `bound`.
    """
    document = {
        "benchmark": name,
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "machine": machine_info(),
        "claims": list(claims),
        **result,
    }
    text = json.dumps(document, indent=2) + "\n"
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(text)
    sys.stdout.write(text)
    for claim in claims:
        sys.stdout.write(f"{'kept  ' if is_within_bound(claim) else 'BROKEN'} {format_claim(claim)}\n")


def is_within_bound(claim: Mapping[str, Any]) -> bool:
    """Return whether a claim's figure lies on the right side of its bound."""
    if claim["at_most"]:
        return bool(claim["measured"] <= claim["bound"])
    return bool(claim["measured"] >= claim["bound"])


def format_claim(claim: Mapping[str, Any]) -> str:
    """Return a claim as a line of text."""
    word = "at most" if claim["at_most"] else "at least"
    return f"{claim['what']}: {claim['measured']:g} {claim['unit']} ({word} {claim['bound']:g})"
