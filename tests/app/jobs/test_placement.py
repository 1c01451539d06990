"""Jobs wait for a worker that can run them, and their submission says so, on both databases."""

from typing import Any

import pytest
from sqlalchemy.orm import Session

from app import heartbeat
from app.db.session import Database
from app.db.tables import JobRow
from app.heartbeat import WorkerState
from app.jobs import queue, repository, service
from app.jobs.placement import device_needs, placement_warnings
from app.spec.job import parse_job

SPEC: dict[str, Any] = {
    "model": {"layers": [{"kind": "Linear", "out_features": 3}]},
    "data": {"kind": "builtin", "name": "iris"},
    "objective": {"loss": {"kind": "CrossEntropyLoss"}},
}
CPU, CUDA, MPS = ("cpu",), ("cuda", "cpu"), ("mps", "cpu")
MAIN = {"queue": "main"}
# What a job says → the fields for which it needs a device, and the devices on which it runs.
NEEDS: list[tuple[dict[str, Any], list[str], tuple[tuple[str, ...], ...]]] = [
    ({}, [], (CPU, CUDA, MPS)),
    ({"training": {"device": "cpu"}}, [], (CPU, CUDA, MPS)),
    ({"training": {"precision": "bf16"}}, [], (CPU, CUDA, MPS)),
    ({"training": {"device": "cuda"}}, ["/training/device"], (CUDA,)),
    ({"training": {"device": "mps"}}, ["/training/device"], (MPS,)),
    ({"training": {"precision": "fp16"}}, ["/training/precision"], (CUDA, MPS)),
    ({"training": {"precision": "fp16", "device": "cuda"}}, ["/training/device"], (CUDA,)),
    ({"resources": {"gpus": 1}}, ["/resources/gpus"], (CUDA,)),
]


def submit(database: Database, **parts: Any) -> str:
    spec = SPEC | parts | {"resources": MAIN | parts.get("resources", {})}
    documents: dict[str, Any] = {"data_schema": {}, "inspection": {}, "labels": {}}
    return database.run(
        repository.insert, owner="anna", name="job", spec=spec, queue="main", priority=0, **documents
    ).id


def beat(database: Database, devices: tuple[str, ...] | None, queues: tuple[str, ...] = ("main",)) -> None:
    figures = {} if devices is None else {"devices": list(devices)}
    database.run(heartbeat.record_heartbeat, "w1", list(queues), 1, WorkerState("0.1", 1, 0.0, figures))


def hold(database: Database, job_id: str) -> queue.Hold | None:
    def unit(session: Session) -> queue.Hold | None:
        return queue.queue_position(session, session.get_one(JobRow, job_id)).held_by

    return database.read(unit)


@pytest.mark.parametrize(("parts", "pointers", "runs"), NEEDS)
def test_a_job_is_claimed_where_it_runs_and_waits_elsewhere(
    database: Database, parts: dict[str, Any], pointers: list[str], runs: tuple[tuple[str, ...], ...]
) -> None:
    job = parse_job(SPEC | parts)
    assert [need.pointer for need in device_needs(job)] == pointers
    job_id = submit(database, **parts)
    for devices in (CPU, CUDA, MPS):
        beat(database, devices)
        found = database.read(placement_warnings, job, "main")
        assert [(each.pointer, each.code) for each in found] == (
            [] if devices in runs else [(pointer, "no_device") for pointer in pointers]
        )
        assert hold(database, job_id) == (None if devices in runs else queue.Hold.NO_DEVICE)
        assert database.read(queue.has_claimable_job, ["main"], 0, devices) == (devices in runs)
    beat(database, None)  # of an older version: it may have one
    assert (database.read(placement_warnings, job, "main"), hold(database, job_id)) == ([], None)
    assert database.run(repository.claim, ["main"], "w1", 30.0, 0, runs[0]) is not None


def test_a_job_that_must_wait_does_not_keep_others_waiting(database: Database) -> None:
    submit(database, training={"device": "cuda"})
    second = submit(database)
    claimed = database.run(repository.claim, ["main"], "w1", 30.0, 0, CPU)
    assert claimed is not None
    assert claimed.id == second
    assert database.run(repository.claim, ["main"], "w1", 30.0, 0, CPU) is None


@pytest.mark.parametrize(
    ("parts", "pointer"),
    [
        ({}, "/resources/queue"),
        ({"resources": {"queue": "night"}}, "/resources/queue"),
        ({"training": {"device": "cuda"}}, "/training/device"),
        ({"resources": {"gpus": 1}}, "/resources/gpus"),
    ],
)
def test_a_queue_that_nobody_serves_is_told_at_what_chose_it(
    database: Database, parts: dict[str, Any], pointer: str
) -> None:
    job = parse_job(SPEC | parts)
    chosen = service.select_queue(job)
    (nobody,) = database.read(placement_warnings, job, chosen)
    assert (nobody.pointer, nobody.code, nobody.hint) == (pointer, "no_worker", "start a worker")
    beat(database, CPU, ("other", "main"))
    (warning,) = database.read(placement_warnings, job, chosen)
    assert (warning.pointer, warning.hint) == (pointer, "name another queue: main, other")
    beat(database, CUDA, (chosen,))
    assert database.read(placement_warnings, job, chosen) == []
