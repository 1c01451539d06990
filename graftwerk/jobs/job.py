"""A job: predict, evaluate, steer."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

from graftwerk.http.resources import AsyncResource, BlockingResource, chainable, operation
from graftwerk.jobs import predictions
from graftwerk.jobs.checkpoints import CheckpointsResource
from graftwerk.jobs.edits import EditsResource
from graftwerk.jobs.live import LiveResource
from graftwerk.types import Predictions


class JobResource(LiveResource, CheckpointsResource, EditsResource):
    """A job, as of the last response of the service; `refresh()` reads it again."""

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
        count: int | None = None,
        select: str | Sequence[str] | None = None,
        seed: int | None = None,
        generate: Mapping[str, Any] | Literal[False] | None = None,
    ) -> Predictions:
        """Return predictions for rows (mappings by the data set's columns), for a file of rows, or `count` samples.

        `checkpoint` defaults to the best. `outputs`: "labels", "probabilities", "raw", "image" (see
        `Predictions.images`); `top`: how many of the most probable labels to return as well. `select` names outputs of
        the network, whose columns are all that rows need; samples are of those that need none. `seed` is that of
        networks that draw random numbers. Bytes are sent in base64; arrays and tensors as lists.

        `generate` says how a network that generates texts goes on with those of the rows, over the settings of the job:
        `{"method": {"kind": "sample", "temperature": 0.8}, "max_length": 100}`; with False it does not.

        Raises `InvalidRequest` with every problem of the rows, and `Conflict` while there is no checkpoint.
        """
        options: dict[str, Any] = {"checkpoint": checkpoint, "outputs": outputs, "top": top, "batch_size": batch_size}
        options |= {"select": select, "seed": seed, "generate": generate}
        return await predictions.predict(self._transport, self.id, predictions.Source(rows, file, count), options)

    @operation
    async def predict_csv(
        self,
        /,
        rows: predictions.Rows | None = None,
        file: str | Path | None = None,
        count: int | None = None,
        **options: Any,
    ) -> str:
        """Return predictions as CSV; takes what `predict` takes."""
        source = predictions.Source(rows, file, count)
        return await predictions.predict_csv(self._transport, self.id, source, options)

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
