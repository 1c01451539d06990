"""What an attempt says becomes rows, under its fence only, on both databases."""

from dataclasses import replace
from typing import Any

import pytest

from app import checkpoints, curves, events, statistics
from app.db.session import Database
from app.errors import StaleFence
from app.jobs import repository, service
from app.settings import Settings
from workers.host.persist import record
from workers.protocol.messages import (
    Ending,
    JobMessage,
    Outcome,
    ProgressReport,
    SavedCheckpoint,
    SavedFile,
    SeriesPoints,
    StatisticsSample,
)

SETTINGS = Settings()
ERROR = {"code": "runner_died", "message": "exit code -9", "pointer": "", "retryable": True}


@pytest.fixture
def job_id(database: Database) -> str:
    values: dict[str, Any] = {
        "owner": "anna",
        "name": "job",
        "spec": {"retries": 3},
        "data_schema": {},
        "inspection": {},
        "labels": {},
        "queue": "default",
        "priority": 0,
    }
    job = database.run(repository.insert, **values)
    database.run(repository.claim, ["default"], "w1", 30.0)
    return job.id


def block(first: int, last: int) -> SeriesPoints:
    steps = list(range(first, last))
    return SeriesPoints(
        steps, [1.0 / step for step in steps], [1e9 + step for step in steps], [0.1 * step for step in steps]
    )


def write(database: Database, job_id: str, message: JobMessage, fence: int = 1) -> None:
    database.run(record, fence, replace(message, job_id=job_id), SETTINGS)


def stored(database: Database, job_id: str) -> list[int]:
    return [int(step) for step in database.run(curves.read_points, job_id, "train/loss")["step"]]


def test_points_are_stored_once_even_if_a_report_is_written_twice(database: Database, job_id: str) -> None:
    report = ProgressReport(phase="training", progress={"step": 9}, series={"train/loss": block(1, 10)})
    write(database, job_id, report)
    write(database, job_id, report)  # as after a commit whose answer was lost
    write(database, job_id, ProgressReport(series={"train/loss": block(10, 20)}))
    assert stored(database, job_id) == list(range(1, 20))
    job = database.run(repository.find, "anna", job_id)
    assert (job.phase, job.progress) == ("training", {"step": 9})


def test_warnings_about_the_spec_stay_with_the_job_once(database: Database, job_id: str) -> None:
    about_spec = {"pointer": "/objective/metrics/0", "code": "undefined_metric", "detail": "one class", "hint": ""}
    about_disk = {"code": "storage_full", "detail": "no room", "hint": ""}
    for _ in range(2):  # two attempts
        write(database, job_id, ProgressReport(events=(("warning", about_spec), ("warning", about_disk))))
    assert database.run(repository.find, "anna", job_id).inspection == {"warnings": [about_spec]}
    assert [row.kind for row in database.run(events.list_events, job_id, 0, 10)].count("warning") == 4


def test_a_rewind_drops_the_points_after_the_checkpoint(database: Database, job_id: str) -> None:
    write(database, job_id, ProgressReport(series={"train/loss": block(1, 30)}))
    write(database, job_id, ProgressReport(events=(("rewound", {"step": 12, "checkpoint": "ckpt_1"}),)))
    assert stored(database, job_id) == list(range(1, 13))
    write(database, job_id, ProgressReport(series={"train/loss": block(13, 15)}))
    assert stored(database, job_id) == list(range(1, 15))
    kinds = [row.kind for row in database.run(events.list_events, job_id, 0, 100)]
    assert kinds == ["created", "status", "metrics", "rewound", "metrics"]


def test_an_event_says_that_there_are_new_samples(database: Database, job_id: str) -> None:
    samples = tuple(StatisticsSample(step, "x", [1.0], [("linear1", "grad_norm")], []) for step in (10, 20))
    write(database, job_id, ProgressReport(series={"train/loss": block(1, 21)}, statistics=samples))
    write(database, job_id, ProgressReport(series={"train/loss": block(21, 30)}))
    listed = database.run(events.list_events, job_id, 0, 10)
    told = [row.data.get("statistics") for row in listed if row.kind == "metrics"]
    assert told == [20, None]
    assert database.read(statistics.extent, job_id) == (2, 20)


def test_a_checkpoint_is_listed_once(database: Database, job_id: str) -> None:
    saved = SavedCheckpoint(
        "ckpt_" + "0" * 32, 5, 0.5, {"val/loss": 0.1}, (SavedFile("model.py", "jobs/a", 1, "00", True),)
    )
    write(database, job_id, saved)
    write(database, job_id, saved)
    assert [row.id for row in database.run(checkpoints.list_checkpoints, job_id)] == [saved.id]


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (Outcome(Ending.SUCCEEDED, result={"step": 3}), "succeeded"),
        (Outcome(Ending.CANCELLED), "cancelled"),
        (Outcome(Ending.PAUSED), "paused"),
        (Outcome(Ending.RELEASED), "queued"),
        (Outcome(Ending.LOST, error=ERROR), "queued"),
        (Outcome(Ending.FAILED, error=ERROR), "failed"),
    ],
)
def test_every_ending_leads_to_its_status(database: Database, job_id: str, outcome: Outcome, status: str) -> None:
    if outcome.ending == Ending.PAUSED:
        database.run(service.pause, "anna", job_id)
    write(database, job_id, outcome)
    assert database.run(repository.find, "anna", job_id).status == status
    with pytest.raises(StaleFence):  # and is recorded once
        write(database, job_id, outcome)


def test_a_superseded_attempt_writes_nothing(database: Database, job_id: str) -> None:
    write(database, job_id, Outcome(Ending.RELEASED))
    database.run(repository.claim, ["default"], "w2", 30.0)
    before = database.run(repository.find, "anna", job_id).last_seq
    for message in (
        ProgressReport(series={"train/loss": block(1, 3)}),
        ProgressReport(phase="x"),
        Outcome(Ending.SUCCEEDED),
    ):
        with pytest.raises(StaleFence):
            write(database, job_id, message)
    assert stored(database, job_id) == []
    assert database.run(repository.find, "anna", job_id).last_seq == before
