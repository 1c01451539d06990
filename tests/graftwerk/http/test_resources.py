"""One implementation, two clients: what a method is in each, and what ends with an iterator or a task."""

import asyncio
import inspect
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing

import httpx
import pytest

from graftwerk import AsyncClient, Client
from graftwerk.client import ClientResource
from graftwerk.http.drivers import run
from graftwerk.http.resources import AsyncResource, BlockingResource
from graftwerk.http.transport import Transport
from graftwerk.jobs import AsyncJob, Job, JobResource
from tests.graftwerk.client_kinds import ClientKind, async_driver
from tests.graftwerk.http.test_stream import events, message
from tests.graftwerk.scripted_transport import URL, ChunkedStream, ScriptedTransport, job_document

PAIRS = [
    (getattr(Client(URL), name), getattr(AsyncClient(URL), name)) for name in ("jobs", "folds", "datasets", "keys")
] + [(Client(URL), AsyncClient(URL)), (Client(URL).webhooks, AsyncClient(URL).webhooks)]


@pytest.mark.parametrize(
    ("blocking", "asynchronous"), [*((type(one), type(other)) for one, other in PAIRS), (Job, AsyncJob)]
)
def test_both_clients_have_the_same_methods_with_the_same_parameters(
    blocking: type[BlockingResource], asynchronous: type[AsyncResource]
) -> None:
    names = [name for name in dir(blocking) if not name.startswith("_") and callable(getattr(blocking, name))]
    assert len(names) > 1
    assert names == [
        name for name in dir(asynchronous) if not name.startswith("_") and callable(getattr(blocking, name))
    ]
    for name in names:
        one, other = getattr(blocking, name), getattr(asynchronous, name)
        assert inspect.signature(one) == inspect.signature(other)
        assert one.__doc__ == other.__doc__
        assert one.__doc__
        assert not inspect.iscoroutinefunction(one)
        assert inspect.iscoroutinefunction(other) or inspect.isasyncgenfunction(other)


def test_the_base_class_has_the_coroutine_function() -> None:
    assert inspect.iscoroutinefunction(JobResource.refresh)
    assert inspect.iscoroutinefunction(ClientResource.ready)


def test_a_method_may_be_taken_from_the_class(api: ClientKind) -> None:
    job, _ = api.job(job_document(status="cancelled"))
    assert isinstance(job, Job) is (type(api).__name__ == "BlockingKind")
    if isinstance(job, Job):
        assert Job.cancel(job).status == "cancelled"


def test_a_blocking_client_never_waits_for_an_event_loop() -> None:
    with pytest.raises(RuntimeError, match="suspended"):
        run(asyncio.sleep(0))


def test_the_blocking_client_works_inside_an_event_loop() -> None:
    """As in a notebook, whose cells run in one."""

    async def cell() -> list[int]:
        script = ScriptedTransport(job_document(), events(message(1), message(2), message(3)))
        client = Client(URL, transport=script)
        for event in client.jobs.get("job_1").stream():
            return [event.seq]
        return []

    assert asyncio.run(cell()) == [1]


class EndlessStream(ChunkedStream):
    """A body that goes silent after its pieces, and stays open."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            yield piece
        await asyncio.Event().wait()

    def __iter__(self) -> Iterator[bytes]:
        yield from self.pieces
        raise AssertionError("read on after the last event that was taken")


def endless() -> tuple[ScriptedTransport, EndlessStream]:
    body = EndlessStream(message(1), message(2))
    return ScriptedTransport(httpx.Response(200, headers={"Content-Type": "text/event-stream"}, stream=body)), body


def async_job(script: ScriptedTransport) -> AsyncJob:
    return AsyncJob(Transport(URL, None, async_driver(script, [])), job_document())


def test_a_cancelled_task_closes_its_connection() -> None:
    script, body = endless()
    seen: list[int] = []

    async def watch() -> None:
        async for event in async_job(script).stream():
            seen.append(event.seq)

    async def main() -> None:
        task = asyncio.create_task(watch())
        while len(seen) < 2:
            await asyncio.sleep(0)
        assert not body.closed
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert body.closed

    asyncio.run(main())


def test_a_break_closes_the_connection() -> None:
    async def main(close: bool) -> None:
        script, body = endless()
        events = async_job(script).stream()
        if close:
            async with aclosing(events):
                assert (await anext(events)).seq == 1
        else:
            async for event in events:
                assert event.seq == 1
                break
            del events
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        assert body.closed

    for close in (True, False):
        asyncio.run(main(close))


def test_a_break_closes_the_connection_of_the_blocking_client() -> None:
    body = EndlessStream(message(1), message(2))
    answer = httpx.Response(200, headers={"Content-Type": "text/event-stream"}, stream=body)
    client = Client(URL, transport=ScriptedTransport(job_document(), answer))
    events = client.jobs.get("job_1").stream()
    assert next(events).seq == 1
    assert not body.closed
    events.close()
    assert body.closed


def test_requests_of_the_asynchronous_client_overlap() -> None:
    """Two requests are answered only once both have arrived."""
    arrived: list[str] = []

    class Meeting(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            arrived.append(request.url.path)
            while len(arrived) < 2:
                await asyncio.sleep(0)
            return httpx.Response(200, json=job_document(request.url.path.rpartition("/")[2]))

    async def main() -> list[AsyncJob]:
        async with AsyncClient(URL, transport=Meeting()) as client:
            return await asyncio.gather(client.jobs.get("job_1"), client.jobs.get("job_2"))

    assert [job.id for job in asyncio.run(asyncio.wait_for(main(), 10))] == ["job_1", "job_2"]


def test_files_are_read_outside_the_event_loop() -> None:
    async def main() -> tuple[int, int]:
        driver = async_driver(ScriptedTransport(), [])
        return threading.get_ident(), await driver.work(threading.get_ident)

    loop, worker = asyncio.run(main())
    assert loop != worker
