"""Workers over HTTP, and the metrics of them and of jobs."""

from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import update
from sqlalchemy.orm import Session

from app import heartbeat
from app.api.prometheus import PROMETHEUS_METRICS
from app.db.session import Database
from app.db.tables import JobRow, WorkerRow, now
from app.heartbeat import WorkerState
from app.jobs.states import Status
from tests.app.api.client import Api, Client
from tests.app.api.conftest import StartApp
from tests.app.api.job_factories import create_job_in_status

FIGURES_TOLD: dict[str, Any] = {
    "attempts": {"succeeded": {"": 3}, "lost": {"runner_died": 2, "worker_lost": 1}},
    "checkpoints": {"count": 4, "bytes": 5000, "seconds": 0.25},
    "wake_ups": {"sent": 7, "dropped": 1},
    "disk_free": 123,
}


def beat(database: Database, name: str, *, deaf: float = 0.0, ago: float = 0.0, stopped: bool = False) -> None:
    database.run(heartbeat.record_heartbeat, name, ["default", "slow"], 4, WorkerState("0.1", 1, deaf, FIGURES_TOLD))
    if stopped:
        database.run(heartbeat.mark_stopped, name)
    change(database, WorkerRow, WorkerRow.name == name, seen_at=now() - ago)


def change(database: Database, table: type[Any], where: Any, **values: Any) -> None:
    def unit(session: Session) -> None:
        session.execute(update(table).where(where).values(values))

    database.run(unit)


def scrape(api: Api) -> dict[tuple[str, tuple[str, ...]], float]:
    """Return what /metrics says: by name and values of labels, which come in the order of their names."""
    text = api.client(None).get("/metrics").text
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_workers_are_listed_with_their_states(api: Api, anna: Client) -> None:
    assert anna.get("/v1/workers").json()["items"] == []
    db = api.services.db
    beat(db, "a:1")
    beat(db, "b:1", deaf=100)
    beat(db, "c:1", ago=100)
    beat(db, "d:1", ago=100, stopped=True)
    db.run(heartbeat.record_heartbeat, "e:1", ["default"], 1)  # of an older version
    page = anna.get("/v1/workers").json()
    assert {item["name"]: item["state"] for item in page["items"]} == {
        "a:1": "listening",
        "b:1": "deaf",
        "c:1": "silent",
        "d:1": "stopped",
        "e:1": "listening",
    }
    assert page["items"][0].items() >= {"slots": 4, "free": 1, "queues": ["default", "slow"], "version": "0.1"}.items()
    assert abs(page["clock_skew_seconds"]) < 5


def test_figures_of_jobs_and_queues(api: Api) -> None:
    db = api.services.db
    old = create_job_in_status(db, Status.QUEUED)
    create_job_in_status(db, Status.QUEUED)
    running = create_job_in_status(db, Status.RUNNING)
    change(db, JobRow, JobRow.id == old, queued_at=now() - 600)
    lease = api.services.settings.lease_seconds
    change(db, JobRow, JobRow.id == running, progress={"rate": 12.5}, lease_until=now() + lease - 8)
    beat(db, "a:1")
    found = scrape(api)
    assert found["graftwerk_queue_depth", ("default",)] == 2
    assert 600 <= found["graftwerk_queue_oldest_seconds", ("default",)] < 700
    assert (found["graftwerk_queue_depth", ("slow",)], found["graftwerk_queue_workers", ("slow",)]) == (0, 1)
    assert found["graftwerk_steps_per_second", ()] == 12.5
    assert 8 <= found["graftwerk_lease_age_seconds", ()] < 30
    assert found["graftwerk_uploads", ()] == found["graftwerk_streams", ()] == 0
    assert found["graftwerk_disk_free_bytes", ("api",)] > 0


def test_figures_of_workers(api: Api) -> None:
    db = api.services.db
    beat(db, "a:1", deaf=3)
    beat(db, "b:1", stopped=True)
    found = scrape(api)
    assert (found["graftwerk_worker_slots", ("free", "a:1")], found["graftwerk_worker_slots", ("used", "a:1")]) == (
        1,
        3,
    )
    assert found["graftwerk_worker_deaf_seconds", ("a:1",)] == 3
    assert found["graftwerk_worker_seen_seconds", ("a:1",)] < 60
    assert found["graftwerk_attempts_total", ("runner_died", "lost", "a:1")] == 2
    assert found["graftwerk_checkpoint_bytes_total", ("a:1",)] == 5000
    assert found["graftwerk_wake_ups_total", ("a:1", "dropped")] == 1
    assert found["graftwerk_disk_free_bytes", ("a:1",)] == 123
    assert found["graftwerk_attempts_total", ("", "succeeded", "b:1")] == 3  # what it counted stays for an hour
    assert ("graftwerk_worker_slots", ("free", "b:1")) not in found


def test_every_figure_is_told(api: Api) -> None:
    create_job_in_status(api.services.db, Status.QUEUED)
    beat(api.services.db, "a:1")
    names = {name.removesuffix("_total") for name, _ in scrape(api)}
    assert set(PROMETHEUS_METRICS) <= names
    assert {name for name in names if name.startswith("graftwerk_") and "_http_" not in name} == set(PROMETHEUS_METRICS)


def test_the_database_is_asked_once_in_some_seconds(api: Api) -> None:
    assert scrape(api)["graftwerk_jobs", ("queued",)] == 0
    create_job_in_status(api.services.db, Status.QUEUED)
    assert scrape(api)["graftwerk_jobs", ("queued",)] == 0


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_with_the_database_away_it_tells_of_itself_alone(serve: StartApp) -> None:
    nowhere = Database("postgresql+psycopg://nobody@127.0.0.1:1/none")
    found = scrape(serve(other={"db": nowhere}))
    assert found["graftwerk_wake_ups_total", ("api", "dropped")] >= 0
    assert found["graftwerk_database_connections", ("limit",)] == 20
    assert not [name for name, _ in found if name.startswith(("graftwerk_jobs", "graftwerk_queue"))]
    nowhere.close()
