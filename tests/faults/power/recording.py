"""A service at work on a recorded disk: what it acknowledged, and how long the log was when it did."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.db.session import Database
from app.jobs.states import TERMINAL_STATUSES
from tests.acceptance.service import wait_until
from tests.faults import history as histories
from tests.faults.campaign import SPECS, TIMEOUT_SECONDS
from tests.faults.deployment import Deployment
from tests.faults.history import AcknowledgedJob, GoldenRun, JobRecord
from tests.faults.power.log import PowerLog

PIECE_COUNT = 3
CONTENT = "x,y\n" + "".join(f"{number},{number % 7}\n" for number in range(4000))


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """Something that a client was told, and the position from which on every cut must keep it."""

    position: int
    kind: str  # a row of `verdict.CHECKS`
    id: str
    value: Any = None


@dataclass
class Recording:
    """A service's whole life on a disk."""

    folder: Path
    log: PowerLog = field(init=False)
    acknowledged: list[Acknowledgement] = field(default_factory=list)
    jobs: list[AcknowledgedJob] = field(default_factory=list)
    golden: dict[str, GoldenRun] = field(default_factory=dict)

    def __post_init__(self) -> None:
        root = self.folder.resolve() / "disk"
        root.mkdir()
        self.log = PowerLog(root, self.folder.resolve() / "changes")

    @property
    def home(self) -> Path:
        """The home directory of the service."""
        return self.log.root / "home"

    def make(self) -> None:
        """Serve, upload, train, and stop."""
        with self._serve() as here:
            self._acknowledge("key", "key", here.key)
            here.db.close()  # whoever closes last writes into the database, and this process keeps no log
            ids = {name: here.submit(document, f"power-{name}") for name, document in SPECS.items()}
            for name, job_id in ids.items():
                self._acknowledge("job", job_id)
                self.jobs.append(AcknowledgedJob(job_id, f"power-{name}", name))
            self._upload(here)
            for job_id in ids.values():
                self._wait(here, job_id)
                self._acknowledge("ended", job_id, "succeeded")
        db = open_database(self.home)
        self.golden = {name: histories.golden_run(_read(db, job_id)) for name, job_id in ids.items()}
        db.close()

    @contextmanager
    def _serve(self) -> Iterator[Deployment]:
        with Deployment(self.folder, home=self.home, environment=self.log.environment) as here:
            yield here

    def _acknowledge(self, kind: str, subject: str, value: Any = None) -> None:
        self.acknowledged.append(Acknowledgement(self.log.position, kind, subject, value))

    def _upload(self, here: Deployment) -> None:
        content = CONTENT.encode()
        source = {"kind": "upload", "file": "numbers.csv", "target": "y"}
        size = -(-len(content) // PIECE_COUNT)
        with here.client() as http:
            answer = http.post("/v1/datasets", json={"name": "numbers", "source": source}).raise_for_status()
            dataset_id = answer.json()["id"]
            self._acknowledge("received", dataset_id, 0)
            for start in range(0, len(content), size):
                piece = content[start : start + size]
                span = f"bytes {start}-{start + len(piece) - 1}/{len(content)}"
                url = f"/v1/datasets/{dataset_id}/content"
                http.put(url, content=piece, headers={"Content-Range": span}).raise_for_status()
                self._acknowledge("received", dataset_id, start + len(piece))
        self._acknowledge("content", dataset_id, hashlib.sha256(content).hexdigest())

    def _wait(self, here: Deployment, job_id: str) -> None:
        with here.client() as http:
            wait_until(
                lambda: http.get(f"/v1/jobs/{job_id}").raise_for_status().json()["status"] in TERMINAL_STATUSES,
                "the end",
                TIMEOUT_SECONDS,
            )


def _read(db: Database, job_id: str) -> JobRecord:
    record = db.read(histories.read_job, job_id)
    assert record is not None
    return record


def open_database(home: Path) -> Database:
    """Open the database of a home directory."""
    return Database(f"sqlite:///{home / 'graftwerk.db'}")
