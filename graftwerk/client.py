"""The client: ``Client().jobs.create(spec).wait()``."""

from typing import Any, Self

import httpx

from graftwerk.datasets import Datasets
from graftwerk.errors import AddressNotConfigured, ServerError
from graftwerk.folds import FoldGroups
from graftwerk.http.address import find_address
from graftwerk.http.transport import Transport
from graftwerk.jobs import Jobs
from graftwerk.keys import Keys
from graftwerk.webhooks import Webhooks


class Client:
    """A client of a Graftwerk service.

    Address and key default to GRAFTWERK_URL and GRAFTWERK_KEY, then to the files that `graftwerk up` wrote into the
    home directory. Raises `AddressNotConfigured` if neither is there.
    """

    def __init__(
        self, base_url: str | None = None, key: str | None = None, *, transport: httpx.BaseTransport | None = None
    ) -> None:
        address = find_address(base_url, key)
        if address is None:
            raise AddressNotConfigured
        self.url = address.url
        self.transport = Transport(address.url, address.key, transport=transport)
        self.jobs = Jobs(self.transport)
        self.folds = FoldGroups(self.jobs)
        self.datasets = Datasets(self.transport)
        self.keys = Keys(self.transport)
        self.webhooks = Webhooks(self.transport)

    def ready(self) -> dict[str, Any]:
        """Return the service's readiness report. Raises `Unreachable`."""
        try:
            report: dict[str, Any] = self.transport.json("GET", "/readyz", repeatable=False)
        except ServerError as error:
            return {"ready": False} | error.document
        return {"ready": True} | report

    def workers(self) -> dict[str, Any]:
        """Return the workers, and the API's clock skew against the database's. Needs the scope admin."""
        workers: dict[str, Any] = self.transport.json("GET", "/v1/workers")
        return workers

    def close(self) -> None:
        """Close all connections."""
        self.transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
