"""The long campaign: ``python -m tests.faults --backend sqlite kills=300 cancels=100``; it goes on where it stopped.

Every round is a line of a results file; the report is made of all lines, of every backend.
"""

import argparse
import json
import random
import signal
import sys
import tempfile
import zlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.faults.campaign import Campaign
from tests.faults.deployment import Deployment
from tests.faults.report import CAMPAIGN_SECTION, PAGE, RESULT, render_table, report
from tests.faults.stages import ALL_KINDS, STAGES, Stage, runs_on, serve

TARGET_ROUNDS = {
    "kills": 100,
    "experience": 20,
    "exceptions": 20,
    "zombies": 25,
    "wipes": 25,
    "databases": 50,
    "cancels": 50,
    "wake_ups": 5,
    "drains": 15,
    "duplicates": 10,
    "deaf": 5,
    "database_away": 1,
    "broker_away": 1,
    "power_cuts": 10,
    "s3_faults": 10,
    "failovers": 10,
    "full_disks": 10,
    "unfriendly_clients": 2,
    "edits": 200,
}  # on each database that has the kind; a round of kills has five on average, those of both a thousand
ROUNDS_PER_DEPLOYMENT = 40  # rounds on one service, which then begins anew
RESULTS_FOLDER = Path("build")


def main(arguments: Sequence[str]) -> int:
    """Make every round that the results do not have yet, then write the report. Returns 1 if anything was violated."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("wanted", nargs="*", help="KIND=ROUNDS; without any the whole goal")
    parser.add_argument("--backend", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--report", action="store_true", help="make no round")
    chosen = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))  # what was started is stopped
    pairs = (word.partition("=") for word in chosen.wanted)
    wanted = {name: int(count or 1) for name, _, count in pairs} or TARGET_ROUNDS
    if not chosen.report:
        _rounds(chosen.backend, wanted)
    rounds = [
        json.loads(line)
        for path in sorted(RESULTS_FOLDER.glob("faults-*.jsonl"))
        for line in path.read_text().splitlines()
    ]
    document = report(rounds)
    RESULT.write_text(json.dumps(document, indent=2) + "\n")
    PAGE.write_text(
        CAMPAIGN_SECTION.sub(lambda found: f"{found[1]}{render_table(document)}\n{found[2]}", PAGE.read_text())
    )
    sys.stdout.write(render_table(document) + "\n")
    return int(bool(document["total"]["violations"]))


def _rounds(backend: str, wanted: Mapping[str, int]) -> None:
    RESULTS_FOLDER.mkdir(exist_ok=True)
    results = RESULTS_FOLDER / f"faults-{backend}.jsonl"
    done = set()
    if results.exists():
        done = {(each["kind"], each["seed"]) for each in map(json.loads, results.read_text().splitlines())}
    due = [
        (kind, seed)
        for kind, count in wanted.items()
        for seed in range(count)
        if (kind, seed) not in done and runs_on(kind, backend)
    ]
    random.Random(0).shuffle(due)  # wherever it stops, something of every kind has been done
    for first in range(0, len(due), ROUNDS_PER_DEPLOYMENT):
        batch = due[first : first + ROUNDS_PER_DEPLOYMENT]
        batch.sort(key=lambda each: each[0] == "zombies")  # they have a second worker, which heals faster
        by_stage: dict[Stage, list[tuple[str, int]]] = defaultdict(list)
        for kind, seed in batch:
            by_stage[STAGES.get(kind, serve)].append((kind, seed))
        for stage, rounds in by_stage.items():
            _rounds_on(stage, backend, rounds, results)


def _rounds_on(stage: Stage, backend: str, rounds: Sequence[tuple[str, int]], results: Path) -> None:
    """Make rounds on a new service, and write a line for each."""
    with tempfile.TemporaryDirectory(prefix="graftwerk-faults-") as folder, stage(Path(folder), backend) as at:
        campaign = Campaign(at)
        for kind, seed in rounds:
            told = campaign.run(ALL_KINDS[kind], zlib.crc32(f"{backend} {kind} {seed}".encode()))
            with results.open("a") as log:
                log.write(json.dumps({"backend": backend, "kind": kind, "seed": seed, **told}) + "\n")
            if told["violations"]:
                _keep_log(at, f"{backend}-{kind}-{seed}")


def _keep_log(at: Deployment, name: str) -> None:
    (RESULTS_FOLDER / f"faults-{name}.log").write_text("\n".join(at.up.log.splitlines()[-400:]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
