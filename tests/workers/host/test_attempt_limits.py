"""Real attempts that do not stop when they should, or use more memory than there is, on both databases."""

import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from app import checkpoints
from app.db.session import Database
from app.jobs import service
from app.settings import Settings
from app.storage.protocol import ArtifactStore
from tests.full import choose
from tests.workers.host.attempt_laboratory import LINEAR, Laboratory, spec, wait_until
from tests.workers.host.test_worker import RecordingWaker
from workers.host.attempt import Attempt
from workers.host.worker import Worker
from workers.runner import memory

ENDLESS_STEP: dict[str, Any] = {"kind": "ReLU"}
for _ in range(3):  # a thousand million calls, which need no gradient and so no memory
    ENDLESS_STEP = {"kind": "Repeat", "times": 1000, "body": {"layers": [ENDLESS_STEP]}}
HUGE = [{"kind": "Flatten"}, {"kind": "Linear", "out_features": 2_000_000}, {"kind": "Linear", "out_features": 10}]
GIB = 1 << 30
DATABASES = choose(("sqlite", "postgresql"), "sqlite")  # where the database has no part in what is tested


@pytest.fixture
def start(database: Database, store: ArtifactStore, tmp_path: Path) -> Callable[..., Laboratory]:
    def create(**changes: Any) -> Laboratory:
        settings = Settings(home=tmp_path, slots=1, **({"pause_seconds": 1, "drain_seconds": 1} | changes))
        return Laboratory(database, Worker(settings, database, store, RecordingWaker(), ["default"]))

    return create


@pytest.fixture
def store_location(tmp_path: Path) -> tuple[str, dict[str, Any]]:
    return str(tmp_path / "artifacts"), {}


@pytest.mark.parametrize("database_url", DATABASES, indirect=True)
@pytest.mark.parametrize("verb", ["pause", "drain"])
def test_a_step_that_never_ends_is_ended_and_the_job_goes_on_from_its_checkpoint(
    start: Callable[..., Laboratory], verb: str
) -> None:
    laboratory = start()
    job_id = laboratory.submit(spec())
    with laboratory.attempt():
        laboratory.wait_for_step(120)
        laboratory.processes[0].send_signal(
            signal.SIGSTOP
        )  # as a kernel that hangs: it neither hears nor does anything
        if verb == "pause":
            laboratory.db.run(service.pause, "anna", job_id)
        else:
            laboratory.worker.draining.set()
    job = laboratory.job()
    assert job.status == ("paused" if verb == "pause" else "queued")
    assert job.attempts == 0
    (warning,) = laboratory.events("warning")
    assert warning["code"] == "stopped_by_force"
    saved = laboratory.events("checkpoint")[-1]["step"]
    assert f"goes on from step {saved}" in warning["detail"]
    assert not laboratory.processes[0].is_running()

    laboratory.worker.draining.clear()
    if verb == "pause":
        laboratory.db.run(service.resume, "anna", job_id)
    with laboratory.attempt():
        laboratory.wait_for_step(saved + 10)
        laboratory.db.run(service.pause, "anna", job_id)
    assert laboratory.events("rewound")[-1]["step"] == saved
    assert laboratory.job().status == "paused"
    assert len(laboratory.events("warning")) == 1


@pytest.mark.parametrize("database_url", DATABASES, indirect=True)
def test_loops_without_end_are_ended_too(start: Callable[..., Laboratory]) -> None:
    laboratory = start()
    job_id = laboratory.submit(spec([ENDLESS_STEP, *LINEAR]))
    with laboratory.attempt():
        laboratory.wait_for_phase("training")
        laboratory.db.run(service.pause, "anna", job_id)
    assert laboratory.job().status == "paused"
    (warning,) = laboratory.events("warning")
    assert "goes on from step 0, and 0 steps" in warning["detail"]


@pytest.mark.parametrize("database_url", DATABASES, indirect=True)
@pytest.mark.parametrize("layers", [[ENDLESS_STEP, *LINEAR], LINEAR], ids=["a step without end", "many steps"])
def test_max_seconds_end_a_job_whatever_it_does(start: Callable[..., Laboratory], layers: list[dict[str, Any]]) -> None:
    laboratory = start()
    laboratory.submit(spec(layers, max_seconds=2))
    with laboratory.attempt():
        pass
    job = laboratory.job()
    assert (job.status, (job.error or {})["code"]) == ("failed", "time_limit")


