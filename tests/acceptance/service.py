"""Real processes: `graftwerk up` with its API, its Celery worker and its Valkey, driven over HTTP."""

import os
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

TIMEOUT_SECONDS = 60.0
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # services speak HTTP: no client need read all certificates
TERMINAL_STATUSES = ("succeeded", "failed", "cancelled")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], Any], what: str, seconds: float = TIMEOUT_SECONDS) -> Any:
    """Return the first true value of `condition`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"{what} did not happen within {seconds:g} s")


def matching_processes(processes: Iterable[psutil.Process], *words: str) -> list[psutil.Process]:
    """Return the processes whose command line has all the words."""
    matches = []
    for process in processes:
        try:
            line = " ".join(process.cmdline())
        except psutil.Error:
            continue
        if all(word in line for word in words):
            matches.append(process)
    return matches


@dataclass
class ServiceProcess:
    """A running service and the ways a test looks at it."""

    home: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def log(self) -> str:
        return (self.home.parent / f"{self.home.name}.log").read_text()

    def start(self, *options: str, seconds: float = TIMEOUT_SECONDS) -> None:
        command = [sys.executable, "-m", "graftwerk", "up", "--home", str(self.home), "--port", str(self.port)]
        environment = os.environ | {"GRAFTWERK_LEASE_SECONDS": "4", "GRAFTWERK_SWEEP_SECONDS": "0.5"} | self.environment
        with (self.home.parent / f"{self.home.name}.log").open("ab") as log:
            self.process = subprocess.Popen([*command, *options], env=environment, stdout=log, stderr=log)
        wait_until(self.is_ready, "readiness", seconds)

    def is_ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log
        try:
            return (self.home / "key").exists() and httpx.get(f"{self.url}/readyz", verify=NO_TLS).is_success
        except httpx.TransportError:
            return False

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=40)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def http(self) -> httpx.Client:
        key = (self.home / "key").read_text().strip()
        headers = {"Authorization": f"Bearer {key}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30, verify=NO_TLS)

    def submit(self, spec: dict[str, Any], **headers: str) -> dict[str, Any]:
        with self.http as http:
            answer = http.post("/v1/jobs", json=spec, headers=headers)
        assert answer.status_code == 201, answer.text
        return answer.json()  # type: ignore[no-any-return]

    def job(self, job_id: str) -> dict[str, Any]:
        with self.http as http:
            return http.get(f"/v1/jobs/{job_id}").raise_for_status().json()  # type: ignore[no-any-return]

    def wait(self, job_id: str, *statuses: str, seconds: float = TIMEOUT_SECONDS) -> dict[str, Any]:
        expected = statuses or TERMINAL_STATUSES
        return wait_until(lambda: (job := self.job(job_id))["status"] in expected and job, f"{expected}", seconds)  # type: ignore[no-any-return]

    def resume(self, *options: str) -> None:
        """Start the service if a test has stopped it."""
        if self.process is None or self.process.poll() is not None:
            self.start(*options)

    def cancel_all(self) -> None:
        """Cancel what a test has left unfinished."""
        with self.http as http:
            for job in http.get("/v1/jobs", params={"limit": 1000}).raise_for_status().json()["items"]:
                if job["status"] not in TERMINAL_STATUSES:
                    http.post(f"/v1/jobs/{job['id']}/cancel")

    def wait_for_step(self, job_id: str, step: int = 1) -> dict[str, Any]:
        """Wait until the job has trained some steps."""
        return wait_until(lambda: (job := self.job(job_id))["progress"].get("step", 0) >= step and job, f"step {step}")  # type: ignore[no-any-return]

    def processes(self, *words: str) -> list[psutil.Process]:
        """Return the service's processes whose command line has all the words."""
        assert self.process is not None
        return matching_processes(psutil.Process(self.process.pid).children(recursive=True), *words)

    def brokers(self) -> list[psutil.Process]:
        """Return the broker's processes, whichever program it is."""
        return self.processes("valkey-server") or self.processes("redis-server")


@contextmanager
def running_service(home: Path, *options: str) -> Iterator[ServiceProcess]:
    """Run a service that ends without an error, and leaves no temporary file."""
    with tempfile.TemporaryDirectory(prefix="gw-", dir="/tmp") as scratch:  # a path short enough for sockets
        running = ServiceProcess(home, environment={"TMPDIR": scratch})
        try:
            running.start(*options, seconds=2 * TIMEOUT_SECONDS)
            yield running
        finally:
            status = running.stop()
        assert status == 0, running.log
        assert leftover_files(Path(scratch)) == []


def leftover_files(scratch: Path) -> list[Path]:
    """Return what a service has left of its temporary files."""
    return [path for path in scratch.glob("graftwerk-*/**/*") if not path.is_dir()]


def digits_spec(**training: Any) -> dict[str, Any]:
    """Return a small job on the bundled digits."""
    plan = {"epochs": 2, "batch_size": 64, "optimizer": {"kind": "Adam", "lr": 0.003}} | training
    return {
        "version": 1,
        "name": "digits",
        "model": {
            "layers": [
                {"kind": "Flatten"},
                {"kind": "Linear", "out_features": 64},
                {"kind": "ReLU"},
                {"kind": "Dropout", "p": 0.1},
                {"kind": "Linear", "out_features": 10},
            ]
        },
        "data": {"kind": "builtin", "name": "digits", "validation": {"fraction": 0.2}},
        "objective": {"loss": {"kind": "CrossEntropyLoss"}, "metrics": ["accuracy"]},
        "training": plan,
    }
