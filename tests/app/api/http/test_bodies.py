"""Bodies that come slowly, or not at all."""

import asyncio
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from threading import Semaphore
from typing import Any

import httpx
import pytest

from app.api.http import bodies
from app.api.lanes import Lane
from tests.app.api.client import assert_problem
from tests.app.api.conftest import StartApp
from tests.app.api.uploads import CSV, register_upload, send_chunk

ID = "0" * 32
IDS = {"dataset_id": f"ds_{ID}", "job_id": f"job_{ID}", "key_id": f"key_{ID}", "webhook_id": f"whk_{ID}"}
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


async def pieces(*content: bytes, seconds: float = 0.0, then: float = 0.0) -> AsyncIterator[bytes]:
    """A body whose pieces come `seconds` apart, and whose end comes `then` seconds after them."""
    for piece in content:
        yield piece
        await asyncio.sleep(seconds)
    await asyncio.sleep(then)


def assert_timeout(response: httpx.Response) -> dict[str, Any]:
    document = assert_problem(response, 408, "body_timeout")
    assert response.headers["connection"] == "close"
    return document


def routes_with_bodies(described: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (verb.upper(), path)
        for path, verbs in described["paths"].items()
        for verb, route in verbs.items()
        if isinstance(route, dict) and "requestBody" in route
    ]


def test_a_silent_body_is_refused_by_every_route(serve: StartApp, described: dict[str, Any]) -> None:
    client = serve(idle_seconds=0.05).client()
    place = register_upload(client)
    routes = routes_with_bodies(described)
    assert len(routes) > 12
    for verb, path in routes:
        address = f"{place}/content" if path.endswith("/content") else path.format(**IDS)
        headers = JSON if not path.endswith("/content") else {}
        document = assert_timeout(client(verb, address, content=pieces(b"{", then=30), headers=headers))
        assert "1 bytes had come" in document["detail"], path


def test_a_trickle_is_refused_by_its_average_rate(serve: StartApp) -> None:
    client = serve(idle_seconds=0.3, body_rate=1000).client()
    assert_timeout(client.post("/v1/jobs", content=pieces(*[b" "] * 500, seconds=0.05), headers=JSON))


def test_a_slow_body_within_the_rate_is_read(serve: StartApp) -> None:
    client = serve(idle_seconds=0.3, body_rate=1000).client()
    place = register_upload(client)
    rows = [CSV[start : start + 100] for start in range(0, len(CSV), 100)]
    response = client.put(f"{place}/content", content=pieces(*rows, seconds=0.05))
    assert response.status_code == 200, response.text


def test_without_a_rate_only_silence_counts(serve: StartApp) -> None:
    client = serve(idle_seconds=0.2, body_rate=0).client()
    response = client.post("/v1/jobs", content=pieces(*[b" "] * 15, seconds=0.03), headers=JSON)
    assert_problem(response, 400, "malformed")


def test_a_chunk_that_breaks_off_is_dropped_and_sent_again(serve: StartApp) -> None:
    """Of a chunk that does not come completely nothing is kept: what was received before it stays."""
    api = serve(idle_seconds=0.1)
    client = api.client()
    place = register_upload(client)
    half = len(CSV) // 2
    assert send_chunk(client, place, 0, half).status_code == 202
    headers = {"Content-Range": f"bytes {half}-{len(CSV) - 1}/{len(CSV)}"}
    broken = client.put(f"{place}/content", content=pieces(CSV[half:-1], then=30), headers=headers)
    assert_timeout(broken)
    assert client.get(place).json()["received"] == half
    assert len(list(api.services.store.keys("datasets/"))) == 1
    assert list(api.services.spool.own_folder().iterdir()) == []
    assert send_chunk(client, place, half, len(CSV)).status_code == 200
    assert client.get(place).json()["status"] == "ready"


def test_time_that_the_service_takes_does_not_count(serve: StartApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is slow is not the client's fault."""
    real = bodies._write

    def slowly(*arguments: Any) -> None:
        time.sleep(0.1)
        real(*arguments)

    monkeypatch.setattr(bodies, "_write", slowly)
    monkeypatch.setattr(bodies, "WRITE_BYTES", 100)
    client = serve(idle_seconds=0.2, body_rate=100_000).client()
    place = register_upload(client)
    rows = [CSV[start : start + 100] for start in range(0, len(CSV), 100)]
    assert len(rows) > 5
    assert client.put(f"{place}/content", content=pieces(*rows)).status_code == 200


def test_a_body_that_trickles_holds_no_place(serve: StartApp, described: dict[str, Any]) -> None:
    """Not of its route, not of any other: while bodies wait, every lane but that of files is empty."""
    api = serve(idle_seconds=1.0)
    client = api.client()
    routes = [(verb, path) for verb, path in routes_with_bodies(described) if not path.endswith("/content")]
    begun = Semaphore(0)

    async def held() -> AsyncIterator[bytes]:
        yield b"{"
        begun.release()
        await asyncio.sleep(30)

    with ThreadPoolExecutor(len(routes)) as pool:
        responses = [
            pool.submit(client, verb, path.format(**IDS), content=held(), headers=JSON) for verb, path in routes
        ]
        for _ in routes:
            assert begun.acquire(timeout=10)
        taken = {lane for lane, queue in api.services.lanes.queues.items() if queue.in_use}
        assert taken == {Lane.UPLOAD}  # the rows of a prediction, which become a file
        assert api.services.lanes.queues[Lane.UPLOAD].in_use == 1
        for response in responses:
            assert_timeout(response.result())


def test_a_key_has_its_share_of_uploads(serve: StartApp) -> None:
    """One key fills its share with uploads that trickle: another one uploads as if they were not there."""
    api = serve(max_uploads=4, idle_seconds=3.0)
    greedy, other = api.client(), api.client("bert")
    share = api.services.lanes.queues[Lane.UPLOAD].limits.per_key
    assert share < 4
    places = [register_upload(greedy) for _ in range(share)]
    with ThreadPoolExecutor(share) as pool:
        slow = [pool.submit(greedy.put, f"{place}/content", content=pieces(b"a", then=30)) for place in places]
        while api.services.lanes.queues[Lane.UPLOAD].in_use < share:
            time.sleep(0.01)
        assert other.put(f"{register_upload(other)}/content", content=CSV).status_code == 200
        for response in slow:
            assert_timeout(response.result())
    assert greedy.put(f"{register_upload(greedy)}/content", content=CSV).status_code == 200
