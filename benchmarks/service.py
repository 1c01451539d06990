"""A service of the benchmark's own: `graftwerk up` in a temporary home, on a free port."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

START_SECONDS = 120.0
STOP_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class RunningService:
    """A running service."""

    home: Path
    http: httpx.Client
    pid: int  # of `graftwerk up`, the ancestor of all other processes
    log: Path

    def api_cpu_seconds(self) -> float:
        """Return the processor time that the API process has used, without its children."""
        processes = psutil.Process(self.pid).children(recursive=True)
        (api,) = (process for process in processes if process.cmdline()[1:3] == ["-m", "app.api"])
        times = api.cpu_times()
        return float(times.user + times.system)

    def submit(self, spec: Mapping[str, Any]) -> str:
        """Submit a job and return its id."""
        return str(self.http.post("/v1/jobs", json=spec).raise_for_status().json()["id"])

    def wait(self, job: str, seconds: float = 300.0) -> dict[str, Any]:
        """Return the job once it has ended. Raises `TimeoutError`."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            document: dict[str, Any] = self.http.get(f"/v1/jobs/{job}").raise_for_status().json()
            if document["status"] in ("succeeded", "failed", "cancelled"):
                return document
            time.sleep(0.02)
        raise TimeoutError(f"{job} has not ended after {seconds:g} s")


@contextmanager
def run_service(*options: str, **settings: str) -> Iterator[RunningService]:
    """Run a service with these options of `graftwerk up` and these settings, without a rate limit."""
    with tempfile.TemporaryDirectory(prefix="graftwerk-bench-") as folder:
        home = Path(folder) / "home"
        all_settings = {"RATE_LIMIT": "", **settings}
        environment = os.environ | {f"GRAFTWERK_{name}": value for name, value in all_settings.items()}
        command = [sys.executable, "-m", "graftwerk", "up", "--home", str(home), "--port", "0", *options]
        with (Path(folder) / "log").open("w+") as log:
            process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
            try:
                address = _wait_for_address(home, process, Path(log.name))
                headers = {"Authorization": f"Bearer {(home / 'key').read_text().strip()}"}
                with httpx.Client(base_url=address, headers=headers, timeout=120) as http:
                    yield RunningService(home, http, process.pid, Path(log.name))
            finally:
                process.send_signal(signal.SIGINT)
                process.wait(STOP_SECONDS)


def _wait_for_address(home: Path, process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if (home / "address").exists():
            return (home / "address").read_text().strip()
        time.sleep(0.05)
    raise SystemExit(f"the service did not start:\n{log.read_text()}")
