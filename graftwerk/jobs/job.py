"""A job: read, wait, watch, predict, steer."""

import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, Self

from graftwerk.errors import WaitTimeout
from graftwerk.http import stream
from graftwerk.http.resources import AsyncResource, BlockingResource, chainable, iterator, operation
from graftwerk.jobs import predictions
from graftwerk.jobs.checkpoints import CheckpointsResource
from graftwerk.jobs.curves import CurvesResource
from graftwerk.jobs.edits import EditsResource
from graftwerk.types import Event, Predictions

LONG_POLL_SECONDS = 20.0  # of one long poll


class JobResource(CurvesResource, CheckpointsResource, EditsResource):
    """A job, as of the last response of the service; `refresh()` reads it again."""

    @chainable
    async def refresh(self, wait: float | None = None) -> Self:
        """Read the job again; with `wait`, wait up to so many seconds for a change."""
        seconds = None if wait is None else f"{max(wait, 0.0):g}"
        headers = {}
        if seconds is not None and "version" in self.document:
            headers["If-None-Match"] = f'"{self.document["version"]}"'
        response = await self._transport.request("GET", self._path(), params={"wait": seconds}, headers=headers)
        if response.status_code != 304:
            self.document = response.json()
        return self

    @chainable
    async def wait(self, timeout: float | None = None) -> Self:
        """Wait until the job has ended, with any status. Raises `WaitTimeout` after `timeout` seconds."""
        deadline = time.monotonic() + timeout if timeout is not None else float("inf")
        while not self.ended:
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise WaitTimeout(f"{self.id} is still {self.status} after {timeout:g} s")
            await JobResource.refresh(self, wait=min(LONG_POLL_SECONDS, remaining))
        return self

    @iterator
    async def stream(self, after: int = 0) -> AsyncGenerator[Event]:
        """Yield the job's events after number `after`, up to the final `done`; reconnects when the stream breaks."""
        async with aclosing(stream.stream_events(self._transport, self._path("/stream"), after)) as events:
            async for event in events:
                yield event

    @operation
    async def predict(
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
        return await predictions.predict(self._transport, self.id, rows, file, options)

    @operation
    async def predict_csv(
        self, /, rows: predictions.Rows | None = None, file: str | Path | None = None, **options: Any
    ) -> str:
        """Return predictions as CSV; takes what `predict` takes."""
        return await predictions.predict_csv(self._transport, self.id, rows, file, options)

    @operation
    async def evaluate(
        self, dataset: str, split: str | None = None, checkpoint: str | None = None
    ) -> Mapping[str, Any]:
        """Return the loss, the metrics (`values`) and the report (`heads`) on a labelled data set, by its id.

        `split` defaults to test, or else validation, or else train; `checkpoint` to the best. Raises `InvalidRequest`
        if the data set does not fit the job or is too large, and `Conflict` while there is no checkpoint.
        """
        body = {"dataset": dataset, "split": split, "checkpoint": checkpoint}
        sent = {name: value for name, value in body.items() if value is not None}
        figures: Mapping[str, Any] = await self._transport.json(
            "POST", self._path("/evaluate"), json=sent, repeatable=True
        )
        return figures

    @chainable
    async def cancel(self) -> Self:
        """Cancel the job; a running one ends within seconds. Cancelling twice is not an error."""
        return await self._request_action("cancel")

    @chainable
    async def pause(self) -> Self:
        """Pause the job; a running one saves a checkpoint first. Pausing twice is not an error."""
        return await self._request_action("pause")

    @chainable
    async def resume(self) -> Self:
        """Resume a paused job at its checkpoint. Resuming twice is not an error."""
        return await self._request_action("resume")

    @chainable
    async def retry(self) -> Self:
        """Resume a failed or cancelled job from its last checkpoint."""
        self.document = await self._transport.create(self._path("/retry"))
        return self

    @chainable
    async def fork(
        self,
        changes: Mapping[str, Any] | None = None,
        from_step: int | None = None,
        what: str = "everything",
        *,
        from_revision: int | None = None,
    ) -> Self:
        """Submit a new job that starts from a checkpoint of this one (default: the newest).

        `changes` is a JSON merge patch (RFC 7396) for the spec; with `what="weights"` only the weights are taken over.
        `from_revision` chooses between the checkpoints before and after an edit.
        """
        body = {"changes": dict(changes or {}), "from_step": from_step, "what": what}
        body |= {"from_revision": from_revision} if from_revision is not None else {}
        return type(self)(self._transport, await self._transport.create(self._path("/fork"), json=body))

    @operation
    async def delete(self, purge: bool = False) -> None:
        """Delete an ended job. It can be restored for a while, unless `purge` removes it for good."""
        await self._transport.request("DELETE", self._path(), params={"purge": "true" if purge else None})

    async def _request_action(self, verb: str) -> Self:
        self.document = await self._transport.json("POST", self._path(f"/{verb}"), repeatable=True)
        return self


class Job(JobResource, BlockingResource):
    """A job of a `Client`, as of the last response of the service; `refresh()` reads it again."""


class AsyncJob(JobResource, AsyncResource):
    """A job of an `AsyncClient`, as of the last response of the service; `refresh()` reads it again."""