@pytest.fixture
def silent_server() -> Iterator[str]:
    """The address of a server that takes connections, and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize("verb", ["pause", "cancel"])
def test_a_job_that_waits_for_a_download_obeys_at_once(
    start: Callable[..., Laboratory], verb: str, silent_server: str
) -> None:
    secrets = {"s3_access_key_id": "test", "s3_secret_access_key": "test"}
    laboratory = start(pause_seconds=600, artifact_url="s3://bucket", s3_endpoint=silent_server, **secrets)
    job_id = laboratory.submit(spec())
    file = {"name": "state.json", "path": "jobs/stuck", "size": 1, "sha256": "0" * 64, "public": False}
    saved = {"id": "ckpt_1", "step": 7, "epoch": 0.1, "values": {}, "files": [file]}
    laboratory.db.run(lambda session: checkpoints.add(session, job_id, 0, **saved))
    with laboratory.attempt() as thread:
        wait_until(lambda: laboratory.processes[0].net_connections("tcp4"), "a download")
        laboratory.db.run(getattr(service, verb), "anna", job_id)
        thread.join(20)
        assert not thread.is_alive()
    assert laboratory.job().status == {"pause": "paused", "cancel": "cancelled"}[verb]
    assert not laboratory.events("warning")


@pytest.mark.parametrize("memory", [GIB // 4, 0])
def test_an_attempt_that_allocates_more_than_it_may_fails_once(
    start: Callable[..., Laboratory], memory: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own allocation fails: nothing is killed."""
    if not memory:
        monkeypatch.setattr("workers.runner.memory.machine_memory", lambda: GIB // 4)
    laboratory = start(attempt_memory=memory)
    laboratory.submit(spec(HUGE))
    with laboratory.attempt():
        pass
    job = laboratory.job()
    error = job.error or {}
    assert (job.status, error["code"], error["retryable"]) == ("failed", "out_of_memory", False), error
    assert "GiB that it may use" in error["message"]
    assert "batch_size" in error["hint"]
    assert not [each for each in laboratory.events("status") if each["verb"] == "lose"]


def test_an_attempt_that_grows_beyond_its_limit_is_killed_and_fails_once(
    start: Callable[..., Laboratory], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own limit is above that of the worker's watch, as where CUDA would need more addresses than memory."""
    laboratory = start(attempt_memory=8 * GIB)
    laboratory.submit(spec(HUGE))
    job = laboratory.worker._claim()
    assert job is not None
    attempt = Attempt(laboratory.worker, job)
    attempt._memory.limit = GIB // 2
    attempt.run()
    error = laboratory.job().error or {}
    assert (laboratory.job().status, error["code"]) == ("failed", "out_of_memory")
    assert error["message"].startswith("the attempt was ended for its use of memory: the attempt used ")
    assert "of 0.50 GiB" in error["message"]


CGROUP = Path("/sys/fs/cgroup/memory")


@pytest.fixture
def memory_group() -> Iterator[Path]:
    """A control group of memory, where the machine lets a test create one."""
    group = CGROUP / f"graftwerk-test-{os.getpid()}"
    unified = Path("/sys/fs/cgroup") / group.name
    for folder, name in ((group, "memory.limit_in_bytes"), (unified, "memory.max")):
        with suppress(OSError):
            folder.mkdir()
            (folder / name).write_text(str(GIB // 4))
            yield folder
            wait_until(lambda folder=folder: not (folder / "cgroup.procs").read_text().strip(), "an empty group")
            folder.rmdir()
            return
    pytest.skip("this machine lets nobody create control groups of memory")


def test_an_attempt_that_the_kernel_kills_is_out_of_memory_when_attempts_run_out(
    start: Callable[..., Laboratory], memory_group: Path
) -> None:
    laboratory = start(attempt_memory=16 * GIB)
    laboratory.submit(spec(HUGE) | {"retries": 0})
    with laboratory.attempt():
        (memory_group / "cgroup.procs").write_text(str(laboratory.processes[0].pid))
    job = laboratory.job()
    error = job.error or {}
    assert (job.status, error["code"]) == ("failed", "out_of_memory"), error
    assert "kernel" in error["message"]


def test_an_attempt_is_tried_again_if_the_kernel_has_killed_for_want_of_memory_elsewhere(
    start: Callable[..., Laboratory], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The count is of the whole machine: with another service's trouble this job must not fail for good."""
    laboratory = start()
    laboratory.submit(spec())
    with laboratory.attempt():
        laboratory.wait_for_step(1)
        monkeypatch.setattr(memory, "kernel_kills", lambda: 1 << 40)
        laboratory.processes[0].send_signal(signal.SIGKILL)
    assert (laboratory.job().status, laboratory.job().attempts) == ("queued", 1)
    assert laboratory.events("status")[-1]["error"]["code"] == "out_of_memory"


def test_a_loss_for_another_reason_is_tried_again(start: Callable[..., Laboratory]) -> None:
    laboratory = start()
    laboratory.submit(spec())
    with laboratory.attempt():
        laboratory.wait_for_step(1)
        laboratory.processes[0].send_signal(signal.SIGKILL)
    job = laboratory.job()
    assert (job.status, job.attempts) == ("queued", 1)


STREAMED = {"loading": "streamed", "transforms": [{"kind": "RandomHorizontalFlip"}]}


@pytest.mark.parametrize("database_url", DATABASES, indirect=True)
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGSTOP])
def test_the_children_of_an_attempt_end_with_it(start: Callable[..., Laboratory], end: signal.Signals) -> None:
    """Also if a child hangs, which no longer sees that its parent is gone."""
    laboratory = start(loaders=2)
    job_id = laboratory.submit(spec() | {"data": {"kind": "builtin", "name": "digits"} | STREAMED})
    with laboratory.attempt():
        laboratory.wait_for_step(1)
        children = laboratory.processes[0].children()
        assert len(children) == 2
        children[0].send_signal(signal.SIGSTOP)
        laboratory.processes[0].send_signal(end)
        laboratory.db.run(service.pause, "anna", job_id)
    wait_until(lambda: not any(each.is_running() and each.status() != "zombie" for each in children), "the end of all")
