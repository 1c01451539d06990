"""Whatever lies in the broker: a real worker on a real Valkey drops it, says so, and goes on."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from app.db.session import Database
from app.jobs import repository
from app.jobs.dispatch import Waker
from app.jobs.states import Status
from graftwerk.supervise.broker import EmbeddedBroker
from tests.acceptance.broker_messages import malformed_messages
from tests.acceptance.service import wait_until
from tests.app.api.job_factories import create_queued_job
from tests.full import choose
from workers.runner.forkserver import SERVER_MODULE

StartWorker = Callable[..., subprocess.Popen[bytes]]
NEVER = "3600"  # seconds between looking for jobs without a wake-up


@pytest.fixture
def database_url(migrated_file: Path, tmp_path: Path) -> str:
    (tmp_path / "graftwerk.db").write_bytes(migrated_file.read_bytes())
    return f"sqlite:///{tmp_path / 'graftwerk.db'}"


@pytest.fixture(scope="module")
def fork_server() -> Iterator[Path]:
    """One for all workers, which each would import torch otherwise."""
    with tempfile.TemporaryDirectory(prefix="gw-", dir="/tmp") as folder:  # a path short enough for a socket
        address = Path(folder, "forks.sock")
        process = subprocess.Popen([sys.executable, "-m", "app.forkserver", str(address), SERVER_MODULE])
        yield address
        process.kill()
        process.wait(20)


@pytest.fixture
def start(database: Database, broker: EmbeddedBroker, fork_server: Path, tmp_path: Path) -> Iterator[StartWorker]:
    """Starts workers that look for jobs only when they are woken, and returns once they are ready."""
    started: list[subprocess.Popen[bytes]] = []

    def run(code: str = "from workers.__main__ import main; import sys; sys.exit(main())") -> subprocess.Popen[bytes]:
        settings = {
            "HOME": str(tmp_path), "DATABASE_URL": str(database.url), "BROKER_URL": broker.url, "SLOTS": "1",
            "SWEEP_SECONDS": NEVER, "DRAIN_SECONDS": "1", "LOG_JSON": "true", "FORK_SERVER": str(fork_server),
        }  # fmt: skip
        environment = os.environ | {f"GRAFTWERK_{name}": value for name, value in settings.items()}
        with (tmp_path / "log").open("ab") as log:
            started.append(subprocess.Popen([sys.executable, "-c", code], env=environment, stderr=log, stdout=log))
        wait_until(lambda: "worker_ready" in events(tmp_path) or started[-1].poll() is not None, "a start", 120)
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.wait(20)


def events(folder: Path) -> list[str]:
    lines = (folder / "log").read_text(errors="replace").splitlines()
    return [json.loads(line)["event"] for line in lines if line.startswith("{") and line.endswith("}")]


def is_claimed(database: Database, job_id: str) -> bool:
    return database.read(repository.find, "anna", job_id).status != Status.QUEUED


def test_no_message_ends_a_worker(
    database: Database, broker: EmbeddedBroker, start: StartWorker, tmp_path: Path
) -> None:
    worker, link = start(), redis.Redis(unix_socket_path=str(broker.socket))
    messages = malformed_messages(tmp_path / "bomb")
    for name, message in messages.items():
        link.lpush("default", message)
        wait_until(lambda: link.llen("default") == 0 or worker.poll() is not None, f"taking {name}", 30)
        assert worker.poll() is None, name
    job_id = create_queued_job(database)
    with Waker(broker.url) as waker:
        waker.wake("default")
    wait_until(lambda: is_claimed(database, job_id), "a claim after a wake-up", 30)
    assert worker.poll() is None
    assert not (tmp_path / "bomb").exists()
    assert events(tmp_path).count("message_dropped") >= 20  # the others name the task, and are wake-ups
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(60) == 0


READY = """
import os, sys
from celery.signals import worker_ready
from celery.worker import state
from kombu.transport import redis
from workers.__main__ import main

ended = False

def once(channel, *_, **__):
    global ended
    if not ended:
        ended = True
        {statement}
    return real(channel)

@worker_ready.connect(weak=False)
def arm(**_):
    redis.Channel._brpop_start = once

real = redis.Channel._brpop_start
sys.exit(main())
"""
ENDS = {
    "an error that nothing expects": "raise RuntimeError('x')",
    "an exit that says success": "sys.exit(0)",
    "an exit without a code": "raise SystemExit",
    "an interrupt from inside": "raise KeyboardInterrupt",
    "a stop that nobody asked for": "state.should_stop = 0",
    "a termination that nobody asked for": "state.should_terminate = 0",
    "an abrupt exit": "os._exit(3)",
    "memory that is short": "raise MemoryError",
}


@pytest.mark.parametrize(
    "how", choose(ENDS, "an error that nothing expects", "an exit that says success", "a stop that nobody asked for")
)
def test_a_worker_that_ends_without_being_told_to_says_so_by_its_exit_code(
    start: StartWorker, tmp_path: Path, how: str
) -> None:
    worker = start(READY.format(statement=ENDS[how]))
    assert worker.wait(60) not in (0, None), (tmp_path / "log").read_text()
