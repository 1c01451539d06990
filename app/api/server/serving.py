"""uvicorn with bounded connections, and metrics of them."""

import asyncio
import gc
import socket
from collections.abc import Iterable
from functools import partial
from typing import cast

import uvicorn
from fastapi import FastAPI
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from app.api.server.connections import ConnectionTable
from app.api.server.limits import ConnectionLimits
from app.api.server.protocol import BoundedProtocol
from app.settings import Settings

SHUTDOWN_SECONDS = 5  # for open requests to end
COLLECTION_THRESHOLDS = (10_000, 10, 10)  # of `gc`: what a burst of requests holds for a moment is not looked through


class Server(uvicorn.Server):
    """uvicorn's server, without long pauses of the garbage collector.

    A full collection stops every request, for a tenth of a second where it walks over all that was imported. It cannot
    free any of that: what there is before the first request is left out of all collections.
    """

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application, and listen."""
        await super().startup(sockets)
        gc.set_threshold(*COLLECTION_THRESHOLDS)
        gc.collect()
        gc.freeze()


def server_config(app: FastAPI, settings: Settings) -> uvicorn.Config:
    """Return how uvicorn serves the application.

    Forwarded headers are believed from the proxies in the settings alone; uvicorn's own environment variables have no
    effect.
    """
    table = ConnectionTable(ConnectionLimits.from_settings(settings))
    app.state.registry.register(ConnectionCollector(table))
    proxies = [str(network) for network in settings.trusted_proxies]
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=cast(type[asyncio.Protocol], partial(BoundedProtocol, table)),
        ws="none",
        workers=1,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=proxies,
        timeout_keep_alive=settings.keep_alive_seconds,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        log_config=None,
        access_log=False,
        server_header=False,
    )


CONNECTION_METRICS = {
    "graftwerk_connections": "Connections that are open to this API now.",
    "graftwerk_refused_connections_total": "Connections that were ended because of a limit. By code.",
}


class ConnectionCollector(Collector):
    """Collects the metrics of connections."""

    def __init__(self, table: ConnectionTable) -> None:
        self._table = table

    def collect(self) -> Iterable[Metric]:
        """Return the figures."""
        opened, refused = CONNECTION_METRICS.items()
        yield GaugeMetricFamily(*opened, value=self._table.count)
        family = CounterMetricFamily(*refused, labels=["code"])
        for code, count in self._table.refused.copy().items():
            family.add_metric([code], count)
        yield family
