"""Jobs: submit, read, watch, download."""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from graftwerk import predictions
from graftwerk.errors import NoSuchFile, WaitTimeout
from graftwerk.http import downloads, stream
from graftwerk.http.pagination import paginate
from graftwerk.http.transport import Transport
from graftwerk.specs import Spec, encode_spec, resolve_spec
from graftwerk.types import TERMINAL_STATUSES, Checkpoint, Event, File, Metrics, Predictions, parse_number

LONG_POLL_SECONDS = 20.0  # seconds that one question about an unchanged job may take
CURVE_COLUMNS = ("x", "step", "min", "max", "last", "count")
WEIGHT_FILES = ("weights.safetensors", "weights.pth", "model.py")


class Job:
    """A job as the service last described it; `refresh()` asks again."""

    def __init__(self, transport: Transport, document: Mapping[str, Any]) -> None:
        self._transport = transport
        self.document = document

    def __repr__(self) -> str:
        return f"Job({self.id}, {self.name!r}, {self.status})"

    @property
    def id(self) -> str:
        """The identifier, such as ``job_0199…``."""
        return str(self.document["id"])

    @property
    def name(self) -> str:
        """The name that the spec gives."""
        return str(self.document["name"])

    @property
    def status(self) -> str:
        """One of queued, running, paused, succeeded, failed, cancelled."""
        return str(self.document["status"])

    @property
    def phase(self) -> str:
        """What a running job does at the moment."""
        return str(self.document.get("phase") or "")

    @property
    def ended(self) -> bool:
        """Whether nothing will happen to the job any more."""
        return self.status in TERMINAL_STATUSES

    @property
    def progress(self) -> Mapping[str, Any]:
        """step, epoch, total_steps, steps_per_epoch, rate (steps per second) and `latest` values by series."""
        return self.document.get("progress") or {}

    @property
    def error(self) -> Mapping[str, Any] | None:
        """Why a failed job failed: code, message, pointer, retryable."""
        return self.document.get("error")

    def refresh(self, wait: float | None = None) -> "Job":
        """Ask for the job again; with `wait`, for up to so many seconds until something has changed."""
        asked = None if wait is None else f"{max(wait, 0.0):g}"
        headers = {}
        if asked is not None and "version" in self.document:
            headers["If-None-Match"] = f'"{self.document["version"]}"'
        answer = self._transport.request("GET", f"/v1/jobs/{self.id}", params={"wait": asked}, headers=headers)
        if answer.status_code != 304:
            self.document = answer.json()
        return self

    def wait(self, timeout: float | None = None) -> "Job":
        """Return once the job has ended, however it did. Raises `WaitedTooLong` after `timeout` seconds."""
        deadline = time.monotonic() + timeout if timeout is not None else float("inf")
        while not self.ended:
            left = deadline - time.monotonic()
            if left <= 0:
                raise WaitTimeout(f"{self.id} is still {self.status} after {timeout:g} s")
            self.refresh(wait=min(LONG_POLL_SECONDS, left))
        return self

    def stream(self, after: int = 0) -> Iterator[Event]:
        """Yield what happens to the job, from the event after number `after` to the closing `done`, over any break."""
        return stream.stream_events(self._transport, f"/v1/jobs/{self.id}/stream", after)

    def metrics(
        self,
        names: Sequence[str] | None = None,
        max_points: int | None = None,
        x: str = "step",
        from_: float | None = None,
        to: float | None = None,
        smooth: float | None = None,
    ) -> Metrics:
        """Return the curves (all series by default) in at most `max_points` buckets, exact where they fit."""
        wanted = {"names": ",".join(names) if names else None, "max_points": max_points, "x": x}
        params = wanted | {"from": from_, "to": to, "smooth": smooth}
        body = self._transport.json("GET", f"/v1/jobs/{self.id}/metrics", params=params)
        series = {
            name: {
                title: [parse_number(value) for value in column]
                for title, column in columns.items()
                if title in CURVE_COLUMNS
            }
            for name, columns in body["series"].items()
        }
        return Metrics(x, series)

    def metrics_csv(self, names: Sequence[str] | None = None) -> str:
        """Return every point as CSV."""
        params = {"names": ",".join(names) if names else None}
        headers = {"Accept": "text/csv"}
        return self._transport.request("GET", f"/v1/jobs/{self.id}/metrics", params=params, headers=headers).text

    def report(self, checkpoint: str | None = None) -> Mapping[str, Any]:
        """Return what the evaluation of a checkpoint (by default the best) saw: classes, confusion, entities, errors.

        Raises `NotFound` where there is none, since nothing was held out or nothing is saved yet.
        """
        params = {"checkpoint": checkpoint}
        found: Mapping[str, Any] = self._transport.json("GET", f"/v1/jobs/{self.id}/report", params=params)
        return found

    def checkpoints(self) -> list[Checkpoint]:
        """Return the checkpoints, newest first."""
        return [Checkpoint.from_document(item) for item in paginate(self._transport, f"/v1/jobs/{self.id}/checkpoints")]

    def download(
        self,
        folder: str | Path,
        names: Sequence[str] | None = None,
        checkpoint: str | None = None,
        told: Callable[[File, int], None] = lambda file, have: None,
    ) -> list[Path]:
        """Fetch the files of a checkpoint (by default the newest, and all its files) into a folder.

        Interrupted downloads go on where they were; a second call fetches only what is missing. `told` hears a
        file and how many of its bytes have arrived. Raises `NoSuchFile`, `DamagedFile`, `Unreachable`, or a kind
        of `Answered`.
        """
        found = self._resolve_checkpoint(checkpoint)
        offered = {file.name: file for file in found.files}
        missing = [name for name in names or () if name not in offered]
        if missing:
            raise NoSuchFile(f"{found.id} has no {', '.join(missing)}; it has {', '.join(offered)}")
        fetched = []
        for name in names or offered:
            file = offered[name]
            path = f"/v1/checkpoints/{found.id}/files/{name}"
            fetched.append(downloads.download(self._transport, path, file, Path(folder), partial(told, file)))
        return fetched

    def export(self, form: str, folder: str | Path, checkpoint: str | None = None) -> Path:
        """Fetch a checkpoint (by default the newest) as `onnx`, `torch_export`, or everything as a `bundle`.

        Raises `NoSuchFile`, a kind of `Answered` where the network has no such form, and as `download` does.
        """
        found = self._resolve_checkpoint(checkpoint)
        path = f"/v1/checkpoints/{found.id}/exports/{form}"
        headers = self._transport.request("HEAD", path).headers
        name = headers["content-disposition"].partition('filename="')[2].rstrip('"')
        file = File(name, int(headers["content-length"]), headers["etag"].strip('"'))
        return downloads.download(self._transport, path, file, Path(folder))

    def _resolve_checkpoint(self, checkpoint: str | None) -> Checkpoint:
        found = next((saved for saved in self.checkpoints() if checkpoint in (None, saved.id)), None)
        if found is None:
            raise NoSuchFile(f"{self.id} has no checkpoint{' ' + checkpoint if checkpoint else ' yet'}")
        return found

    def predict(
        self,
        rows: predictions.Rows | None = None,
        file: str | Path | None = None,
        checkpoint: str | None = None,
        *,
        outputs: str | Sequence[str] = "labels",
        top: int | None = None,
        batch_size: int | None = None,
    ) -> Predictions:
        """Return what the network tells of rows, given by the data set's columns, or of a file of them.

        The best checkpoint answers, unless another is named. `outputs` are "labels", "probabilities" and "raw"; `top`
        asks for the most probable labels as well. Bytes are sent in base64; arrays and tensors as lists.

        Raises `InvalidRequest` with every problem of the rows, and `Conflict` while there is no checkpoint.
        """
        asked = {"checkpoint": checkpoint, "outputs": outputs, "top": top, "batch_size": batch_size}
        return predictions.predict(self._transport, self.id, rows, file, asked)

    def predict_csv(self, rows: predictions.Rows | None = None, file: str | Path | None = None, **asked: Any) -> str:
        """Return what `predict` does, which takes the same, as a table."""
        return predictions.predict_csv(self._transport, self.id, rows, file, asked)

    def cancel(self) -> "Job":
        """Ask for the job's end; a running one ends within seconds. Cancelling twice is no error."""
        return self._request_action("cancel")

    def pause(self) -> "Job":
        """Ask for a pause; a running job makes a checkpoint first. Pausing twice is no error."""
        return self._request_action("pause")

    def resume(self) -> "Job":
        """Let a paused job go on where it was. Resuming twice is no error."""
        return self._request_action("resume")

    def retry(self) -> "Job":
        """Let a failed or cancelled job go on from its last checkpoint."""
        return self._request_action("retry", repeatable=False)

    def fork(
        self, changes: Mapping[str, Any] | None = None, from_step: int | None = None, what: str = "everything"
    ) -> "Job":
        """Submit a new job that starts from a checkpoint of this one (default: the newest).

        `changes` is a JSON merge patch for the spec; with `what` "weights" the training itself begins anew.
        """
        body = {"changes": dict(changes or {}), "from_step": from_step, "what": what}
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        made = self._transport.json("POST", f"/v1/jobs/{self.id}/fork", json=body, headers=headers)
        return Job(self._transport, made)

    def delete(self, purge: bool = False) -> None:
        """Delete an ended job: it can be restored for a while, unless `purge` removes it at once."""
        self._transport.request("DELETE", f"/v1/jobs/{self.id}", params={"purge": "true" if purge else None})

    def _request_action(self, verb: str, repeatable: bool = True) -> "Job":
        self.document = self._transport.json("POST", f"/v1/jobs/{self.id}/{verb}", repeatable=repeatable)
        return self


