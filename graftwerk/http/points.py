"""Every point of curves, as lines of JSON."""

import json
from collections import Counter
from collections.abc import AsyncGenerator, Sequence

import httpx

from graftwerk.errors import ServerError
from graftwerk.http.transport import Reconnection, Transport
from graftwerk.numbers import parse_number
from graftwerk.types import Point

NDJSON = "application/x-ndjson"


async def stream_points(transport: Transport, path: str, names: Sequence[str] | None = None) -> AsyncGenerator[Point]:
    """Yield the points of the selected series (default: all), each once, however often the connection breaks."""
    params = {"names": ",".join(names)} if names else None
    reconnection = Reconnection(transport)
    received: Counter[str] = Counter()  # series → points
    while True:
        failure: Exception | None = None
        known = received.copy()
        try:
            async with transport.stream(path, params=params, headers={"Accept": NDJSON}) as response:
                async for line in response.aiter_lines():
                    point = _parse_point(line)
                    if known[point.series]:
                        known[point.series] -= 1
                        continue
                    reconnection.progress()
                    received[point.series] += 1
                    yield point
            return
        except (httpx.TransportError, ServerError) as error:
            failure = error
        await reconnection.pause(failure, "the response")


def _parse_point(line: str) -> Point:
    fields = json.loads(line)
    return Point(fields["series"], fields["step"], parse_number(fields["value"]), fields["time"], fields["elapsed"])
