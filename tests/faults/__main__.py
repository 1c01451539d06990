"""The long campaign: ``python -m tests.faults --backend sqlite kills=300 cancels=100``; it goes on where it stopped.

Every round is a line of a results file; the report is made of all lines, of every backend.
"""

import argparse
import json
import random
import signal
import statistics
import sys
import tempfile
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.machine import RESULTS, facts
from tests.faults.campaign import Campaign
from tests.faults.deployment import Deployment
from tests.faults.kinds import KINDS, POSTGRESQL_ALONE
from tests.postgres import Postgres

GOAL = {"kills": 50, "exceptions": 20, "zombies": 25, "wipes": 25, "databases": 50, "cancels": 50, "wake_ups": 5,
        "drains": 15, "duplicates": 10, "deaf": 5}  # rounds on each database  # fmt: skip
AT_ONCE = 40  # rounds on one service, which then begins anew
ROUNDS = Path("build")


def main(arguments: Sequence[str]) -> int:
    """Make every round that the results do not have yet, then write the report. Returns 1 if anything was violated."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("wanted", nargs="*", help="KIND=ROUNDS; without any the whole goal")
    parser.add_argument("--backend", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--report", action="store_true", help="make no round")
    chosen = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))  # what was started is stopped
    pairs = (word.partition("=") for word in chosen.wanted)
    wanted = {name: int(count or 1) for name, _, count in pairs} or GOAL
    if not chosen.report:
        _rounds(chosen.backend, wanted)
    rounds = [
        json.loads(line) for path in sorted(ROUNDS.glob("faults-*.jsonl")) for line in path.read_text().splitlines()
    ]
    document = report(rounds)
    (RESULTS / "faults.json").write_text(json.dumps(document, indent=2) + "\n")
    sys.stdout.write(json.dumps(document["total"], indent=2) + "\n")
    return int(bool(document["total"]["violations"]))


def _rounds(backend: str, wanted: Mapping[str, int]) -> None:
    ROUNDS.mkdir(exist_ok=True)
    results = ROUNDS / f"faults-{backend}.jsonl"
    done = set()
    if results.exists():
        done = {(each["kind"], each["seed"]) for each in map(json.loads, results.read_text().splitlines())}
    due = [(kind, seed) for kind, count in wanted.items() for seed in range(count)
           if (kind, seed) not in done and (backend == "postgresql" or kind not in POSTGRESQL_ALONE)]  # fmt: skip
    random.Random(0).shuffle(due)  # wherever it stops, something of every kind has been done
    with ExitStack() as stack:
        postgres = None
        if backend == "postgresql":
            postgres = Postgres(durable=True)
            stack.callback(postgres.stop)
        for first in range(0, len(due), AT_ONCE):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="graftwerk-faults-")))
            with Deployment(folder, postgres) as at:
                campaign = Campaign(at)
                batch = due[first : first + AT_ONCE]
                batch.sort(key=lambda each: each[0] == "zombies")  # they have a second worker, which heals faster
                for kind, seed in batch:
                    told = campaign.run(KINDS[kind], zlib.crc32(f"{backend} {kind} {seed}".encode()))
                    with results.open("a") as log:
                        log.write(json.dumps({"backend": backend, "kind": kind, "seed": seed, **told}) + "\n")
                    if told["violations"]:
                        _keep_log(at, f"{backend}-{kind}-{seed}")


def _keep_log(at: Deployment, name: str) -> None:
    (ROUNDS / f"faults-{name}.log").write_text("\n".join(at.up.log.splitlines()[-400:]))


def report(rounds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the whole report: figures by kind, and of all together."""
    kinds: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for each in rounds:
        kinds[each["kind"]].append(each)
    return {
        "benchmark": "faults",
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "machine": facts(),
        "total": _figures(rounds),
        "kinds": {kind: _figures(kinds[kind]) for kind in KINDS if kind in kinds},
        "violated": [{name: each[name] for name in ("backend", "kind", "seed", "struck", "violations")}
                     for each in rounds if each["violations"]],
    }  # fmt: skip


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
        "recovery_seconds": _spread(seconds for each in rounds for seconds in each["recovered"]),
    }
    measured: dict[str, list[float]] = defaultdict(list)
    for each in rounds:
        for name, value in each["figures"].items():
            if isinstance(value, int | float):
                measured[name].append(value)
    return found | {name: _spread(values) for name, values in measured.items()}


def _spread(values: Iterable[float]) -> dict[str, float]:
    ordered = sorted(values)
    if not ordered:
        return {"count": 0}
    high = ordered[min(len(ordered) - 1, round(0.95 * (len(ordered) - 1)))]
    return {"count": len(ordered), "median": statistics.median(ordered), "p95": high, "max": ordered[-1],
            "sum": round(sum(ordered), 2)}  # fmt: skip


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
