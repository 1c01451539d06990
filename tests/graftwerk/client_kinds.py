"""The two clients behind one interface, so that a test of what they do is written once and runs through both."""

import asyncio
import inspect
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from typing import Any, Protocol, TypeVar, cast

from graftwerk.client import AsyncClient, Client
from graftwerk.http.drivers import AsyncDriver, BlockingDriver, Driver, run
from graftwerk.http.resources import AsyncResource, iterate
from graftwerk.http.transport import Transport
from graftwerk.jobs import AsyncJob, Job
from tests.graftwerk.scripted_transport import URL, ScriptedResponse, ScriptedTransport, job_document

T = TypeVar("T")
D = TypeVar("D", bound=Driver)


class ClientKind(Protocol):
    """Makes clients that answer by a script; `pauses` are those that they make instead of waiting."""

    pauses: list[float]

    def transport(self, script: ScriptedTransport) -> Transport: ...
    def client(self, *answers: ScriptedResponse) -> tuple[Client, ScriptedTransport]: ...
    def job(self, *answers: ScriptedResponse, **document: Any) -> tuple[Job, ScriptedTransport]: ...
    def run(self, coroutine: Coroutine[Any, Any, T]) -> T: ...
    def iterate(self, items: AsyncGenerator[T]) -> Iterator[T]: ...


def blocking_driver(script: ScriptedTransport, pauses: list[float]) -> BlockingDriver:
    return with_pauses(BlockingDriver(script), pauses)


def async_driver(script: ScriptedTransport, pauses: list[float]) -> AsyncDriver:
    return with_pauses(AsyncDriver(script), pauses)


def with_pauses(driver: D, pauses: list[float]) -> D:
    """Return a driver that remembers its pauses instead of making them."""

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    driver.sleep = sleep  # type: ignore[method-assign]
    return driver


class BlockingKind:
    def __init__(self) -> None:
        self.pauses: list[float] = []

    def transport(self, script: ScriptedTransport) -> Transport:
        return Transport(URL, "gw_test", blocking_driver(script, self.pauses))

    def client(self, *answers: ScriptedResponse) -> tuple[Client, ScriptedTransport]:
        script = ScriptedTransport(*answers)
        client = Client(URL, "gw_test", transport=script)
        with_pauses(client._transport.driver, self.pauses)
        return client, script

    def job(self, *answers: ScriptedResponse, **document: Any) -> tuple[Job, ScriptedTransport]:
        script = ScriptedTransport(*answers)
        return Job(self.transport(script), job_document(**document)), script

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return run(coroutine)

    def iterate(self, items: AsyncGenerator[T]) -> Iterator[T]:
        return iterate(items)


class AsyncKind:
    def __init__(self, runner: asyncio.Runner) -> None:
        self.pauses: list[float] = []
        self._runner = runner

    def transport(self, script: ScriptedTransport) -> Transport:
        return Transport(URL, "gw_test", async_driver(script, self.pauses))

    def client(self, *answers: ScriptedResponse) -> tuple[Client, ScriptedTransport]:
        script = ScriptedTransport(*answers)
        client = AsyncClient(URL, "gw_test", transport=script)
        with_pauses(client._transport.driver, self.pauses)
        return cast(Client, CalledFromOutside(client, self)), script

    def job(self, *answers: ScriptedResponse, **document: Any) -> tuple[Job, ScriptedTransport]:
        script = ScriptedTransport(*answers)
        return cast(Job, CalledFromOutside(AsyncJob(self.transport(script), job_document(**document)), self)), script

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(coroutine)

    def iterate(self, items: AsyncGenerator[T]) -> Iterator[T]:
        try:
            while True:
                try:
                    item = self._runner.run(items.__anext__())
                except StopAsyncIteration:
                    return
                yield item
        finally:
            self._runner.run(items.aclose())


class CalledFromOutside:
    """A resource of the asynchronous client, whose coroutines and iterators are run by an event loop when called."""

    def __init__(self, resource: AsyncResource, kind: AsyncKind) -> None:
        self._resource = resource
        self._kind = kind

    def __getattr__(self, name: str) -> Any:
        return self._outside(getattr(self._resource, name))

    def __repr__(self) -> str:
        return repr(self._resource)

    def _outside(self, value: Any) -> Any:
        if inspect.iscoroutine(value):
            return self._outside(self._kind.run(value))
        if inspect.isasyncgen(value):
            return map(self._outside, self._kind.iterate(value))
        if isinstance(value, AsyncResource):
            return CalledFromOutside(value, self._kind)
        if isinstance(value, list):
            return [self._outside(each) for each in value]
        return self._call(value) if inspect.ismethod(value) else value

    def _call(self, method: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *arguments, **options: self._outside(method(*arguments, **options))
