"""A whole service to be hurt: `graftwerk up` on either database, more workers beside it, and a view from below."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from app.db.session import Database
from app.storage.local import LocalStore
from app.storage.protocol import ArtifactStore
from tests.acceptance.service import NO_TLS, ServiceProcess, wait_until
from tests.faults.plan import FOLDER_VARIABLE, FaultFolder
from tests.faults.process_tree import attempts_of
from tests.postgres import Postgres

ROOT = Path(__file__).parents[2]
FAST_SETTINGS = {
    "LEASE_SECONDS": "5",
    "SWEEP_SECONDS": "0.3",
    "MAX_ATTEMPTS": "20",
    "DRAIN_SECONDS": "10",
    "RATE_LIMIT": "",
    "LOADERS": "0",
    "LOG_JSON": "true",
}
START_SECONDS = 240.0  # of a machine that has much else to do
ACCEPT_SECONDS = 120.0  # for a submission that is tried again and again


@dataclass
class Deployment:
    """Everything that a campaign starts, ends and looks at."""

    folder: Path
    postgres: Postgres | None = None
    slots: int = 2
    settings: dict[str, str] = field(default_factory=lambda: dict(FAST_SETTINGS))
    environment: dict[str, str] = field(default_factory=dict)  # beside the settings; once started, that of a worker
    home: Path | None = None  # default: in the folder
    artifacts: ArtifactStore | None = None  # as it is, whatever the service is told of it
    extra_workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self) -> "Deployment":
        """Serve; returns itself."""
        self.faults = FaultFolder(self.folder / "faults")
        self.faults.write(0, [])
        home = self.home = self.home or self.folder / "home"
        url = self.postgres.create(f"campaign_{os.getpid()}_{time.time_ns()}") if self.postgres else None
        environment = self.environment | {f"GRAFTWERK_{name}": value for name, value in self.settings.items()}
        environment |= {FOLDER_VARIABLE: str(self.faults.folder), "PYTHONPATH": f"{ROOT / 'tests/faults/site'}:{ROOT}"}
        environment |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        if url is not None:
            environment["GRAFTWERK_DATABASE_URL"] = url
        self.db = Database(url or f"sqlite:///{home / 'graftwerk.db'}")
        self.up = ServiceProcess(home, environment=environment)
        self.up.start("--slots", str(self.slots), seconds=START_SECONDS)
        self.store = self.artifacts or LocalStore(home / "artifacts")
        self.key = (home / "key").read_text().strip()
        self.environment = wait_until(self.workers, "a worker")[0].environ()
        self.socket = self.environment["GRAFTWERK_BROKER_URL"].removeprefix("redis+socket://")
        return self

    def stop(self) -> None:
        """End everything."""
        self.faults.write(0, [])
        for other in self.extra_workers:
            with suppress(ProcessLookupError):
                os.killpg(other.pid, signal.SIGCONT)
                os.killpg(other.pid, signal.SIGKILL)
            other.wait()
        if self.up.process is not None and self.up.process.poll() is None:
            try:
                self.up.stop()
            except subprocess.TimeoutExpired:
                self.up.process.kill()
        self.db.close()

    def __enter__(self) -> "Deployment":
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *error: object) -> None:
        self.stop()

    # Processes

    def workers(self) -> list[psutil.Process]:
        """Return the workers that run: that of `graftwerk up` and the others."""
        found = [each for each in self.up.processes("-m workers") if is_alive(each)]
        return found + [psutil.Process(other.pid) for other in self.extra_workers if other.poll() is None]

    def attempt_processes(self) -> list[psutil.Process]:
        """Return the attempts that run. A stopped one counts, one that nobody has reaped yet does not."""
        found = [attempt for worker in self.workers() for attempt in attempts_of(worker)]
        return [attempt for attempt in dict.fromkeys(found) if is_alive(attempt)]

    def add_worker(self) -> None:
        """Start one more worker beside those that run, and wait until it is ready."""
        path = self.folder / "others.log"
        with path.open("ab") as log:
            command = [sys.executable, "-m", "workers"]
            self.extra_workers.append(
                subprocess.Popen(
                    command, env=self.environment, stdout=log, stderr=log, cwd=self.folder, start_new_session=True
                )
            )
        ready = len(self.extra_workers)
        wait_until(lambda: path.read_text().count("worker_ready") >= ready, "another worker", START_SECONDS)

    # The broker

    def broker(self, *words: str) -> bytes:
        """Send one command to Valkey and return its answer; `b""` where there is none."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
            link.settimeout(3)
            try:
                link.connect(self.socket)
                link.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w.encode()) for w in words))
                return link.recv(65536)
            except OSError:
                return b""

    # The API

    def client(self) -> httpx.Client:
        """Return a client of the service."""
        headers = {"Authorization": f"Bearer {self.key}"}
        return httpx.Client(base_url=self.up.url, headers=headers, timeout=20, verify=NO_TLS)

    def submit(self, spec: dict[str, Any], key: str) -> str:
        """Submit until it is acknowledged, as a careful client does, and return the job's id."""
        deadline = time.monotonic() + ACCEPT_SECONDS
        with self.client() as http:
            while time.monotonic() < deadline:
                try:
                    answer = http.post("/v1/jobs", json=spec, headers={"Idempotency-Key": key})
                except httpx.TransportError:
                    time.sleep(0.1)
                    continue
                if answer.status_code == 201:
                    return str(answer.json()["id"])
                assert answer.status_code >= 500 or answer.status_code in (409, 429), answer.text
                time.sleep(0.1)
        raise AssertionError(f"no acknowledgement within {ACCEPT_SECONDS:g} s")


def is_alive(process: psutil.Process) -> bool:
    """Return whether a process still runs, or is stopped."""
    try:
        return bool(process.status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD))
    except psutil.NoSuchProcess:
        return False
