"""The live view of a job in a notebook: one output that is replaced while the job trains."""

import time
from collections.abc import Sequence
from contextlib import aclosing

from graftwerk.charts.lines import arrange_panels, lines_of
from graftwerk.charts.svg import draw_svg
from graftwerk.http.resources import operation
from graftwerk.jobs.curves import CurvesResource
from graftwerk.jobs.progress import ProgressResource
from graftwerk.notebook.display import JobView, open_output
from graftwerk.notebook.html import Html, element

INTERVAL_SECONDS = 1.0  # between two drawings, at least
DRAWN_POINTS = 600  # buckets of a series: about as many as pixels of its width
REDRAWN_AT_ONCE = frozenset({"status", "phase", "done"})  # kinds of events


class LiveResource(CurvesResource):
    """A job that a notebook shows live; a base class of `Job` and `AsyncJob`."""

    @operation
    async def show(self, names: Sequence[str] | None = None, *, x: str = "step", log: bool = False) -> None:
        """Show the job and its curves in a notebook, live until it has ended. Interrupting only ends the view.

        `names`: series (default: all); `x`: step, epoch, elapsed or time; `log`: a logarithmic y axis. The view of an
        `AsyncJob` updates while other cells run: ``task = asyncio.create_task(job.show())``. Raises `MissingPackage`
        without IPython, and `GraftwerkClientError` outside of a notebook.
        """
        output = open_output(await self._draw(names, x, log))
        if self.ended:
            return
        drawn_at = time.monotonic()
        try:
            async with aclosing(ProgressResource.stream(self, self.last_event)) as events:
                async for event in events:
                    if event.kind in REDRAWN_AT_ONCE or time.monotonic() - drawn_at >= INTERVAL_SECONDS:
                        await ProgressResource.refresh(self)
                        output.update(await self._draw(names, x, log))
                        drawn_at = time.monotonic()
        except KeyboardInterrupt:
            return  # the kernel's; the job goes on

    async def _draw(self, names: Sequence[str] | None, x: str, log: bool) -> JobView:
        curves = await CurvesResource.metrics(self, names, DRAWN_POINTS, x)
        panels = arrange_panels(lines_of(curves), together=True, log_y=log)
        drawing = element("div", Html(draw_svg(panels))) if panels else Html()
        return JobView(Html(self._repr_html_() + drawing), repr(self))
