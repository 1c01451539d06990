"""Wall clocks that are set while jobs train, and machines that sleep: real processes, on both databases.

Whatever happens to a clock, no attempt loses its job, every dead worker is replaced, and the bits are those of an
undisturbed run, which the campaign's invariants say.
"""

import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from app.db.clock import database_time
from app.jobs.states import TERMINAL_STATUSES
from tests.acceptance.service import wait_until
from tests.faults.campaign import SPECS, Campaign, Round
from tests.faults.deployment import FAST_SETTINGS, Deployment
from tests.faults.history import JobRecord
from tests.faults.plan import Fault
from tests.faults.wall_clocks import WallClocks, build_wall_clocks
from tests.full import FULL
from tests.postgres import Postgres

HOUR = 3600.0
LEASE = 4.0
STEP = Fault("mid_step", "delay", 100, seconds=2 * LEASE)  # longer than a lease, and than the API looks at the clock
JUMPS = pytest.mark.parametrize("seconds", [-HOUR, HOUR] if FULL else [HOUR])
LONG = pytest.mark.skipif(not FULL, reason="takes a minute; `make faults` has it")
WHOSE = [("its own worker", -HOUR), ("the other worker", HOUR)]
DEATHS = [("none", HOUR)]
if FULL:
    WHOSE = [(whose, seconds) for whose in ("api", "its own worker", "the other worker") for seconds in (-HOUR, HOUR)]
    DEATHS = [(verb, seconds) for verb in ("none", "cancel", "pause") for seconds in (-HOUR, HOUR)]


@dataclass
class Laboratory:
    """A service whose clocks can be set; on PostgreSQL the server has one of its own, which decides."""

    campaign: Campaign
    clocks: WallClocks
    server_clocks: WallClocks

    @property
    def service(self) -> Deployment:
        return self.campaign.deployment

    def run(self, kind: Callable[[Round], None]) -> None:
        try:
            assert self.campaign.run(kind, 0)["violations"] == []
        finally:
            self.clocks.reset()
            self.server_clocks.reset()
            self.wait_for_clock(0.0)

    def set_all(self, seconds: float) -> None:
        """Set every clock of the machine."""
        self.clocks.set(seconds)
        self.server_clocks.set(seconds)

    def wait_for_clock(self, seconds: float) -> None:
        """Wait until the shared clock of SQLite follows that of the API."""
        if self.service.postgres is None:
            wait_until(lambda: abs(self.error() - seconds) < 2, "the clock's correction", 30)

    def error(self) -> float:
        """Return by how many seconds the shared clock is ahead of the machine's."""
        return self.service.db.read(database_time) - time.time()

    def api(self) -> int:
        return self.service.up.processes("-m app.api")[0].pid

    def worker_of(self, record: JobRecord) -> psutil.Process:
        assert record.worker is not None
        return psutil.Process(int(record.worker.rpartition(":")[2]))


@pytest.fixture(scope="module", params=["sqlite", "postgresql"] if FULL else ["sqlite"])
def laboratory(request: pytest.FixtureRequest) -> Iterator[Laboratory]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gw-clocks-", dir="/tmp")))
        clocks, server_clocks = build_wall_clocks(folder, "service", "server")
        postgres = None
        if request.param == "postgresql":
            with server_clocks.preloaded():
                postgres = Postgres(durable=True)
            stack.callback(postgres.stop)
        settings = FAST_SETTINGS | {"LEASE_SECONDS": str(LEASE)}
        with clocks.preloaded():
            deployment = stack.enter_context(Deployment(folder / "home", postgres, settings=settings))
            deployment.add_worker()
        yield Laboratory(Campaign(deployment), clocks, server_clocks)


def start_slow_job(here: Round, ends: tuple[str, ...] = ("succeeded",)) -> str:
    """Submit a job that trains, and lets one step last longer than a lease."""
    here.plan(STEP)
    job_id = here.submit("dropout", ends)
    here.wait_for_points(job_id)
    return job_id


def assert_one_attempt(here: Round, job_id: str) -> None:
    record = here.wait_until(lambda now: now.status in TERMINAL_STATUSES, job_id, "the end")
    assert (record.status, record.fence) == ("succeeded", 1), [event.data for event in record.transitions]


@JUMPS
def test_every_clock_is_set_while_a_job_trains(laboratory: Laboratory, seconds: float) -> None:
    def kind(here: Round) -> None:
        job_id = start_slow_job(here)
        laboratory.set_all(seconds)
        assert_one_attempt(here, job_id)
        laboratory.wait_for_clock(seconds)  # what users see follows
        assert laboratory.error() == pytest.approx(seconds, abs=5)

    laboratory.run(kind)


@pytest.mark.parametrize(("whose", "seconds"), WHOSE)
def test_one_process_has_another_clock(laboratory: Laboratory, whose: str, seconds: float) -> None:
    def kind(here: Round) -> None:
        job_id = start_slow_job(here)
        own = laboratory.worker_of(here.read(job_id)).pid
        (other,) = {each.pid for each in laboratory.service.workers()} - {own}
        laboratory.clocks.set(seconds, {"api": laboratory.api(), "its own worker": own}.get(whose, other))
        assert_one_attempt(here, job_id)
        if whose != "api":
            assert abs(laboratory.error()) < 5

    laboratory.run(kind)


