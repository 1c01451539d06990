"""Jobs: submit, read, watch, download."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from graftwerk import predictions
from graftwerk.edits import EditedJob
from graftwerk.errors import NoSuchFile, WaitTimeout
from graftwerk.http import downloads, stream
from graftwerk.http.pagination import paginate
from graftwerk.http.transport import Transport
from graftwerk.specs import Spec, encode_spec, resolve_spec
from graftwerk.types import TERMINAL_STATUSES, Checkpoint, Event, File, Metrics, Predictions

LONG_POLL_SECONDS = 20.0  # of one long poll
WEIGHT_FILES = ("weights.safetensors", "weights.pth", "model.py")


class Job(EditedJob):
    """A job, as of the last response of the service; `refresh()` reads it again."""

    def __repr__(self) -> str:
        return f"Job({self.id}, {self.name!r}, {self.status})"

    @property
    def name(self) -> str:
        """The name in the spec."""
        return str(self.document["name"])

    @property
    def status(self) -> str:
        """One of queued, running, paused, succeeded, failed, cancelled."""
        return str(self.document["status"])

    @property
    def phase(self) -> str:
        """The current phase of a running job; empty otherwise."""
        return str(self.document.get("phase") or "")

    @property
    def ended(self) -> bool:
        """Whether the job has succeeded, failed or been cancelled."""
        return self.status in TERMINAL_STATUSES

    @property
    def progress(self) -> Mapping[str, Any]:
        """step, epoch, total_steps, steps_per_epoch, rate (steps per second) and `latest` values by series."""
        return self.document.get("progress") or {}

    @property
    def error(self) -> Mapping[str, Any] | None:
        """The error of a failed job: code, message, pointer, retryable."""
        return self.document.get("error")

    def refresh(self, wait: float | None = None) -> "Job":
        """Read the job again; with `wait`, wait up to so many seconds for a change."""
        seconds = None if wait is None else f"{max(wait, 0.0):g}"
        headers = {}
        if seconds is not None and "version" in self.document:
            headers["If-None-Match"] = f'"{self.document["version"]}"'
        response = self._transport.request("GET", f"/v1/jobs/{self.id}", params={"wait": seconds}, headers=headers)
        if response.status_code != 304:
            self.document = response.json()
        return self

    def wait(self, timeout: float | None = None) -> "Job":
        """Wait until the job has ended, with any status. Raises `WaitTimeout` after `timeout` seconds."""
        deadline = time.monotonic() + timeout if timeout is not None else float("inf")
        while not self.ended:
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise WaitTimeout(f"{self.id} is still {self.status} after {timeout:g} s")
            self.refresh(wait=min(LONG_POLL_SECONDS, remaining))
        return self

    def stream(self, after: int = 0) -> Iterator[Event]:
        """Yield the job's events after number `after`, up to the final `done`; reconnects when the stream breaks."""
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
        """Return the curves (all series by default), downsampled to at most `max_points` buckets if they have more."""
        selection = {"names": ",".join(names) if names else None, "max_points": max_points, "x": x}
        params = selection | {"from": from_, "to": to, "smooth": smooth}
        return Metrics.from_document(x, self._transport.json("GET", f"/v1/jobs/{self.id}/metrics", params=params))

    def metrics_csv(self, names: Sequence[str] | None = None) -> str:
        """Return every point as CSV."""
        params = {"names": ",".join(names) if names else None}
        headers = {"Accept": "text/csv"}
        return self._transport.request("GET", f"/v1/jobs/{self.id}/metrics", params=params, headers=headers).text

    def report(self, checkpoint: str | None = None) -> Mapping[str, Any]:
        """Return the evaluation report of a checkpoint (default: the best): classes, confusion, entities, errors.

        `test` has the same of the test, once the job has succeeded. Raises `NotFound` if there is no report: without
        validation and test, or before the first checkpoint.
        """
        params = {"checkpoint": checkpoint}
        report: Mapping[str, Any] = self._transport.json("GET", f"/v1/jobs/{self.id}/report", params=params)
        return report

    def checkpoints(self) -> list[Checkpoint]:
        """Return the checkpoints, newest first."""
        return [Checkpoint.from_document(item) for item in paginate(self._transport, f"/v1/jobs/{self.id}/checkpoints")]

    def download(
        self,
        folder: str | Path,
        names: Sequence[str] | None = None,
        checkpoint: str | None = None,
        on_progress: Callable[[File, int], None] = lambda file, received: None,
    ) -> list[Path]:
        """Download files of a checkpoint (default: all files of the newest) into a folder and return their paths.

        Interrupted downloads are resumed; a second call downloads only what is missing. `on_progress` is called with
        a file and the bytes received so far. Raises `NoSuchFile`, `CorruptDownload`, `Unreachable` or an
        `ApiStatusError`.
        """
        saved = self._resolve_checkpoint(checkpoint)
        offered = {file.name: file for file in saved.files}
        missing = [name for name in names or () if name not in offered]
        if missing:
            raise NoSuchFile(f"{saved.id} has no {', '.join(missing)}; it has {', '.join(offered)}")
        paths = []
        for name in names or offered:
            file = offered[name]
            path = f"/v1/checkpoints/{saved.id}/files/{name}"
            paths.append(downloads.download(self._transport, path, file, Path(folder), partial(on_progress, file)))
        return paths

    def export(self, form: str, folder: str | Path, checkpoint: str | None = None) -> Path:
        """Download a checkpoint (default: the newest) as `onnx`, as `torch_export` or, with all its files, as `bundle`.

        Raises what `download` does, and an `ApiStatusError` if the network cannot be exported.
        """
        saved = self._resolve_checkpoint(checkpoint)
        path = f"/v1/checkpoints/{saved.id}/exports/{form}"
        headers = self._transport.request("HEAD", path).headers
        name = headers["content-disposition"].partition('filename="')[2].rstrip('"')
        file = File(name, int(headers["content-length"]), headers["etag"].strip('"'))
        return downloads.download(self._transport, path, file, Path(folder))

    def _resolve_checkpoint(self, checkpoint: str | None) -> Checkpoint:
        saved = next((each for each in self.checkpoints() if checkpoint in (None, each.id)), None)
        if saved is None:
            raise NoSuchFile(f"{self.id} has no checkpoint{' ' + checkpoint if checkpoint else ' yet'}")
        return saved

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
        """Return predictions for rows (mappings by the data set's columns), or for a file of rows.

        `checkpoint` defaults to the best. `outputs`: "labels", "probabilities", "raw"; `top`: how many of the most
        probable labels to return as well. Bytes are sent in base64; arrays and tensors as lists.

        Raises `InvalidRequest` with every problem of the rows, and `Conflict` while there is no checkpoint.
        """
        options = {"checkpoint": checkpoint, "outputs": outputs, "top": top, "batch_size": batch_size}
        return predictions.predict(self._transport, self.id, rows, file, options)

    def predict_csv(self, rows: predictions.Rows | None = None, file: str | Path | None = None, **options: Any) -> str:
        """Return predictions as CSV; takes what `predict` takes."""
        return predictions.predict_csv(self._transport, self.id, rows, file, options)

    def evaluate(self, dataset: str, split: str | None = None, checkpoint: str | None = None) -> Mapping[str, Any]:
        """Return the loss, the metrics (`values`) and the report (`heads`) on a labelled data set, by its id.

        `split` defaults to test, or else validation, or else train; `checkpoint` to the best. Raises `InvalidRequest`
        if the data set does not fit the job or is too large, and `Conflict` while there is no checkpoint.
        """
        body = {"dataset": dataset, "split": split, "checkpoint": checkpoint}
        path, sent = f"/v1/jobs/{self.id}/evaluate", {name: value for name, value in body.items() if value is not None}
        figures: Mapping[str, Any] = self._transport.json("POST", path, json=sent, repeatable=True)
        return figures

    def cancel(self) -> "Job":
        """Cancel the job; a running one ends within seconds. Cancelling twice is not an error."""
        return self._request_action("cancel")

    def pause(self) -> "Job":
        """Pause the job; a running one saves a checkpoint first. Pausing twice is not an error."""
        return self._request_action("pause")

    def resume(self) -> "Job":
        """Resume a paused job at its checkpoint. Resuming twice is not an error."""
        return self._request_action("resume")

    def retry(self) -> "Job":
        """Resume a failed or cancelled job from its last checkpoint."""
        self.document = self._transport.create(f"/v1/jobs/{self.id}/retry")
        return self

    def fork(
        self,
        changes: Mapping[str, Any] | None = None,
        from_step: int | None = None,
        what: str = "everything",
        *,
        from_revision: int | None = None,
    ) -> "Job":
        """Submit a new job that starts from a checkpoint of this one (default: the newest).

        `changes` is a JSON merge patch (RFC 7396) for the spec; with `what="weights"` only the weights are taken over.
        `from_revision` chooses between the checkpoints before and after an edit.
        """
        body = {"changes": dict(changes or {}), "from_step": from_step, "what": what}
        body |= {"from_revision": from_revision} if from_revision is not None else {}
        return Job(self._transport, self._transport.create(f"/v1/jobs/{self.id}/fork", json=body))

    def delete(self, purge: bool = False) -> None:
        """Delete an ended job. It can be restored for a while, unless `purge` removes it for good."""
        self._transport.request("DELETE", f"/v1/jobs/{self.id}", params={"purge": "true" if purge else None})

    def _request_action(self, verb: str) -> "Job":
        self.document = self._transport.json("POST", f"/v1/jobs/{self.id}/{verb}", repeatable=True)
        return self


