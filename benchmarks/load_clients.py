"""The clients of the load test: event streams, long polls, and requests at a rate, with what they have seen."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

import orjson
from light_client import Answer, Client, EventStream, Server

MIX = ("read", "list", "read", "curves", "submit", "read", "curves", "list", "read", "curves")  # of ten requests
POOL_SIZE = 64  # connections of the requests
WAIT_SECONDS = 25  # of a long poll
ANSWER_SECONDS = 60.0  # for a stream to begin, and for the last requests to be answered
STREAM_PAUSE_SECONDS = 0.005
QUANTILES = {"p50_ms": 0.5, "p99_ms": 0.99, "max_ms": 1.0}


def training_spec(queue: str, steps: int) -> dict[str, Any]:
    """Return a job on the bundled digits, with steps of some ten milliseconds."""
    return {
        "name": "load",
        "model": {
            "layers": [
                {"kind": "Flatten"},
                {"kind": "Linear", "out_features": 1024},
                {"kind": "ReLU"},
                {"kind": "Linear", "out_features": 1024},
                {"kind": "ReLU"},
                {"kind": "Linear", "out_features": 10},
            ]
        },
        "data": {"kind": "builtin", "name": "digits", "validation": {"fraction": 0.2}},
        "objective": {"loss": {"kind": "CrossEntropyLoss"}},
        "resources": {"queue": queue},
        "training": {
            "optimizer": {"kind": "Adam", "lr": 0.001},
            "steps": steps,
            "batch_size": 64,
            "evaluate": {"every_steps": 10**6},
        },
    }


@dataclass
class Figures:
    """What the clients have seen."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))  # by route
    statuses: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))  # by route

    def add(self, route: str, status: int | str, seconds: float | None = None) -> None:
        """Count an answer, or what came instead of one."""
        self.statuses[route][str(status)] += 1
        if seconds is not None:
            self.seconds[route].append(seconds)

    def summary(self) -> dict[str, dict[str, Any]]:
        """Return of every route its answers, by status, and p50, p99 and the largest time in milliseconds."""
        return {
            route: {"statuses": dict(sorted(counts.items())), **_quantiles(self.seconds[route])}
            for route, counts in sorted(self.statuses.items())
        }

    def bad_share(self) -> float:
        """Return the share of answers of 500 or more, and of connections that broke."""
        every = sum((counts for counts in self.statuses.values()), Counter[str]())
        bad = sum(count for status, count in every.items() if not status.isdigit() or int(status) >= 500)
        return bad / max(1, every.total())


def _quantiles(seconds: Sequence[float]) -> dict[str, float]:
    if not seconds:
        return {}
    ordered = sorted(seconds)
    at = {name: ordered[min(len(ordered) - 1, int(share * len(ordered)))] for name, share in QUANTILES.items()}
    return {name: round(1000 * value, 1) for name, value in at.items()} | {"count": len(ordered)}


@dataclass
class Clients:
    """The clients of one service: each key has its share of them."""

    servers: Sequence[Server]
    jobs: Sequence[str]
    rate: float  # requests in a second
    figures: Figures = field(default_factory=Figures)
    streams: list[EventStream] = field(default_factory=list)
    _waits: list[asyncio.Task[None]] = field(default_factory=list)

    def events(self) -> int:
        """Return how many events have come by all streams."""
        return sum(stream.events for stream in self.streams)

    def close(self) -> None:
        """End streams and long polls."""
        for task in self._waits:
            task.cancel()
        for stream in self.streams:
            stream.close()

    async def open_streams(self, count: int) -> None:
        """Follow the jobs by `count` more streams; returns when each has its answer, or is refused."""
        opened = []
        for number in range(count):
            stream = EventStream(self._server(number), f"/v1/jobs/{self._job(number)}/stream")
            await stream.open()
            opened.append(stream)
            await asyncio.sleep(STREAM_PAUSE_SECONDS)
        for stream in opened:
            with suppress(TimeoutError):
                await asyncio.wait_for(stream.answered.wait(), ANSWER_SECONDS)
            self.figures.add("stream", stream.status or "no answer", stream.answered_at - stream.opened_at)
        self.streams += opened

    def begin_waits(self, count: int) -> None:
        """Let `count` clients wait for changes of the jobs."""
        self._waits += [asyncio.create_task(self._wait_for_changes(number)) for number in range(count)]

    def _server(self, number: int) -> Server:
        return self.servers[number % len(self.servers)]

    def _job(self, number: int) -> str:
        return self.jobs[number % len(self.jobs)]

    async def _wait_for_changes(self, number: int) -> None:
        """Wait for the next change of a job, again and again."""
        client, tag = Client(self._server(number)), ""
        while True:
            headers = {"If-None-Match": tag} if tag else {}
            answer = await self._ask(client, "wait", f"/v1/jobs/{self._job(number)}?wait={WAIT_SECONDS}", headers)
            tag = answer.headers.get("etag", tag) if answer is not None else ""
            if answer is None or answer.status >= 400:
                await asyncio.sleep(float(answer.headers.get("retry-after", "1")) if answer is not None else 1)

    async def _ask(self, client: Client, route: str, path: str, headers: Mapping[str, str]) -> Answer | None:
        try:
            answer = await client.request("GET", path, headers=headers)
        except (OSError, EOFError) as error:
            self.figures.add(route, type(error).__name__)
            return None
        self.figures.add(route, answer.status)
        return answer

    async def send_requests(self, seconds: float) -> None:
        """Send the mix of requests at the rate for some time, and wait for the last answer."""
        pool: asyncio.Queue[Client] = asyncio.LifoQueue()
        for number in range(POOL_SIZE):
            pool.put_nowait(Client(self._server(number)))
        loop, tasks = asyncio.get_running_loop(), set()
        began = loop.time()
        for number, route in zip(range(round(seconds * self.rate)), cycle(MIX), strict=False):
            due = began + number / self.rate
            await asyncio.sleep(max(0.0, due - loop.time()))
            task = asyncio.create_task(self._send(pool, route, number, due))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        if tasks:
            await asyncio.wait(tasks, timeout=ANSWER_SECONDS)
        while not pool.empty():
            pool.get_nowait().close()

    async def _send(self, pool: asyncio.Queue[Client], route: str, number: int, due: float) -> None:
        method, path, body = self._request(route, number)
        client = await pool.get()
        try:
            answer = await client.request(method, path, body, {"Content-Type": "application/json"} if body else {})
            self.figures.add(route, answer.status, asyncio.get_running_loop().time() - due)
        except (OSError, EOFError) as error:
            self.figures.add(route, type(error).__name__)
        finally:
            pool.put_nowait(client)

    def _request(self, route: str, number: int) -> tuple[str, str, bytes]:
        job = self._job(number)
        match route:
            case "submit":
                return "POST", "/v1/jobs", orjson.dumps(training_spec("nobody", 100))
            case "read":
                return "GET", f"/v1/jobs/{job}", b""
            case "list":
                return "GET", "/v1/jobs?limit=50", b""
            case _:
                return "GET", f"/v1/jobs/{job}/metrics?names=train/loss&max_points=500", b""
