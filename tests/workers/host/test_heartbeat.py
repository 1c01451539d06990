"""Signs of life: what is counted, and when a worker counts as deaf."""

import os
from collections import Counter

import pytest

from app import heartbeat
from app.db.session import Database
from app.jobs.dispatch import Waker
from app.settings import Settings
from workers.host.heartbeat import ConsumerProbe, Heartbeat, WorkerCounters
from workers.protocol.messages import Ending, Outcome, SavedCheckpoint, SavedFile
from workers.runner.memory import MemoryWatch


class Broker(Waker):
    """Takes wake-ups, or does not; nobody hears them by themselves."""

    def __init__(self) -> None:
        self.sent, self.dropped, self.there = Counter[str](), Counter[str](), True

    def wake(self, queue: str) -> None:
        (self.sent if self.there else self.dropped)[queue] += 1


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def hearing(broker: Broker) -> ConsumerProbe:
    return ConsumerProbe("host:1", broker, interval=10)


def test_a_worker_that_hears_is_not_deaf(hearing: ConsumerProbe, broker: Broker) -> None:
    for clock in range(0, 100, 5):
        assert hearing.unresponsive_seconds(True, clock) == 0
        hearing.record_message()
    assert broker.sent["graftwerk.host:1"] == 10  # one each ten seconds


def test_deafness_counts_from_the_first_wake_up_that_was_not_heard(hearing: ConsumerProbe) -> None:
    hearing.unresponsive_seconds(True, 0)
    hearing.record_message()
    assert [hearing.unresponsive_seconds(True, clock) for clock in range(5, 60, 5)] == [
        0,
        0,
        5,
        10,
        15,
        20,
        25,
        30,
        35,
        40,
        45,
    ]
    hearing.record_message()  # by anybody's wake-up
    assert hearing.unresponsive_seconds(True, 60) == 0


def test_a_broker_that_is_away_makes_nobody_deaf(hearing: ConsumerProbe, broker: Broker) -> None:
    hearing.unresponsive_seconds(True, 0)
    assert hearing.unresponsive_seconds(True, 5) == 5
    broker.there = False
    hearing.unresponsive_seconds(True, 10)
    assert [hearing.unresponsive_seconds(True, clock) for clock in range(15, 200, 5)] == [0] * 37
    broker.there = True
    for clock in range(200, 230, 5):
        hearing.unresponsive_seconds(True, clock)
    assert hearing.unresponsive_seconds(True, 230) > 0


def test_a_busy_worker_is_not_asked(hearing: ConsumerProbe, broker: Broker) -> None:
    hearing.unresponsive_seconds(True, 0)
    assert hearing.unresponsive_seconds(False, 50) == 0
    assert hearing.unresponsive_seconds(False, 500) == 0
    assert broker.sent.total() == 1


def test_counts() -> None:
    tally = WorkerCounters()
    assert tally.as_dict() == {"attempts": {}, "checkpoints": {"count": 0, "bytes": 0, "seconds": 0.0}}
    for _ in range(2):
        tally.count_outcome(Outcome(Ending.LOST, error={"code": "runner_died"}))
    tally.count_outcome(Outcome(Ending.SUCCEEDED))
    files = tuple(SavedFile("a", "b", size, "0", True) for size in (3, 4))
    tally.count_checkpoint(SavedCheckpoint("ckpt_1", 1, 0.1, {}, files, seconds=0.5))
    assert tally.as_dict() == {
        "attempts": {"lost": {"runner_died": 2}, "succeeded": {"": 1}},
        "checkpoints": {"count": 1, "bytes": 7, "seconds": 0.5},
    }


def test_the_last_sign_of_life_is_kept(database: Database, broker: Broker) -> None:
    pulse = Heartbeat("host:1", Settings(slots=2), database, broker, ["default", "gpu"])
    pulse.send(free=2)
    pulse.counters.count_outcome(Outcome(Ending.LOST, error={"code": "runner_died"}))
    watch = MemoryWatch(0)
    with pulse.report_memory("job_1", watch):
        watch.is_exceeded(os.getpid())
        pulse.send(free=1)
    ((row, seconds),) = database.read(heartbeat.list_workers)
    assert (row.name, row.slots, row.free, row.queues, row.stopped_at) == ("host:1", 2, 1, ["default", "gpu"], None)
    assert row.figures["attempts"] == {"lost": {"runner_died": 1}}
    assert row.figures["wake_ups"] == {"sent": 1, "dropped": 0}
    assert row.figures["disk_free"] > 0
    assert row.figures["memory"] == {"job_1": watch.used}
    assert watch.used > 1 << 20
    assert 0 <= seconds < 60
    assert database.read(heartbeat.live_worker_slots, "gpu") == {"host:1": 2}
    pulse.send(free=1, draining=True)
    assert database.read(heartbeat.live_worker_slots, "gpu") == {"host:1": 0}  # it takes no more jobs
    pulse.stop()
    assert database.read(heartbeat.live_worker_slots) == {}
    assert database.read(heartbeat.list_workers)[0][0].figures["attempts"] == {"lost": {"runner_died": 1}}
