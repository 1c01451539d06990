"""What scripts of gates share: their arguments, jobs that must succeed, and claims."""

import argparse
from pathlib import Path
from typing import Any

from graftwerk import Client, Job

CACHE_FOLDER = Path("~/.cache/graftwerk-accuracy")
TIMEOUT_SECONDS = 3 * 3600.0  # for a job


def gate_arguments(description: str | None) -> argparse.ArgumentParser:
    """Return a parser of `--folder` and `--again`."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--folder", type=Path, default=CACHE_FOLDER, help=f"data and finished runs (default: {CACHE_FOLDER})"
    )
    parser.add_argument("--again", action="store_true", help="repeat finished runs")
    return parser


def train_job(client: Client, spec: dict[str, Any], **start: Any) -> Job:
    """Return the finished job. Raises `SystemExit` if it does not succeed."""
    job = client.jobs.create(spec, **start).wait(TIMEOUT_SECONDS)
    if job.status != "succeeded":
        raise SystemExit(f"{spec['name']}: the job {job.status}: {job.error}")
    return job


def to_claim(what: str, measured: float, bound: float, *, at_most: bool = False) -> dict[str, Any]:
    """Return a claim of the results: `measured` must be at least `bound`, or at most."""
    return {"what": what, "measured": round(measured, 5), "unit": "", "bound": round(bound, 5), "at_most": at_most}
