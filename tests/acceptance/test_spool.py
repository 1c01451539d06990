"""What killed processes leave behind, and who may read what a service writes. With real processes, killed for real."""

import os
import signal
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.acceptance.service import ServiceProcess, digits_spec, wait_until
from tests.acceptance.test_crashes import training_processes

CSV = b"a,b,kind\n" + b"".join(b"%d,%d,%s\n" % (n, n % 7, b"xy"[n % 2 : n % 2 + 1]) for n in range(200))
START_SECONDS = 180.0  # torch, four times, on a machine that does much else
LONG = {"epochs": 500, "checkpoint": {"every_steps": 20, "every_seconds": None}}
LIMITS = {"GRAFTWERK_IDLE_SECONDS": "3", "GRAFTWERK_BODY_RATE": "1000", "GRAFTWERK_MAX_UPLOADS": "4"}


@pytest.fixture(scope="module")
def own_service() -> Iterator[ServiceProcess]:
    """A service of these tests' own, with a home short enough for sockets, under umask 022. The last one kills it."""
    before = os.umask(0o022)
    with tempfile.TemporaryDirectory(prefix="gw-", dir="/tmp") as folder:
        scratch = Path(folder) / "tmp"
        scratch.mkdir()
        service = ServiceProcess(Path(folder) / "home", environment={"TMPDIR": str(scratch)} | LIMITS)
        service.start("--slots", "1", seconds=START_SECONDS)
        yield service
        if service.process is not None and service.process.poll() is None:
            service.process.kill()
            service.process.wait()
        with suppress(subprocess.TimeoutExpired):
            wait_until(lambda: not processes_in(Path(folder)), "the end of all processes", 20)
    os.umask(before)


def processes_in(folder: Path) -> list[str]:
    """Return the processes that work in the folder."""
    found = []
    for link in Path("/proc").glob("[0-9]*/cwd"):
        with suppress(OSError):
            if str(link.readlink()).startswith(str(folder)):
                found.append(link.parent.name)
    return found


def owned(service: ServiceProcess) -> set[str]:
    """Return the folders in the spool."""
    return {path.name for path in (service.home / "spool").iterdir() if path.is_dir()}


def register(service: ServiceProcess) -> str:
    with service.http as http:
        source = {"kind": "upload", "file": "rows.csv"}
        answer = http.post("/v1/datasets", json={"name": "rows", "source": source}).raise_for_status()
        return str(answer.json()["id"])


def trickle(service: ServiceProcess, dataset: str) -> socket.socket:
    """Begin to send content, and never end."""
    connection = socket.create_connection(("127.0.0.1", service.port))
    key = (service.home / "key").read_text().strip()
    head = f"PUT /v1/datasets/{dataset}/content HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
    connection.sendall(f"{head}Content-Length: 1000000\r\n\r\na,b\n".encode())
    return connection


def kill_in_the_middle(service: ServiceProcess) -> tuple[str, set[str]]:
    """Kill everything while a job trains and content arrives; return the job, and what lies in the spool."""
    job = service.submit(digits_spec(**LONG))["id"]
    connection = trickle(service, register(service))
    service.wait_for_step(job, 30)
    files = service.home / "spool"
    wait_until(lambda: list(files.glob("api-*/upload-*/piece")), "an upload")
    assert list(files.glob("worker-*/attempt-*"))
    left = owned(service)
    assert service.process is not None
    programs = [*service.processes("-m app.api"), *service.processes("-m workers")]
    for process in programs:
        process.send_signal(signal.SIGKILL)
    service.process.kill()
    service.process.wait()
    connection.close()
    return job, left


