"""Looks for known vulnerabilities in the pinned versions: ``make audit``, also a part of ``make lint``.

Exit code 1 for one that is not accepted below, and with ``--required`` if the audit could not be made. Without a
network nothing can be looked up: then it says so and lets the build go on.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

CONSTRAINTS = Path(__file__).parents[1] / "constraints.txt"
SERVICES = ("pypi", "osv")  # of pip-audit, in this order
SECONDS = 120

# Accepted vulnerabilities: id → why it does no harm here. One that no version has any more is to be taken off.
ACCEPTED: Mapping[str, str] = {}


def judged(report: Mapping[str, Any], accepted: Mapping[str, str]) -> tuple[list[str], list[str], int]:
    """Return what a report of pip-audit says: lines on what is not accepted, ids that are idle, how many were read."""
    read = [item for item in report["dependencies"] if "skip_reason" not in item]
    found: dict[str, str] = {}
    seen: set[str] = set()
    for item in read:
        for vulnerability in item["vulns"]:
            names = {vulnerability["id"], *vulnerability.get("aliases", ())}
            seen |= names
            if not names & accepted.keys():
                mended = ", ".join(vulnerability.get("fix_versions", ())) or "no version yet"
                found[vulnerability["id"]] = (
                    f"{item['name']} {item['version']}: {vulnerability['id']}, mended in {mended}"
                )
    idle = sorted(accepted.keys() - seen) if read else []
    return sorted(found.values()), idle, len(read)


def ask(service: str) -> Mapping[str, Any] | None:
    """Return pip-audit's report; `None` if it could not ask the service."""
    command = [
        sys.executable,
        "-m",
        "pip_audit",
        "--requirement",
        str(CONSTRAINTS),
        "--no-deps",
        "--disable-pip",
        "--format",
        "json",
        "--progress-spinner",
        "off",
        "--vulnerability-service",
        service,
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
        report: Mapping[str, Any] = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError):
        return None
    return report


def main(required: bool) -> int:
    """Audit, and tell."""
    total = sum(1 for line in CONSTRAINTS.read_text().splitlines() if "==" in line)
    for service in SERVICES:
        report = ask(service)
        problems, idle, read = judged(report, ACCEPTED) if report is not None else ([], [], 0)
        if not read:
            continue
        for line in problems:
            print(f"vulnerable: {line}")
        for name in idle:
            print(f"accepted, but in no version any more: {name}")
        left = f", {total - read} are unknown to it" if read < total else ""
        print(f"audit: {read} of {total} versions looked up with {service}{left}; {len(problems)} problems")
        return 1 if problems or idle else 0
    print("audit SKIPPED: no service for vulnerabilities could be asked; nothing is known about these versions")
    return 1 if required else 0


if __name__ == "__main__":
    sys.exit(main("--required" in sys.argv[1:]))