class Jobs:
    """The jobs of the key's owner."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(
        self, spec: Spec | None = None, idempotency_key: str | None = None, *,
        inputs: Sequence[str] = (), examples: Sequence[Any] = (), **parts: Any,
    ) -> Job:  # fmt: skip
        """Submit a spec: a mapping, the path of a JSON or YAML file (sent unchanged), or its parts as keywords.

        `model` may be an `nn.Module`, which is traced; `inputs` names the columns that its forward takes (default:
        those in `data`, else x), and `examples` are tensors on which it runs (see `graftwerk.trace`). Only the
        architecture is sent: training starts from new weights.

        Requests are idempotent: one call creates one job, retries included. Raises `InvalidRequest` with every
        problem of the spec, and `CannotExpress` with every line of a module that the language cannot express.
        """
        content, headers = encode_spec(resolve_spec(spec, parts, inputs, examples))
        created = self._transport.create("/v1/jobs", key=idempotency_key, content=content, headers=headers)
        return Job(self._transport, created)

    def validate(
        self, spec: Spec | None = None, *, inputs: Sequence[str] = (), examples: Sequence[Any] = (), **parts: Any
    ) -> Mapping[str, Any]:
        """Return the service's report on a spec without creating a job. Takes and raises what `create` does."""
        content, headers = encode_spec(resolve_spec(spec, parts, inputs, examples))
        report: Mapping[str, Any] = self._transport.json(
            "POST", "/v1/jobs/validate", content=content, headers=headers, repeatable=True
        )
        return report

    def get(self, job_id: str) -> Job:
        """Return a job. Raises `NotFound`."""
        return Job(self._transport, self._transport.json("GET", f"/v1/jobs/{job_id}"))

    def list(self, *, labels: Mapping[str, str] | None = None, **filters: Any) -> Iterator[Job]:
        """Yield the jobs, newest first; filters: status, name, deleted; `labels`: metadata to match."""
        params = filters | {f"metadata[{name}]": value for name, value in (labels or {}).items()}
        for document in paginate(self._transport, "/v1/jobs", params):
            yield Job(self._transport, document)

    def cancel(self, job_id: str) -> Job:
        """Cancel a job."""
        return self.get(job_id).cancel()

    def delete(self, job_id: str, purge: bool = False) -> None:
        """Delete an ended job. It can be restored for a while, unless `purge` removes it for good."""
        self._transport.request("DELETE", f"/v1/jobs/{job_id}", params={"purge": "true" if purge else None})

    def restore(self, job_id: str) -> Job:
        """Restore a deleted job. Raises `NotFound` if it has been removed for good."""
        return Job(self._transport, self._transport.json("POST", f"/v1/jobs/{job_id}/restore", repeatable=True))
