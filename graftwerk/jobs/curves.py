"""The curves of a job, and the evaluation of its checkpoints."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

from graftwerk.errors import InvalidData
from graftwerk.exports.forms import CURVE_FORMS, CurveExport
from graftwerk.exports.run import Run
from graftwerk.http.points import stream_points
from graftwerk.http.resources import iterator, operation
from graftwerk.jobs.progress import ProgressResource
from graftwerk.types import Metrics, Point


class CurvesResource(ProgressResource):
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
    async def statistics(
        self,
        nodes: Sequence[str] | None = None,
        quantities: Sequence[str] | None = None,
        max_points: int | None = None,
        from_: int | None = None,
        to: int | None = None,
    ) -> Mapping[str, Any]:
        """Return what happened inside the network: columns `step`, `min`, `max`, `last` by node and quantity."""
        selection = {"nodes": ",".join(nodes) if nodes else None, "max_points": max_points, "from": from_, "to": to}
        params = selection | {"quantities": ",".join(quantities) if quantities else None}
        document = await self._transport.json("GET", self._path("/statistics"), params=params)
        found: Mapping[str, Any] = document["nodes"]
        return found

    @operation
    async def histograms(
        self, node: str, quantity: str = "weights", max_points: int | None = None
    ) -> Mapping[str, Any]:
        """Return the distributions of a node's weights, gradients or activations: `steps`, `edges`, `counts`."""
        params = {"node": node, "quantity": quantity, "max_points": max_points}
        path = self._path("/statistics/histograms")
        found: Mapping[str, Any] = await self._transport.json("GET", path, params=params)
        return found

    @operation
    async def metrics_csv(self, names: Sequence[str] | None = None) -> str:
        """Return every point as CSV."""
        params = {"names": ",".join(names) if names else None}
        headers = {"Accept": "text/csv"}
        return (await self._transport.request("GET", self._path("/metrics"), params=params, headers=headers)).text

    @iterator
    async def points(self, names: Sequence[str] | None = None) -> AsyncGenerator[Point]:
        """Yield every point, one series after the other, as they arrive: a million of them do not fill memory.

        A connection that breaks is replaced, and no point is yielded twice. Raises `NotFound` for a series that the
        job does not have, `Unreachable`, or another `ApiStatusError`.
        """
        async with aclosing(stream_points(self._transport, self._path("/metrics"), names)) as points:
            async for point in points:
                yield point

    @operation
    async def export_curves(self, form: str, folder: str | Path, names: Sequence[str] | None = None) -> Path:
        """Write every point for another program, into a new folder in `folder`, and return its path.

        `form`: "tensorboard" (event files), "mlflow" (a folder of its file store), or "mlflow_json" (bodies of its REST
        API as lines of JSON). NaN and infinities stay what they are; TensorBoard has values in float32. A second export
        takes the place of the first. Raises `InvalidData` for another form, and what `points` does.
        """
        if form not in CURVE_FORMS:
            raise InvalidData(f"{form} is not a form of curves: {', '.join(CURVE_FORMS)}")
        if "spec" not in self.document:  # that of a list
            await ProgressResource.refresh(self)
        export = CurveExport(form, Path(folder), Run.from_document(self.document))
        try:
            async with aclosing(stream_points(self._transport, self._path("/metrics"), names)) as points:
                async for point in points:
                    export.writer.write(point)
        except BaseException:
            export.writer.close()
            export.discard()
            raise
        return export.finish()

    @operation
    async def report(self, checkpoint: str | None = None) -> Mapping[str, Any]:
        """Return the evaluation report of a checkpoint (default: the best): classes, confusion, entities, errors.

        `episodes` has the returns of a job in an environment, and one of its episodes step by step. `test` has the
        report of the test, once the job has succeeded. Raises `NotFound` if there is no report: without validation and
        test, or before the first checkpoint.
        """
        params = {"checkpoint": checkpoint}
        report: Mapping[str, Any] = await self._transport.json("GET", self._path("/report"), params=params)
        return report
