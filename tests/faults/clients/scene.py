"""What an unfriendly client meets: a service that trains, and what is measured of it meanwhile."""

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import psutil
from sqlalchemy.orm import Session

from app.jobs import repository
from app.settings import Settings
from benchmarks.light_client import Answer, Client, Server
from tests.faults.campaign import digits_spec
from tests.faults.deployment import Deployment
from workers.host.persist import record
from workers.protocol.messages import ProgressReport, SeriesPoints

PROBES = {"livez": "/livez", "jobs": "/v1/jobs?limit=20"}
PROBE_PAUSE_SECONDS = 0.1
PROBE_SECONDS = 10.0  # beyond which a probe counts as not answered
QUEUE = "nobody"  # that no worker serves
BLOCK_POINTS = 1024


@dataclass
class Probes:
    """The times of requests of a friendly client, sent one after the other."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in PROBES})
    wrong: list[str] = field(default_factory=list)

    async def send(self, server: Server) -> None:
        """Ask until this is cancelled; over a new connection every time, as somebody who has just come."""
        while True:
            for name, path in PROBES.items():
                client, began = Client(server), time.monotonic()
                try:
                    async with asyncio.timeout(PROBE_SECONDS):  # `wait_for` may swallow the cancellation
                        answer = await client.request("GET", path)
                    if answer.status != 200:
                        self.wrong.append(f"{path} was answered with {answer.status}")
                except (OSError, EOFError, TimeoutError) as error:
                    self.wrong.append(f"{path} was not answered: {type(error).__name__}")
                finally:
                    client.close()
                self.seconds[name].append(time.monotonic() - began)
            await asyncio.sleep(PROBE_PAUSE_SECONDS)

    def median(self, name: str) -> float:
        """Return the median of a probe's times, in seconds."""
        return median(self.seconds[name] or [0.0])

    def p99(self, name: str) -> float:
        """Return their 99th percentile, in seconds."""
        ordered = sorted(self.seconds[name] or [0.0])
        return ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]


@dataclass
class Scene:
    """One service, and how large the crowds are."""

    deployment: Deployment
    size: float  # 1: as in issue reports; less in `make test`
    long_job: str = ""  # has many points, and no end
    ended_job: str = ""
    running_job: str = ""

    @property
    def server(self) -> Server:
        """The service, with the first key."""
        return Server("127.0.0.1", self.deployment.up.port, self.deployment.key)

    def count(self, most: int, least: int = 4) -> int:
        """Return how many of a crowd there are."""
        return max(least, round(self.size * most))

    async def probe(self, seconds: float) -> Probes:
        """Probe an idle service."""
        probes = Probes()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await probes.send(self.server)
        return probes

    def new_key(self, **limits: Any) -> tuple[str, Server]:
        """Create a key; returns its id, and the service with it."""
        with self.deployment.client() as http:
            request = {"name": "unfriendly", "scopes": ["read", "write"], **limits}
            answer = http.post("/v1/keys", json=request).raise_for_status().json()
        return answer["id"], Server("127.0.0.1", self.deployment.up.port, answer["token"])

    def make_long_job(self, points: int) -> str:
        """Submit a job that no worker takes, claim it, and record as many points as a long training does."""
        spec = digits_spec("long", [{"kind": "Flatten"}, {"kind": "Linear", "out_features": 10}])
        job_id = self.deployment.submit(spec | {"resources": {"queue": QUEUE}}, f"long-{time.time_ns()}")

        def fill(session: Session) -> None:
            """Claim and record within one transaction: nobody may see a lease that is not renewed."""
            job = repository.claim(session, [QUEUE], "nobody:0", 60.0)
            assert job is not None
            for start in range(1, points + 1, BLOCK_POINTS):
                steps = list(range(start, min(points + 1, start + BLOCK_POINTS)))
                values = [1 / step for step in steps]
                block = SeriesPoints(steps, values, [time.time()] * len(steps), [step / 1000 for step in steps])
                report = ProgressReport(job_id=job_id, progress={"step": steps[-1]}, series={"train/loss": block})
                record(session, job.fence, report, Settings())

        self.deployment.db.run(fill)
        return job_id

    def api(self) -> psutil.Process:
        """Return the process of the API."""
        return self.deployment.up.processes("-m app.api")[0]

    def api_memory(self) -> float:
        """Return the proportional set size of the API's process, in MiB."""
        return float(self.api().memory_full_info().pss) / 2**20


async def ask(server: Server, path: str, headers: Mapping[str, str] | None = None) -> Answer | None:
    """Send one request over a connection of its own; `None` if the service hangs up."""
    client = Client(server)
    try:
        return await client.request("GET", path, headers=headers)
    except (OSError, EOFError):
        return None
    finally:
        client.close()
