"""The progress of a job: read it again, wait for its end, follow its events."""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Self

from graftwerk.errors import WaitTimeout
from graftwerk.http import stream
from graftwerk.http.pagination import paginate
from graftwerk.http.resources import chainable, iterator
from graftwerk.jobs.document import JobDocument
from graftwerk.types import Event

LONG_POLL_SECONDS = 20.0  # of one long poll


class ProgressResource(JobDocument):
    """The progress of a job; a base class of `Job` and `AsyncJob`."""

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
            await ProgressResource.refresh(self, wait=min(LONG_POLL_SECONDS, remaining))
        return self

    @iterator
    async def events(self, after: int = 0) -> AsyncGenerator[Event]:
        """Yield the events after number `after` that there are by now, oldest first."""
        async for item in paginate(self._transport, self._path("/events"), {"after": after or None}):
            yield Event(item["id"], item["kind"], item["data"])

    @iterator
    async def stream(self, after: int = 0) -> AsyncGenerator[Event]:
        """Yield the job's events after number `after`, up to the final `done`; reconnects when the stream breaks."""
        async with aclosing(stream.stream_events(self._transport, self._path("/stream"), after)) as events:
            async for event in events:
                yield event
