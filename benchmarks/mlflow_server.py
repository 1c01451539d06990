"""MLflow's tracking server on the same work, spoken to over its own REST API."""

import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

MAX_BATCH = 1000  # the most metrics that MLflow takes in one request
PAGE_SIZE = 25_000  # the most points of a history in one answer
START_SECONDS = 180.0

RequestParams = dict[str, str | int]


class MLflowServer:
    """A running server, and the five things that are measured."""

    def __init__(self, http: httpx.Client) -> None:
        self.http = http

    def create(self) -> str:
        """Create a run and return its id."""
        body = {"experiment_id": "0", "start_time": int(time.time() * 1000), "run_name": "bench"}
        return str(self._post("runs/create", body)["run"]["info"]["run_id"])

    def read(self, run: str) -> None:
        """Read a run."""
        self.http.get("/api/2.0/mlflow/runs/get", params={"run_id": run}).raise_for_status()

    def store(self, run: str, values: list[float]) -> None:
        """Store the points of one series, in the largest batches allowed."""
        now = int(time.time() * 1000)
        for start in range(0, len(values), MAX_BATCH):
            batch = values[start : start + MAX_BATCH]
            metrics = [
                {"key": "loss", "value": value, "timestamp": now, "step": start + index}
                for index, value in enumerate(batch, 1)
            ]
            self._post("runs/log-batch", {"run_id": run, "metrics": metrics})

    def read_all(self, run: str) -> int:
        """Read the whole series back; returns the number of points."""
        count = 0
        params: RequestParams = {"run_id": run, "metric_key": "loss", "max_results": PAGE_SIZE}
        while True:
            body = self.http.get("/api/2.0/mlflow/metrics/get-history", params=params).raise_for_status().json()
            count += len(body.get("metrics", []))
            if not body.get("next_page_token"):
                return count
            params["page_token"] = body["next_page_token"]

    def read_sampled(self, run: str, points: int) -> int:
        """Read a sample of the series, as MLflow's own page does; returns the number of points."""
        params: RequestParams = {"run_ids": run, "metric_key": "loss", "max_results": points}
        path = "/ajax-api/2.0/mlflow/metrics/get-history-bulk-interval"
        return len(self.http.get(path, params=params).raise_for_status().json()["metrics"])

    def _post(self, path: str, body: object) -> dict[str, dict[str, dict[str, str]]]:
        answer: dict[str, dict[str, dict[str, str]]] = (
            self.http.post(f"/api/2.0/mlflow/{path}", json=body).raise_for_status().json()
        )
        return answer


@contextmanager
def run_mlflow(python: Path) -> Iterator[MLflowServer]:
    """Run the server with SQLite in a temporary folder, otherwise as it comes."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="mlflow-bench-") as folder:
        store = ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", folder]
        command = [str(python), "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), *store]
        environment = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true"}
        with (Path(folder) / "log").open("w") as log:
            process = subprocess.Popen(
                command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True
            )
            try:
                with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=300) as http:
                    _wait_until_ready(http, process, Path(log.name))
                    yield MLflowServer(http)
            finally:
                process.terminate()
                process.wait(30)


def _wait_until_ready(http: httpx.Client, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if http.get("/health").is_success:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    raise SystemExit(f"MLflow did not start:\n{log.read_text()}")


def mlflow_version(python: Path) -> str:
    """Return MLflow's version."""
    program = "from importlib.metadata import version; print(version('mlflow'))"
    return subprocess.run([str(python), "-c", program], capture_output=True, text=True, check=True).stdout.strip()
