"""Lists that the service tells page by page."""

from collections.abc import Iterator, Mapping
from typing import Any

from graftwerk.http.transport import Transport


def paginate(transport: Transport, path: str, params: Mapping[str, Any] | None = None) -> Iterator[dict[str, Any]]:
    """Yield every item of a list, asking for the next page only when it is wanted."""
    asked = dict(params or {})
    while True:
        page = transport.json("GET", path, params=asked)
        yield from page["items"]
        if not page.get("has_more"):
            return
        asked["after"] = page["items"][-1]["id"]
