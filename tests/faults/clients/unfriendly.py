"""Clients that a service must not suffer from. Each does its worst, and returns how the service failed to answer it."""

import asyncio
import os
import signal
import socket
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

import orjson

from benchmarks.light_client import Answer, Client, EventStream, Server
from tests.acceptance.service import wait_until
from tests.faults.clients.scene import Scene, ask

HEAD_BYTES = 8 << 20  # of a head that does not end; a service hangs up long before
HANG_UP_SECONDS = 45.0  # within which a service has lost patience with a client that sends nothing
TRICKLE_SECONDS = 20.0
REVOKED_SECONDS = 5.0  # two, and some for a busy machine
FIRST_ANSWER_SECONDS = 10.0
REFUSALS = frozenset({400, 408, 409, 413, 415, 422, 429, 431, 501, 503})  # each is documented

Unfriendly = Callable[[Scene], Awaitable[list[str]]]


async def endless_header(scene: Scene) -> list[str]:
    """Without a key, send a head that does not end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", scene.server.port)
    sent = 0
    try:
        writer.write(b"GET /v1/jobs HTTP/1.1\r\nHost: here\r\nX-Endless: ")
        while sent < HEAD_BYTES:
            writer.write(b"a" * 65536)
            await asyncio.wait_for(writer.drain(), 10)
            sent += 65536
            if writer.is_closing() or reader.at_eof():
                return []
    except (OSError, TimeoutError):
        return []
    finally:
        writer.close()
    return [f"{sent} bytes of a head were taken"]


async def half_sent_requests(scene: Scene) -> list[str]:
    """Without a key, send the first half of many requests, and hold the connections."""
    pairs = [await asyncio.open_connection("127.0.0.1", scene.server.port) for _ in range(scene.count(400, 40))]
    for _, writer in pairs:
        writer.write(b"GET /v1/jobs HTTP/1.1\r\nHost: ")
    try:
        ends = [asyncio.create_task(_end(reader)) for reader, _ in pairs]
        _, held = await asyncio.wait(ends, timeout=HANG_UP_SECONDS)
        for task in held:
            task.cancel()
    finally:
        for _, writer in pairs:
            writer.close()
    return [f"{len(held)} of {len(pairs)} half-sent requests were held for {HANG_UP_SECONDS:g} s"] if held else []


async def _end(reader: asyncio.StreamReader) -> None:
    with suppress(OSError):
        while await reader.read(65536):
            pass


async def trickling_uploads(scene: Scene) -> list[str]:
    """With one key, send more bodies than there may be at once, a byte at a time; somebody else has a small upload."""
    _, crowd = scene.new_key()
    _, honest = scene.new_key()
    tasks = [asyncio.create_task(_trickle(crowd, await _new_dataset(crowd))) for _ in range(20)]
    await asyncio.sleep(1)
    try:
        return await _upload(honest, await _new_dataset(honest), time.monotonic() + TRICKLE_SECONDS)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _new_dataset(server: Server) -> str:
    source = {"name": "trickle", "source": {"kind": "upload", "file": "a.csv"}}
    answer = await _send(server, "POST", "/v1/datasets", orjson.dumps(source), {"Content-Type": "application/json"})
    return str(orjson.loads(answer.body)["id"])


async def _send(server: Server, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
    client = Client(server)
    try:
        return await client.request(method, path, body, headers)
    finally:
        client.close()


async def _trickle(server: Server, dataset_id: str) -> None:
    reader, writer = await asyncio.open_connection(server.host, server.port)
    try:
        writer.write(server.head("PUT", f"/v1/datasets/{dataset_id}/content", {}, 10_000_000))
        while not reader.at_eof():
            writer.write(b"1")
            await asyncio.sleep(0.3)
    finally:
        writer.close()


async def _upload(server: Server, dataset_id: str, deadline: float) -> list[str]:
    answers = Counter[int]()
    while time.monotonic() < deadline:
        answer = await _send(server, "PUT", f"/v1/datasets/{dataset_id}/content", b"x,y\n1,2\n3,4\n", {})
        if answer.status < 300:
            return []
        answers[answer.status] += 1
        await asyncio.sleep(1)
    return [f"another key's upload was refused for {TRICKLE_SECONDS:g} s: {dict(answers)}"]


async def slow_readers(scene: Scene) -> list[str]:
    """Ask for all points of a long job, and read nothing of the answer."""
    sockets = []
    for _ in range(scene.count(40)):
        link = socket.socket()
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        link.connect(("127.0.0.1", scene.server.port))
        link.sendall(scene.server.head("GET", f"/v1/jobs/{scene.long_job}/metrics", {"Accept": "text/csv"}, 0))
        sockets.append(link)
    await asyncio.sleep(5)
    for link in sockets:
        link.close()
    return []


async def streams_of_a_long_job(scene: Scene) -> list[str]:
    """Follow a job with many points from its first event, all at once."""
    path = f"/v1/jobs/{scene.long_job}/stream"
    streams = [EventStream(scene.server, path) for _ in range(scene.count(300, 20))]
    await asyncio.gather(*(stream.open() for stream in streams))
    await asyncio.sleep(5)
    for stream in streams:
        with suppress(TimeoutError):
            await asyncio.wait_for(stream.answered.wait(), 20)
        stream.close()
    wrong = Counter(stream.status for stream in streams if stream.status not in {200, *REFUSALS})
    return [f"streams were answered with {dict(wrong)}"] if wrong else []


async def repeated_waits(scene: Scene) -> list[str]:
    """Wait for the next change of a job that trains, and again, without a pause."""

    async def poll() -> int:
        client, until = Client(scene.server), time.monotonic() + 5
        status = 0
        while time.monotonic() < until:
            status = (await client.request("GET", f"/v1/jobs/{scene.running_job}?wait=20")).status
        client.close()
        return status

    return _unexpected(await asyncio.gather(*(poll() for _ in range(scene.count(100, 20))), return_exceptions=True))


async def exports_at_once(scene: Scene) -> list[str]:
    """Ask for exports, all at once."""
    server = scene.server
    listed = await ask(server, f"/v1/jobs/{scene.ended_job}/checkpoints")
    assert listed is not None
    saved = orjson.loads(listed.body)["items"]
    paths = [
        f"/v1/checkpoints/{saved[number % len(saved)]['id']}/exports/{('torch_export', 'bundle')[number % 2]}"
        for number in range(scene.count(45, 6))
    ]
    return _unexpected(await asyncio.gather(*(_status(server, path) for path in paths), return_exceptions=True))


async def _status(server: Server, path: str) -> int:
    answer = await ask(server, path)
    return answer.status if answer is not None else 0


async def large_yaml(scene: Scene) -> list[str]:
    """Send YAML documents of a megabyte with as many nodes as there is room for."""
    body = b"a: [" + b"1," * ((1 << 19) - 50) + b"1]\n"
    headers = {"Content-Type": "application/yaml"}
    sends = (_send(scene.server, "POST", "/v1/jobs", body, headers) for _ in range(scene.count(8, 2)))
    answers = await asyncio.gather(*sends, return_exceptions=True)
    return _unexpected([each.status if isinstance(each, Answer) else each for each in answers])


async def revoked_keys(scene: Scene) -> list[str]:
    """Follow a job, and wait for another one, with a key that is then revoked."""
    key_id, server = scene.new_key()
    streams = [EventStream(server, f"/v1/jobs/{scene.long_job}/stream") for _ in range(4)]
    for stream in streams:
        await stream.open()
        await asyncio.wait_for(stream.answered.wait(), 30)
    waiting = asyncio.create_task(ask(server, f"/v1/jobs/{scene.long_job}?wait=25"))
    await asyncio.sleep(0.5)
    deleted = await _send(scene.server, "DELETE", f"/v1/keys/{key_id}", b"", {})
    assert deleted.status < 300, deleted
    until = time.monotonic() + REVOKED_SECONDS
    while time.monotonic() < until and not (all(stream.is_closed for stream in streams) and waiting.done()):
        await asyncio.sleep(0.05)
    open_ones = sum(not stream.is_closed for stream in streams) + (not waiting.done())
    waiting.cancel()
    for stream in streams:
        stream.close()
    return [f"{open_ones} of 5 requests of a revoked key went on for {REVOKED_SECONDS:g} s"] if open_ones else []


async def everybody_after_a_restart(scene: Scene) -> list[str]:
    """Kill the API, and come back all at once as soon as it answers."""
    api = scene.api()
    os.kill(api.pid, signal.SIGKILL)
    await asyncio.to_thread(wait_until, scene.deployment.up.is_ready, "readiness after a kill", 60)
    began = time.monotonic()
    paths = [f"/v1/jobs?limit={number + 1}" for number in range(40)]
    statuses = await asyncio.gather(*(_status(scene.server, path) for path in paths), return_exceptions=True)
    seconds = time.monotonic() - began
    late = [f"forty requests after a restart took {seconds:.1f} s"] if seconds > FIRST_ANSWER_SECONDS else []
    return _unexpected(statuses) + late


def _unexpected(statuses: list[int | BaseException]) -> list[str]:
    wrong = Counter(
        str(status) if isinstance(status, int) else type(status).__name__
        for status in statuses
        if not isinstance(status, int) or not (200 <= status < 300 or status in REFUSALS)
    )
    return [f"answered with {dict(wrong)}"] if wrong else []


UNFRIENDLY_CLIENTS: Mapping[str, Unfriendly] = {
    each.__name__: each
    for each in (
        endless_header,
        half_sent_requests,
        trickling_uploads,
        slow_readers,
        streams_of_a_long_job,
        repeated_waits,
        exports_at_once,
        large_yaml,
        revoked_keys,
        everybody_after_a_restart,
    )
}