@pytest.mark.parametrize(("verb", "seconds"), DEATHS)
def test_a_worker_dies_whose_clock_was_set(laboratory: Laboratory, seconds: float, verb: str) -> None:
    def kind(here: Round) -> None:
        job_id = start_slow_job(here, ("cancelled",) if verb == "cancel" else ("succeeded",))
        worker = laboratory.worker_of(here.read(job_id))
        laboratory.clocks.set(seconds, worker.pid)
        lease = here.read(job_id).lease_until
        here.wait_until(lambda now: now.lease_until != lease, job_id, "a renewal by the other clock", 2 * LEASE)
        worker.send_signal(signal.SIGKILL)
        with laboratory.service.client() as http:
            if verb != "none":
                assert http.post(f"/v1/jobs/{job_id}/{verb}").is_success
            if verb == "pause":
                here.wait_until(lambda now: now.status in ("paused", "queued"), job_id, "the next attempt", 60)
                here.wait_until(lambda now: now.status in ("paused", "succeeded"), job_id, "the pause", 60)
                http.post(f"/v1/jobs/{job_id}/resume")
        here.wait_until(lambda now: now.status in TERMINAL_STATUSES, job_id, "the end", 60)
        for file in laboratory.clocks.folder.glob(str(worker.pid)):
            file.unlink()
        while len(laboratory.service.workers()) < 2:  # only `graftwerk up` replaces its own
            time.sleep(0.5)
            if all(each.poll() is not None for each in laboratory.service.extra_workers):
                laboratory.service.add_worker()

    laboratory.run(kind)


@LONG
def test_verbs_work_whatever_the_clocks_say(laboratory: Laboratory) -> None:
    def kind(here: Round) -> None:
        first, second = start_slow_job(here, ("cancelled",)), here.submit("statistics")
        laboratory.clocks.set(HOUR, laboratory.api())
        laboratory.clocks.set(-HOUR, laboratory.worker_of(here.read(first)).pid)
        with laboratory.service.client() as http:
            assert http.post(f"/v1/jobs/{second}/pause").status_code in (200, 409)
            assert http.post(f"/v1/jobs/{first}/cancel").is_success
            here.wait_until(lambda now: now.status == "cancelled", first, "the cancellation", 15)
            here.wait_until(lambda now: now.status in ("paused", "succeeded"), second, "the pause", 60)
            http.post(f"/v1/jobs/{second}/resume")

    laboratory.run(kind)


@LONG
@JUMPS
def test_a_start_that_waits_for_its_time_waits_for_the_shared_clock(laboratory: Laboratory, seconds: float) -> None:
    """Workers whose own clocks are ahead do not start it early, and those that are behind not late."""

    def kind(here: Round) -> None:
        laboratory.clocks.set(seconds, *(each.pid for each in laboratory.service.workers()))
        start = time.time() + 6
        document = SPECS["statistics"] | {"not_before": datetime.fromtimestamp(start, UTC).isoformat()}
        job_id = laboratory.service.submit(document, f"{laboratory.campaign.name}-{here.number}-start")
        record = here.wait_until(lambda now: now.status == "running" or now.fence, job_id, "the start", 60)
        assert start - 1 <= time.time() <= start + 40
        here.wait_until(lambda now: now.status in TERMINAL_STATUSES, job_id, "the end")
        assert here.read(job_id).status == "succeeded"
        assert record.fence == 1

    laboratory.run(kind)


@LONG
@JUMPS
def test_the_pause_after_a_loss_ends_whatever_the_clock_does(laboratory: Laboratory, seconds: float) -> None:
    def kind(here: Round) -> None:
        here.plan(*(Fault("mid_step", "kill_runner", 30 + number) for number in range(4)))
        job_id = here.submit("dropout")
        here.wait_until(lambda now: now.fence >= 2, job_id, "a loss")
        laboratory.set_all(seconds)
        here.wait_until(lambda now: now.status in TERMINAL_STATUSES, job_id, "the end", 90)

    laboratory.run(kind)


@LONG
def test_a_clock_that_is_corrected_again_and_again(laboratory: Laboratory) -> None:
    def kind(here: Round) -> None:
        job_id = start_slow_job(here)
        for number in range(12):
            laboratory.set_all((-1) ** number * 3.0 + number)
            time.sleep(0.7)
        assert_one_attempt(here, job_id)

    laboratory.run(kind)


def test_a_machine_that_sleeps_for_longer_than_a_lease(laboratory: Laboratory) -> None:
    """Everything is stopped, and goes on: attempts are still owned, or requeued once, and nothing is doubled."""

    def kind(here: Round) -> None:
        job_id, other = start_slow_job(here), here.submit("statistics")
        assert laboratory.service.up.process is not None
        others = [each.pid for each in laboratory.service.extra_workers if each.poll() is None]
        roots = [laboratory.service.up.process.pid, *others]
        family = [
            each for pid in roots for each in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True))
        ]
        for process in family:
            process.send_signal(signal.SIGSTOP)
        time.sleep(2 * LEASE)
        for process in reversed(family):
            process.send_signal(signal.SIGCONT)
        assert_one_attempt(here, job_id)
        assert_one_attempt(here, other)

    laboratory.run(kind)
