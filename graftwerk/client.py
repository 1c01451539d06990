"""The clients: ``Client().jobs.create(spec).wait()``, and ``await AsyncClient().jobs.create(spec)``."""

from typing import Any, Self
from urllib.parse import quote

import httpx

from graftwerk.datasets import AsyncDatasets, Datasets
from graftwerk.errors import AddressNotConfigured, ServerError
from graftwerk.http.address import find_address
from graftwerk.http.drivers import AsyncDriver, BlockingDriver, Driver
from graftwerk.http.resources import AsyncResource, BlockingResource, Resource, operation
from graftwerk.http.transport import MAX_ATTEMPTS, Transport
from graftwerk.jobs.collection import AsyncJobs, Jobs
from graftwerk.jobs.folds import AsyncFoldGroups, FoldGroups
from graftwerk.keys import AsyncKeys, Keys
from graftwerk.webhooks import AsyncWebhooks, Webhooks


class ClientResource(Resource):
    """A client of a Graftwerk service; base class of `Client` and `AsyncClient`."""

    def __init__(self, base_url: str | None, key: str | None, driver: Driver, attempts: int) -> None:
        address = find_address(base_url, key)
        if address is None:
            raise AddressNotConfigured
        self.url = address.url
        super().__init__(Transport(address.url, address.key, driver, attempts=attempts))

    @operation
    async def ready(self) -> dict[str, Any]:
        """Return the service's readiness report. Raises `Unreachable`."""
        try:
            report: dict[str, Any] = await self._transport.json("GET", "/readyz", repeatable=False)
        except ServerError as error:
            return {"ready": False} | error.document
        return {"ready": True} | report

    @operation
    async def workers(self) -> dict[str, Any]:
        """Return the workers, and the API's clock skew against the database's. Needs the scope admin."""
        workers: dict[str, Any] = await self._transport.json("GET", "/v1/workers")
        return workers

    @operation
    async def sign_in_link(self, page: str = "/jobs") -> str:
        """Return a link that opens a page of the dashboard and signs the browser in: once, and within ten minutes."""
        link: dict[str, Any] = await self._transport.create("/v1/session/links")
        address, fragment, token = link["url"].partition("#")
        if not fragment:  # without authentication
            return f"{address.rstrip('/')}{page}"
        return f"{address}?next={quote(page, safe='/')}#{token}"

    @operation
    async def close(self) -> None:
        """Close all connections."""
        await self._transport.close()


class Client(ClientResource, BlockingResource):
    """A client of a Graftwerk service, by blocking calls. It may be shared by threads.

    Address and key default to GRAFTWERK_URL and GRAFTWERK_KEY, then to the files that `graftwerk up` wrote into the
    home directory. `attempts`: how often a request is sent at most, which waits up to 8 s in between, or as long as the
    service asks for. Raises `AddressNotConfigured` if there is no address.
    """

    def __init__(
        self,
        base_url: str | None = None,
        key: str | None = None,
        *,
        attempts: int = MAX_ATTEMPTS,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        super().__init__(base_url, key, BlockingDriver(transport), attempts)
        self.jobs = Jobs(self._transport)
        self.folds = FoldGroups(self._transport, self.jobs)
        self.datasets = Datasets(self._transport)
        self.keys = Keys(self._transport)
        self.webhooks = Webhooks(self._transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class AsyncClient(ClientResource, AsyncResource):
    """A client of a Graftwerk service for asyncio and trio. It has the methods of `Client`, as coroutines.

    What `Client` returns as an iterator is an asynchronous generator: ``async for event in job.stream()``. A task that
    is cancelled closes its connection. The parameters are those of `Client`.
    """

    def __init__(
        self,
        base_url: str | None = None,
        key: str | None = None,
        *,
        attempts: int = MAX_ATTEMPTS,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        super().__init__(base_url, key, AsyncDriver(transport), attempts)
        self.jobs = AsyncJobs(self._transport)
        self.folds = AsyncFoldGroups(self._transport, self.jobs)
        self.datasets = AsyncDatasets(self._transport)
        self.keys = AsyncKeys(self._transport)
        self.webhooks = AsyncWebhooks(self._transport)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()
