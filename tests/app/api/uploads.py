"""Uploads of a small table, as clients send them."""

import hashlib
from typing import Any

import httpx

from tests.app.api.client import Api, Client

CSV_TEXT = "a,b,kind\n" + "".join(f"{n},{n % 7},{'odd' if n % 2 else 'even'}\n" for n in range(100))
CSV = CSV_TEXT.encode()


def register_upload(anna: Client, **source: Any) -> str:
    """Register a data set to upload; returns its path."""
    made = anna.post("/v1/datasets", json={"name": "rows", "source": {"kind": "upload", "format": "csv"} | source})
    assert made.status_code == 201, made.text
    place: str = made.headers["location"]
    assert made.json()["status"] == "awaiting_content"
    return place


def send_chunk(
    anna: Client, place: str, start: int, stop: int, content: bytes = CSV, *, with_range: bool = True
) -> httpx.Response:
    """Send a chunk; without a Content-Range, it is the complete content."""
    headers = {"Content-Range": f"bytes {start}-{stop - 1}/{len(content)}"} if with_range else {}
    return anna.put(f"{place}/content", content=content[start:stop], headers=headers)


def finish_upload(anna: Client, place: str, size: int = len(CSV)) -> httpx.Response:
    return anna.put(f"{place}/content", headers={"Content-Range": f"bytes */{size}"})


def assert_ready(api: Api, anna: Client, place: str, content: bytes = CSV) -> dict[str, Any]:
    """Check that a data set has this content, and that nothing else is kept."""
    row: dict[str, Any] = anna.get(place).json()
    assert (row["status"], row["problems"], row["received"]) == ("ready", [], len(content))
    assert row["sha256"] == hashlib.sha256(content).hexdigest()
    assert list(api.services.store.keys(f"datasets/{row['id']}/")) == []
    (key,) = api.services.store.keys(f"contents/{row['sha256']}/")
    assert b"".join(api.services.store.read(key)) == content
    return row
