"""Whatever dies: the job ends, once, with the weights of a run that nobody disturbed."""

import hashlib
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from tests.acceptance.conftest import SLOTS
from tests.acceptance.service import ServiceProcess, digits_spec, leftover_files, wait_until

PLAN: dict[str, Any] = {"epochs": 40, "checkpoint": {"every_steps": 40, "every_seconds": None}}


def weights_hash(service: ServiceProcess, job_id: str) -> str:
    with service.http as http:
        answer = http.get(f"/v1/jobs/{job_id}/weights", params={"which": "latest"}).raise_for_status()
    return hashlib.sha256(answer.content).hexdigest()


def training_processes(service: ServiceProcess) -> list[psutil.Process]:
    """Return the running attempts: they have the command line of the fork server, and a name of their own."""
    return [process for process in service.processes("app.forkserver") if name_of(process) == "attempt"]


def name_of(process: psutil.Process) -> str:
    with suppress(psutil.NoSuchProcess):
        return process.name()
    return ""


def steps(service: ServiceProcess, job: dict[str, Any]) -> list[int]:
    with service.http as http:
        rows = http.get(job["urls"]["metrics"], headers={"Accept": "text/csv"}, params={"names": "train/loss"}).text
    return [int(line.split(",")[1]) for line in rows.strip().splitlines()[1:]]


def test_a_killed_runner_and_a_killed_worker_change_nothing(service: ServiceProcess) -> None:
    undisturbed = service.wait(service.submit(digits_spec(**PLAN))["id"])
    assert undisturbed["status"] == "succeeded", undisturbed["error"]

    job_id = service.submit(digits_spec(**PLAN))["id"]
    service.wait_for_step(job_id, step=100)
    killed = set(training_processes(service))
    for process in killed:
        process.send_signal(signal.SIGKILL)
    wait_until(lambda: set(training_processes(service)) - killed, "another attempt", 10)

    for process in service.processes("-m workers"):
        process.send_signal(signal.SIGKILL)
    job = service.wait(job_id, seconds=90)

    assert job["status"] == "succeeded", job["error"]
    assert weights_hash(service, job_id) == weights_hash(service, undisturbed["id"])
    assert steps(service, job) == list(range(1, job["progress"]["total_steps"] + 1))
    assert [move["verb"] for move in job["transitions"]].count("claim") == 3
    wait_until(lambda: not training_processes(service), "the end of every attempt", 5)


def test_stopping_the_service_loses_no_step_and_leaves_no_file(service: ServiceProcess, scratch: Path) -> None:
    job_id = service.submit(digits_spec(epochs=200, checkpoint={"every_steps": 10**6, "every_seconds": None}))["id"]
    service.wait_for_step(job_id, step=50)
    assert service.stop() == 0, service.log
    assert leftover_files(scratch) == []
    service.start(*SLOTS)
    job = service.wait(job_id)
    assert job["status"] == "succeeded", job["error"]
    assert [move["verb"] for move in job["transitions"]] == ["claim", "release", "claim", "succeed"]
    with service.http as http:
        listed = http.get(f"/v1/jobs/{job_id}/events", params={"limit": 1000}).json()["items"]
    resumed = [event["data"]["step"] for event in listed if event["kind"] == "rewound"]
    assert resumed[0] == 0
    assert resumed[1] >= 50


def test_a_job_outlives_its_broker_and_jobs_are_accepted_without_one(service: ServiceProcess) -> None:
    job_id = service.submit(digits_spec(epochs=120))["id"]
    service.wait_for_step(job_id)
    brokers = service.brokers()
    assert brokers, [process.cmdline() for process in service.processes()]
    for broker in brokers:
        broker.send_signal(signal.SIGKILL)
    second = service.submit(digits_spec(epochs=1))["id"]
    assert service.wait(job_id)["status"] == "succeeded"
    assert service.wait(second)["status"] == "succeeded"
