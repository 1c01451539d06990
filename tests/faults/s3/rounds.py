"""A round with artifacts in a bucket whose server fails and lies while jobs train, die, and go on."""

import hashlib
import time
from collections import Counter
from contextlib import suppress

import httpx

from app.errors import GraftwerkError
from app.jobs.states import TERMINAL_STATUSES
from app.lifecycle.orphans import remove_orphans
from app.storage.catalog import open_store
from tests.faults.campaign import Round
from tests.faults.plan import Fault
from tests.faults.s3.deployment import BucketDeployment
from tests.faults.s3.lying_server import LIES

LIES_AT_ONCE = 6
MOST_OFTEN = 0.3  # the highest probability of a lie; of a wrong bit, which makes a checkpoint a damaged one, 0.03
LIE_SECONDS = 40.0  # after which a server tells the truth again
HONEST_REFUSALS = frozenset({409, 503, 507})  # of an upload or a download: to be tried again
CONTENT = ("x,y\n" + "".join(f"{number},{number % 5}\n" for number in range(20_000))).encode()
PIECE_BYTES = 64_000


def s3_faults(here: Round) -> None:
    """Six kinds of lies at once, two jobs whose attempts die, an upload, downloads, and the removal of orphans."""
    at = here.deployment
    assert isinstance(at, BucketDeployment)
    lying, answers = at.lying, Counter[int]()
    lying.chance.seed(here.random.random())
    lying.told.clear()
    here.plan(Fault("mid_step", "kill_runner", 70), Fault("before_report", "kill_runner", 6))
    lying.lies = {
        name: here.random.uniform(0.05, 0.03 if "bit" in name else MOST_OFTEN)
        for name in here.random.sample(sorted(LIES), LIES_AT_ONCE)
    }
    until = time.monotonic() + LIE_SECONDS
    try:
        jobs = [here.submit(), here.submit()]
        dataset_id = _upload(here, answers, until + LIE_SECONDS)
        while time.monotonic() < until and any(here.read(job).status not in TERMINAL_STATUSES for job in jobs):
            _download(here, jobs[0], answers)
            time.sleep(0.5)
        for _ in range(3):
            with suppress(GraftwerkError):
                remove_orphans(at.db, open_store(at.url, at.told_options))
    finally:
        lying.lies = {}
    here.figures |= {"lies": lying.told.total(), "refused": sum(answers[status] for status in HONEST_REFUSALS)}
    here.wait_for_all()
    assert answers.keys() <= {200, 201, 202, 404, *HONEST_REFUSALS}, f"answers: {dict(answers)}"
    _check_upload(here, dataset_id)
    remove_orphans(at.db, at.store, 0)  # what is left is what rows list; I6 says whether all of it


def _upload(here: Round, answers: Counter[int], until: float) -> str:
    """Upload in pieces, as a careful client: where the service does not know, ask how much it has."""
    source = {"kind": "upload", "file": "numbers.csv", "target": "y"}
    with here.deployment.client() as http:
        http.timeout = httpx.Timeout(120)
        created = http.post("/v1/datasets", json={"name": "numbers", "source": source}).raise_for_status()
        url, dataset_id = f"/v1/datasets/{created.json()['id']}", str(created.json()["id"])
        while time.monotonic() < until:
            asked = http.get(url)
            if asked.json()["status"] == "ready":
                return dataset_id
            start = int(asked.json().get("received") or 0)
            piece = CONTENT[start : start + PIECE_BYTES]
            span = f"bytes {start}-{start + len(piece) - 1}" if piece else "bytes *"
            headers = {"Content-Range": f"{span}/{len(CONTENT)}"}
            with suppress(httpx.TransportError):
                answers[http.put(f"{url}/content", content=piece, headers=headers).status_code] += 1
    raise AssertionError("the upload did not come to its end")


def _download(here: Round, job_id: str, answers: Counter[int]) -> None:
    """Download the latest weights; they are those that their ETag names, or the client sees that they are not."""
    with here.deployment.client() as http, suppress(httpx.TransportError):
        http.timeout = httpx.Timeout(120)
        answers[http.get(f"/v1/jobs/{job_id}/weights", params={"which": "latest"}).status_code] += 1


def _check_upload(here: Round, dataset_id: str) -> None:
    with here.deployment.client() as http:
        found = http.get(f"/v1/datasets/{dataset_id}").raise_for_status().json()
        content = http.get(f"/v1/datasets/{dataset_id}/content").raise_for_status().content
    digest = hashlib.sha256(CONTENT).hexdigest()
    assert found["sha256"] == digest, "the content was accepted, and is not what was sent"
    assert hashlib.sha256(content).hexdigest() == digest, "the content is not what was accepted"