class Jobs:
    """The jobs of the key's owner."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(
        self, spec: Spec | None = None, idempotency_key: str | None = None, *, inputs: Sequence[str] = (), **parts: Any
    ) -> Job:
        """Submit a spec: a mapping, or the path of a JSON or YAML file, which is sent as it is; or its parts by name.

        A `model` among the parts may be an `nn.Module`, which is traced: `inputs` names the data's columns that
        forward takes, by default those in `data`, or else x. Only its form is sent: training starts from new weights,
        not from the module's.

        Whatever happens on the way, one call makes one job. Raises `InvalidRequest` with every problem found, and
        `CannotExpress` with every line of a module that stands in the way.
        """
        content, headers = encode_spec(resolve_spec(spec, parts, inputs))
        headers["Idempotency-Key"] = idempotency_key or str(uuid.uuid4())
        return Job(self._transport, self._transport.json("POST", "/v1/jobs", content=content, headers=headers))

    def validate(self, spec: Spec | None = None, *, inputs: Sequence[str] = (), **parts: Any) -> Mapping[str, Any]:
        """Return the service's report on a spec, without making a job. Takes and raises what `create` does."""
        content, headers = encode_spec(resolve_spec(spec, parts, inputs))
        answer: Mapping[str, Any] = self._transport.json(
            "POST", "/v1/jobs/validate", content=content, headers=headers, repeatable=True
        )
        return answer

    def get(self, job_id: str) -> Job:
        """Return a job. Raises `NotFound`."""
        return Job(self._transport, self._transport.json("GET", f"/v1/jobs/{job_id}"))

    def list(self, *, labels: Mapping[str, str] | None = None, **filters: Any) -> Iterator[Job]:
        """Yield the jobs, newest first, page by page; filters: status, name, deleted; `labels`: metadata."""
        wanted = filters | {f"metadata[{name}]": value for name, value in (labels or {}).items()}
        for document in paginate(self._transport, "/v1/jobs", wanted):
            yield Job(self._transport, document)

    def cancel(self, job_id: str) -> Job:
        """Ask for a job's end."""
        return self.get(job_id).cancel()

    def delete(self, job_id: str, purge: bool = False) -> None:
        """Delete an ended job: it can be restored for a while, unless `purge` removes it at once."""
        self._transport.request("DELETE", f"/v1/jobs/{job_id}", params={"purge": "true" if purge else None})

    def restore(self, job_id: str) -> Job:
        """Bring a deleted job back. Raises `NotFound` where it has been removed."""
        return Job(self._transport, self._transport.json("POST", f"/v1/jobs/{job_id}/restore", repeatable=True))
