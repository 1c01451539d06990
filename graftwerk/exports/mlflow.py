"""MLflow's formats: a folder of its file store, and the bodies of its REST API as lines of JSON.

The folder opens with ``mlflow migrate-filestore --source FOLDER --target sqlite:///mlflow.db``, or directly with
``MLFLOW_ALLOW_FILE_STORE=true mlflow ui --backend-store-uri FOLDER``.
"""

import json
import re
import uuid
from pathlib import Path
from typing import IO, Any

from graftwerk.exports.run import Run
from graftwerk.numbers import format_number
from graftwerk.types import Point

# Status of a job → MLflow's RunStatus, by name and by number.
STATUSES = {
    "succeeded": ("FINISHED", 3),
    "failed": ("FAILED", 4),
    "cancelled": ("KILLED", 5),
    "queued": ("SCHEDULED", 2),
}
RUNNING = ("RUNNING", 1)
MAX_BATCH_METRICS, MAX_BATCH_PARAMETERS = 1000, 100  # of one request of `runs/log-batch`
MAX_PARAMETER_CHARACTERS, MAX_TAG_CHARACTERS, MAX_KEY_CHARACTERS = 6000, 8000, 250
REFUSED_IN_KEYS = re.compile(r"[^\w\-. :/]")
EXPERIMENT_ID, EXPERIMENT = "0", "Default"


def _key(name: str) -> str:
    """Return a name as MLflow accepts it, and which as a path stays in its folder."""
    parts = REFUSED_IN_KEYS.sub("_", name)[:MAX_KEY_CHARACTERS].split("/")
    return "/".join(part if part.strip(".") else "_" for part in parts)


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _parameters(run: Run) -> dict[str, str]:
    return {_key(name): str(value)[:MAX_PARAMETER_CHARACTERS] for name, value in run.parameters.items()}


def _tags(run: Run) -> dict[str, str]:
    own = {"mlflow.runName": run.name, "mlflow.source.name": "graftwerk", "graftwerk.job": run.id}
    labels = {_key(name.replace("/", ".")): value[:MAX_TAG_CHARACTERS] for name, value in run.labels.items()}
    return labels | own


class FileStoreWriter:
    """Writes a run into a folder of the file store: a file per series with lines of time (ms), value and step."""

    def __init__(self, folder: Path, run: Run) -> None:
        self._series = ""
        self._file: IO[str] | None = None
        self._id = uuid.uuid5(uuid.NAMESPACE_OID, run.id).hex  # the same for every export of a job
        experiment = folder / EXPERIMENT_ID
        self._run = experiment / self._id
        for part in ("metrics", "artifacts"):  # without them MLflow takes it for no run
            (self._run / part).mkdir(parents=True)
        _write_yaml(experiment / "meta.yaml", _experiment_document(run))
        _write_yaml(self._run / "meta.yaml", self._run_document(run))
        for part, values in (("params", _parameters(run)), ("tags", _tags(run))):
            (self._run / part).mkdir()
            for name, value in values.items():
                path = self._run / part / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(value, encoding="utf-8")

    def _run_document(self, run: Run) -> dict[str, Any]:
        ids = {"run_id": self._id, "run_uuid": self._id, "run_name": run.name, "experiment_id": EXPERIMENT_ID}
        times = {
            "start_time": _milliseconds(run.start),
            "end_time": None if run.end is None else _milliseconds(run.end),
        }
        source = {"source_name": "graftwerk", "source_type": 4, "source_version": "", "entry_point_name": ""}
        state = {"lifecycle_stage": "active", "status": STATUSES.get(run.status, RUNNING)[1], "tags": []}
        return ids | times | source | state | {"user_id": "", "artifact_uri": ""}

    def write(self, point: Point) -> None:
        """Write a point."""
        if self._file is None or point.series != self._series:
            if self._file is not None:
                self._file.close()
            self._series = point.series
            path = self._run / "metrics" / _key(point.series)
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a", encoding="utf-8")
        self._file.write(f"{_milliseconds(point.time)} {point.value!r} {point.step}\n")

    def close(self) -> None:
        """Close the last file."""
        if self._file is not None:
            self._file.close()


def _experiment_document(run: Run) -> dict[str, Any]:
    created = _milliseconds(run.start)
    times = {"creation_time": created, "last_update_time": created}
    state = {"artifact_location": "", "lifecycle_stage": "active", "name": EXPERIMENT}
    return {"experiment_id": EXPERIMENT_ID} | times | state


def _write_yaml(path: Path, document: dict[str, Any]) -> None:
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")  # JSON is YAML


class RestWriter:
    """Writes lines of JSON, each with an `endpoint` of the REST API 2.0 and its `body`, in the order of the requests.

    The answer to the first, `runs/create`, has the `run_id` for all others.
    """

    def __init__(self, folder: Path, run: Run) -> None:
        folder.mkdir(parents=True)
        self._run = run
        self._batch: list[dict[str, Any]] = []
        self._file = (folder / f"{run.folder}.mlflow.jsonl").open("w", encoding="utf-8")
        tags = [{"key": name, "value": value} for name, value in _tags(run).items()]
        created = {"experiment_id": EXPERIMENT_ID, "run_name": run.name, "start_time": _milliseconds(run.start)}
        self._request("runs/create", created | {"tags": tags})
        parameters = [{"key": name, "value": value} for name, value in _parameters(run).items()]
        for start in range(0, len(parameters), MAX_BATCH_PARAMETERS):
            self._request("runs/log-batch", {"params": parameters[start : start + MAX_BATCH_PARAMETERS]})

    def _request(self, endpoint: str, body: dict[str, Any]) -> None:
        self._file.write(json.dumps({"endpoint": endpoint, "body": body}, allow_nan=False) + "\n")

    def write(self, point: Point) -> None:
        """Write a point, with others of its batch."""
        place = {"timestamp": _milliseconds(point.time), "step": point.step}
        self._batch.append({"key": _key(point.series), "value": format_number(point.value)} | place)
        if len(self._batch) == MAX_BATCH_METRICS:
            self._flush()

    def _flush(self) -> None:
        if self._batch:
            self._request("runs/log-batch", {"metrics": self._batch})
        self._batch = []

    def close(self) -> None:
        """Write the last batch and the end of the run, and close the file."""
        self._flush()
        end = {"end_time": _milliseconds(self._run.end)} if self._run.end is not None else {}
        self._request("runs/update", {"status": STATUSES.get(self._run.status, RUNNING)[0]} | end)
        self._file.close()
