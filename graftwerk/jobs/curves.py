"""The curves of a job, and the evaluation of its checkpoints."""

from collections.abc import Mapping, Sequence
from typing import Any

from graftwerk.http.resources import operation
from graftwerk.jobs.document import JobDocument
from graftwerk.types import Metrics


class CurvesResource(JobDocument):
    """The curves of a job; a base class of `Job` and `AsyncJob`."""

    @operation
    async def metrics(
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
        return Metrics.from_document(x, await self._transport.json("GET", self._path("/metrics"), params=params))

    @operation
    async def metrics_csv(self, names: Sequence[str] | None = None) -> str:
        """Return every point as CSV."""
        params = {"names": ",".join(names) if names else None}
        headers = {"Accept": "text/csv"}
        return (await self._transport.request("GET", self._path("/metrics"), params=params, headers=headers)).text

    @operation
    async def report(self, checkpoint: str | None = None) -> Mapping[str, Any]:
        """Return the evaluation report of a checkpoint (default: the best): classes, confusion, entities, errors.

        `test` has the same of the test, once the job has succeeded. Raises `NotFound` if there is no report: without
        validation and test, or before the first checkpoint.
        """
        params = {"checkpoint": checkpoint}
        report: Mapping[str, Any] = await self._transport.json("GET", self._path("/report"), params=params)
        return report
