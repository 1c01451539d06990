"""The application behind a port, for what needs a network: streams."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import anyio
import httpx
import uvicorn

from tests.app.api.client import Api, Client


@contextmanager
def server(api: Api) -> Iterator[str]:
    """Serve the application on a port; yields the URL."""
    config = uvicorn.Config(api.app, port=0, lifespan="off", log_config=None, timeout_graceful_shutdown=1)
    running_server = uvicorn.Server(config)
    future = api.portal.start_task_soon(running_server.serve)
    while not running_server.started:
        api.portal.call(anyio.sleep, 0.01)
    port = running_server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:  # a server that went on would keep the tests from ending
        running_server.should_exit = True
        future.result(timeout=10)


def listening(url: str, anna: Client, job_id: str) -> AbstractContextManager[httpx.Response]:
    """Read a job's stream over the network, until the end of the block."""
    headers = {"Authorization": anna.headers["Authorization"]}
    return httpx.stream("GET", f"{url}/v1/jobs/{job_id}/stream", headers=headers, timeout=60)
