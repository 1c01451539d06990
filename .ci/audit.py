"""Looks up known vulnerabilities of the pinned versions: ``make audit``, also part of ``make lint``.

Exit code 1 for a vulnerability that is not accepted below, and with ``--required`` if the lookup failed. Without a
network the lookup is skipped with a message, and the build goes on.
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

# Accepted vulnerabilities: id → why it does no harm here. Remove those that no pinned version has any more.
ACCEPTED: Mapping[str, str] = {}


def evaluate(report: Mapping[str, Any], accepted: Mapping[str, str]) -> tuple[list[str], list[str], int]:
    """Return, for a report of pip-audit: lines on vulnerabilities, accepted ids without one, versions looked up."""
    audited = [item for item in report["dependencies"] if "skip_reason" not in item]
    problems: dict[str, str] = {}
    reported: set[str] = set()
    for item in audited:
        for vulnerability in item["vulns"]:
            names = {vulnerability["id"], *vulnerability.get("aliases", ())}
            reported |= names
            if not names & accepted.keys():
                fixed = ", ".join(vulnerability.get("fix_versions", ())) or "no version yet"
                problems[vulnerability["id"]] = (
                    f"{item['name']} {item['version']}: {vulnerability['id']}, fixed in {fixed}"
                )
    idle = sorted(accepted.keys() - reported) if audited else []
    return sorted(problems.values()), idle, len(audited)


def query(service: str) -> Mapping[str, Any] | None:
    """Return pip-audit's report; `None` if the service could not be queried."""
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
        result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
        report: Mapping[str, Any] = json.loads(result.stdout)
    except (subprocess.TimeoutExpired, ValueError):
        return None
    return report


def main(required: bool) -> int:
    """Run the audit and print the result."""
    total = sum(1 for line in CONSTRAINTS.read_text().splitlines() if "==" in line)
    for service in SERVICES:
        report = query(service)
        problems, idle, read = evaluate(report, ACCEPTED) if report is not None else ([], [], 0)
        if not read:
            continue
        for line in problems:
            print(f"vulnerable: {line}")
        for name in idle:
            print(f"accepted, but in no pinned version any more: {name}")
        unknown = f", {total - read} are unknown to it" if read < total else ""
        print(f"audit: {read} of {total} versions looked up with {service}{unknown}; {len(problems)} problems")
        return 1 if problems or idle else 0
    print("audit SKIPPED: no vulnerability service could be reached; nothing is known about these versions")
    return 1 if required else 0


if __name__ == "__main__":
    sys.exit(main("--required" in sys.argv[1:]))
