"""Paginated lists of the service."""

from collections.abc import AsyncGenerator, Mapping
from typing import Any

from graftwerk.http.transport import Transport


async def paginate(
    transport: Transport, path: str, params: Mapping[str, Any] | None = None
) -> AsyncGenerator[dict[str, Any], None]:
    """Yield every item of a list; each page is requested when its first item is needed."""
    query = dict(params or {})
    while True:
        page = await transport.json("GET", path, params=query)
        for item in page["items"]:
            yield item
        if not page.get("has_more"):
            return
        query["after"] = page["items"][-1]["id"]
