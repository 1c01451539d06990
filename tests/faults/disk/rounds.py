"""A round of a full disk: the service says so, waits, and goes on when there is room."""

import time
from collections import Counter

import httpx

from app.jobs.states import TERMINAL_STATUSES
from tests.faults.campaign import SPECS, Round
from tests.faults.disk.deployment import FillableDeployment

FULL_SECONDS = 12.0  # at most: more than two leases
ANSWER_SECONDS = 15.0
ACCEPTED, REFUSED = frozenset({200, 201, 202}), frozenset({503, 507})


def full_disks(here: Round) -> None:
    """The disk of the artifacts or of the database is full for a while; jobs train, and clients write and read."""
    at = here.deployment
    assert isinstance(at, FillableDeployment)
    where = here.random.choice(sorted(at.disks))
    jobs = [here.submit(), here.submit()]
    for job_id in jobs:
        here.wait_for_points(job_id)
    writes, reads, slowest = Counter[int](), Counter[int](), 0.0
    with at.disks[where].fill():
        until = time.monotonic() + here.random.uniform(4, FULL_SECONDS)
        while time.monotonic() < until:
            for counts, status, seconds in _ask(here, jobs[0], writes, reads):
                counts[status] += 1
                slowest = max(slowest, seconds)
            time.sleep(0.2)
    refused = sum(writes[status] for status in REFUSED)
    here.figures |= {"disk": where, "answer_seconds": round(slowest, 2), "refused": refused}
    began = time.monotonic()
    here.wait_until(lambda record: record.status in TERMINAL_STATUSES, here.submit(), "the end of a job after it")
    here.figures["end_seconds"] = round(time.monotonic() - began, 2)
    here.wait_for_all()
    assert writes.keys() <= ACCEPTED | REFUSED, f"writes while the disk of the {where} was full: {dict(writes)}"
    assert reads.keys() <= {200}, f"reads while the disk of the {where} was full: {dict(reads)}"
    assert slowest <= ANSWER_SECONDS, f"an answer took {slowest:.1f} s"


def _ask(here: Round, job_id: str, writes: Counter[int], reads: Counter[int]) -> list[tuple[Counter[int], int, float]]:
    """Read, and write rows and files; returns the counts that each answer belongs to, its status and its seconds."""
    source = {"name": "full", "source": {"kind": "upload", "file": "a.csv"}}
    queued = SPECS["dropout"] | {"resources": {"queue": "nobody"}}
    found = []
    with here.deployment.client() as http:
        http.timeout = httpx.Timeout(60)

        def send(counts: Counter[int], method: str, url: str, **body: object) -> httpx.Response:
            began = time.monotonic()
            answer = http.request(method, url, **body)  # type: ignore[arg-type]
            found.append((counts, answer.status_code, time.monotonic() - began))
            return answer

        send(reads, "GET", f"/v1/jobs/{job_id}")
        send(reads, "GET", "/v1/jobs")
        send(writes, "POST", "/v1/jobs", json=queued)
        created = send(writes, "POST", "/v1/datasets", json=source)
        if created.status_code == 201:
            url = f"/v1/datasets/{created.json()['id']}/content"
            send(writes, "PUT", url, content=b"x,y\n" + f"{time.time()},2\n".encode() * 20_000)
    return found