def test_a_killed_attempt_leaves_nothing(own_service: ServiceProcess) -> None:
    job = own_service.submit(digits_spec(**LONG))["id"]
    own_service.wait_for_step(job, 30)
    spool = own_service.home / "spool"
    (before,) = spool.glob("worker-*/attempt-*")
    attempts = training_processes(own_service)
    assert attempts
    for process in attempts:
        process.kill()
    wait_until(lambda: not before.exists(), "the removal", 20)
    with own_service.http as http:
        http.post(f"/v1/jobs/{job}/cancel").raise_for_status()
    own_service.wait(job)


def test_a_service_is_private_whatever_the_umask(own_service: ServiceProcess) -> None:
    """Of a real job and all that may be asked of it: files 0600, folders 0700, sockets for their owner."""
    dataset = register(own_service)
    with own_service.http as http:
        http.put(f"/v1/datasets/{dataset}/content", content=CSV).raise_for_status()
        job = own_service.submit(digits_spec())["id"]
        assert own_service.wait(job)["status"] == "succeeded"
        checkpoint = http.get(f"/v1/jobs/{job}/checkpoints").raise_for_status().json()["items"][0]["id"]
        http.get(f"/v1/checkpoints/{checkpoint}/exports/bundle", timeout=120).raise_for_status()
        rows = {"rows": [{"image": [[0.0] * 8] * 8}]}
        http.post(f"/v1/jobs/{job}/predict", json=rows, timeout=60)
    walked = [own_service.home, *own_service.home.rglob("*")]
    open_to_others = {str(path): oct(mode) for path in walked if (mode := stat.S_IMODE(path.lstat().st_mode)) & 0o077}
    links = {str(path) for path in walked if path.is_symlink()}
    assert set(open_to_others) <= links
    names = {path.name for path in walked}
    assert {"graftwerk.db", "graftwerk.db-wal", "artifacts", "spool", "key", "lock", "bundle.zip"} <= names
    others = {path.name for path in walked if path.is_file() and stat.S_IMODE(path.stat().st_mode) != 0o600}
    assert others == set()


def test_trickling_uploads_are_ended_and_lock_nobody_out(own_service: ServiceProcess) -> None:
    """Four places for uploads; four that trickle with one key. Whoever else uploads has a place, or one soon."""
    with own_service.http as http:
        other = http.post("/v1/keys", json={"name": "other", "scopes": ["read", "write"]}).raise_for_status().json()
        dataset = register(own_service)
        connections = [trickle(own_service, register(own_service)) for _ in range(4)]
        began = time.monotonic()
        headers = {"Authorization": f"Bearer {other['token']}"}

        def is_taken() -> bool:
            answer = http.put(f"/v1/datasets/{dataset}/content", content=CSV, headers=headers)
            assert answer.status_code in (200, 503), answer.text
            return answer.status_code == 200

        wait_until(is_taken, "an upload", 20)
        assert time.monotonic() - began < 20
        for connection in connections:
            connection.settimeout(20)
            answer = connection.makefile("rb").read()
            assert answer.startswith(b"HTTP/1.1 408 ") or b" 503 " in answer.splitlines()[0]
            assert b"body_timeout" in answer or b"overloaded" in answer
            connection.close()
    assert httpx.get(f"{own_service.url}/livez").is_success


def test_what_killed_processes_left_is_removed_at_the_next_start(own_service: ServiceProcess) -> None:
    job, left = kill_in_the_middle(own_service)
    assert owned(own_service) == left
    assert len(left) == 2
    own_service.start("--slots", "1", seconds=START_SECONDS)
    wait_until(lambda: not owned(own_service) & left, "the removal", 30)
    own_service.wait_for_step(job, 60)
    assert {name.partition("-")[0] for name in owned(own_service)} == {"api", "worker"}
    with own_service.http as http:
        http.post(f"/v1/jobs/{job}/cancel").raise_for_status()
    own_service.wait(job)
    assert own_service.stop() == 0, own_service.log
    assert owned(own_service) == set()
    assert not (own_service.home / "broker").exists()
    assert list(Path(own_service.environment["TMPDIR"]).iterdir()) == []
