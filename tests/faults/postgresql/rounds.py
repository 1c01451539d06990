"""A round of failing over: the primary dies while jobs train and clients write, and the standby takes its place."""

import threading
import time
from collections import Counter
from dataclasses import dataclass, field

import httpx

from tests.faults.campaign import Round
from tests.faults.postgresql.replicated import ReplicatedPostgres

ANSWER_SECONDS = 10.0  # for a request, whatever the database does
PAUSE_SECONDS = 0.05


@dataclass
class Writer:
    """A client that registers data sets, one after the other, and notes what was acknowledged."""

    here: Round
    acknowledged: list[str] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    slowest: float = 0.0  # seconds
    _end: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "Writer":
        self._thread = threading.Thread(target=self._write)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._end.set()
        self._thread.join()

    def _write(self) -> None:
        number = 0
        with self.here.deployment.client() as http:
            while not self._end.wait(PAUSE_SECONDS):
                number += 1
                source = {"name": f"{self.here.number}-{number}", "source": {"kind": "builtin", "name": "digits"}}
                began = time.monotonic()
                try:
                    answer = http.post("/v1/datasets", json=source)
                except httpx.TransportError:
                    self.statuses[0] += 1
                    continue
                self.slowest = max(self.slowest, time.monotonic() - began)
                self.statuses[answer.status_code] += 1
                if answer.status_code == 201:
                    self.acknowledged.append(answer.json()["id"])


def failovers(here: Round) -> None:
    """The primary crashes, and the standby is promoted; a client writes all the while."""
    postgres = here.deployment.postgres
    assert isinstance(postgres, ReplicatedPostgres)
    jobs = [here.submit(), here.submit()]
    for job_id in jobs:
        here.wait_for_points(job_id)
    time.sleep(here.random.uniform(0, 1))
    with Writer(here) as writer:
        time.sleep(here.random.uniform(0.3, 1))
        before, stopped = len(writer.acknowledged), time.monotonic()
        postgres.fail_over()
        while len(writer.acknowledged) < before + 2 and time.monotonic() < stopped + 60:
            time.sleep(0.05)
        here.figures["away_seconds"] = round(time.monotonic() - stopped, 2)
        late = here.submit()
    with here.deployment.client() as http:
        lost = [each for each in writer.acknowledged if http.get(f"/v1/datasets/{each}").status_code != 200]
    here.figures["acknowledged"] = len(writer.acknowledged)
    here.wait_for_all()
    postgres.heal()
    assert not lost, f"acknowledged, and lost with the primary: {lost}"
    assert len(writer.acknowledged) > before, "nothing could be written after the promotion"
    assert writer.statuses.keys() <= {201, 503}, f"answers: {dict(writer.statuses)}"
    assert writer.slowest <= ANSWER_SECONDS, f"a request took {writer.slowest:.1f} s"
    assert here.read(late).fence, "no job was started after the promotion"
