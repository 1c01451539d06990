"""Lists of jobs by every filter among many: ``python benchmarks/list_latency.py --jobs 1000000``.

The jobs have specs and inspections of 2 KB, labels, and are spread over statuses, names and owners so that every filter
has common values, rare ones and values that no job has. Each list is read as the route does, without HTTP. The database
is SQLite, or that of ``--database-url``, an empty one of PostgreSQL, which is migrated. A million jobs take 4 GB and
some minutes to write.
"""

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from machine import write_results
from sqlalchemy import insert, text
from sqlalchemy.orm import Session

from app.db import migrate
from app.db.session import Database
from app.db.tables import JobRow
from app.jobs import listing, queue, repository

BATCH = 5000
FILLER = "x" * 1000
BOUND_MS = 30.0  # of a page, median, here and with any filter
SEARCH_MS = 400.0  # which reads every name
STATUSES = ("succeeded",) * 900 + ("failed",) * 95 + ("cancelled",) * 4 + ("queued",)  # nothing is running or paused

Call = Callable[[Session], object]


def make_jobs(count: int, seed: int = 0) -> Iterator[list[dict[str, Any]]]:
    """Yield batches of rows."""
    draw = random.Random(seed)
    for start in range(0, count, BATCH):
        yield [_job(number, draw) for number in range(start, min(count, start + BATCH))]


def _job(number: int, draw: random.Random) -> dict[str, Any]:
    status = draw.choice(STATUSES)
    ended = None if status == "queued" else float(number)
    labels = {"project": "vision" if status == "succeeded" else "text", "run": str(number % 1000), "team": "a"}
    return {
        "id": f"job_{number:032x}",
        "owner": "anna" if number % 10 else "bert",
        "key_id": "",
        "name": "rare" if number < 20 else f"sweep-{number % 7}",
        "spec": {"filler": FILLER},
        "data_schema": {},
        "inspection": {"filler": FILLER},
        "labels": labels,
        "status": status,
        "queue": "default" if number % 3 else "gpu",
        "priority": 0,
        "progress": {"step": 100},
        "started_at": ended,
        "finished_at": ended,
        "deleted_at": 1.0 if number % 50 == 0 and ended is not None else None,
    }


def _page(**filters: Any) -> Call:
    return lambda session: listing.page(session, "anna", 50, **filters)


def lists(count: int) -> Mapping[str, Call]:
    """Return what is measured, by what it is."""
    middle = f"job_{count // 2:032x}"
    return {
        "no filter": _page(),
        "no filter, amid": _page(after=middle),
        "a common status": _page(status=["succeeded"]),
        "a rare status": _page(status=["queued"]),
        "a status without jobs": _page(status=["paused"]),
        "several statuses, amid": _page(status=["queued", "failed", "running"], after=middle),
        "a common name": _page(name="sweep-1"),
        "a rare name": _page(name="rare"),
        "no such name": _page(name="none"),
        "name and rare status": _page(name="sweep-1", status=["queued"]),
        "a common label": _page(labels={"team": "a"}),
        "a rare label": _page(labels={"run": "7"}),
        "no such label": _page(labels={"run": "none"}),
        "label and status without jobs": _page(labels={"project": "vision"}, status=["failed"]),
        "common and rare label": _page(labels={"team": "a", "run": "7"}),
        "label and name": _page(labels={"run": "7"}, name="sweep-1"),
        "two common filters without a job": _page(labels={"project": "text"}, name="rare"),
        "deleted": _page(deleted=True),
        "deleted, label": _page(deleted=True, labels={"run": "0"}),
        "claim": lambda session: queue.next_job(session, ["default"]),
        "mean duration of a queue without jobs": lambda session: queue._mean_duration(session, "none"),
        "mean duration of a queue": lambda session: queue._mean_duration(session, "gpu"),
    }


def searches() -> Mapping[str, Call]:
    """Return what is measured of searches for a part of the names, which read every name."""
    return {
        "a common part of names": _page(search="sweep-1"),
        "a rare part of names": _page(search="are"),
        "no such part of names": _page(search="none"),
        "no such part of names, with a status": _page(search="none", status=["succeeded"]),
    }


def median_ms(db: Database, call: Call, runs: int) -> float:
    """Return the median of some reads, after one that is not counted."""
    db.read(call)
    seconds = []
    for _ in range(runs):
        began = time.perf_counter()
        db.read(call)
        seconds.append(time.perf_counter() - began)
    return round(1000 * statistics.median(seconds), 2)


def fill(db: Database, count: int) -> None:
    """Write the jobs."""
    migrate.upgrade(db)
    for rows in make_jobs(count):
        db.run(lambda session, rows=rows: session.execute(insert(JobRow), rows))
    if not db.is_sqlite:
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))


def measure(db: Database, count: int, runs: int) -> dict[str, float]:
    """Return the median of every list in milliseconds."""
    figures = {what: median_ms(db, call, runs) for what, call in {**lists(count), **searches()}.items()}
    figures["counts by status, for /metrics"] = median_ms(db, repository.count_by_status, 3)
    return figures


def _claim(jobs: int, backend: str, kind: str, figures: Mapping[str, float], bound: float) -> dict[str, Any]:
    """Return the claim about the slowest of some figures."""
    slowest = max(figures, key=lambda what: figures[what])
    return {
        "what": f"the slowest {kind} among {jobs:,} jobs ({backend}): {slowest}, median",
        "measured": figures[slowest],
        "unit": "ms",
        "bound": bound,
        "at_most": True,
    }


def main() -> None:
    """Measure and write results/list_latency.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=200_000)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--database-url", help="of an empty PostgreSQL; default: SQLite in a temporary file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="graftwerk-bench-") as folder:
        db = Database(options.database_url or f"sqlite:///{Path(folder) / 'graftwerk.db'}")
        fill(db, options.jobs)
        figures = measure(db, options.jobs, options.runs)
        db.close()
    backend = db.url.get_backend_name()
    pages = {what: figure for what, figure in figures.items() if what in lists(options.jobs)}
    claims = [
        _claim(options.jobs, backend, "list or claim", pages, BOUND_MS),
        _claim(
            options.jobs, backend, "search for a part of names", {each: figures[each] for each in searches()}, SEARCH_MS
        ),
    ]
    name = "list_latency" if db.is_sqlite else f"list_latency_{backend}"
    write_results(name, {"jobs": options.jobs, "database": backend, "ms": figures}, claims)


if __name__ == "__main__":
    main()
