"""Signs of life: what is counted, and when a worker counts as deaf."""

from collections import Counter

import pytest

from app import heartbeat
from app.db.session import Database
from app.jobs.dispatch import Waker
from app.settings import Settings
from workers.host.heartbeat import Hearing, Pulse, Tally
from workers.protocol.messages import Ending, Outcome, Saved, SavedFile


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
def hearing(broker: Broker) -> Hearing:
    return Hearing("host:1", broker, every=10)


def test_a_worker_that_hears_is_not_deaf(hearing: Hearing, broker: Broker) -> None:
    for clock in range(0, 100, 5):
        assert hearing.test(True, clock) == 0
        hearing.heard()
    assert broker.sent["graftwerk.host:1"] == 10  # one each ten seconds


def test_deafness_counts_from_the_first_wake_up_that_was_not_heard(hearing: Hearing) -> None:
    hearing.test(True, 0)
    hearing.heard()
    assert [hearing.test(True, clock) for clock in range(5, 60, 5)] == [0, 0, 5, 10, 15, 20, 25, 30, 35, 40, 45]
    hearing.heard()  # by anybody's wake-up
    assert hearing.test(True, 60) == 0


def test_a_broker_that_is_away_makes_nobody_deaf(hearing: Hearing, broker: Broker) -> None:
    hearing.test(True, 0)
    assert hearing.test(True, 5) == 5
    broker.there = False
    hearing.test(True, 10)
    assert [hearing.test(True, clock) for clock in range(15, 200, 5)] == [0] * 37
    broker.there = True
    for clock in range(200, 230, 5):
        hearing.test(True, clock)
    assert hearing.test(True, 230) > 0


def test_a_busy_worker_is_not_asked(hearing: Hearing, broker: Broker) -> None:
    hearing.test(True, 0)
    assert hearing.test(False, 50) == 0
    assert hearing.test(False, 500) == 0
    assert broker.sent.total() == 1


def test_counts() -> None:
    tally = Tally()
    assert tally.figures() == {"attempts": {}, "checkpoints": {"count": 0, "bytes": 0, "seconds": 0.0}}
    for _ in range(2):
        tally.outcome(Outcome(Ending.LOST, error={"code": "runner_died"}))
    tally.outcome(Outcome(Ending.SUCCEEDED))
    files = tuple(SavedFile("a", "b", size, "0", True) for size in (3, 4))
    tally.saved(Saved("ckpt_1", 1, 0.1, {}, files, seconds=0.5))
    assert tally.figures() == {
        "attempts": {"lost": {"runner_died": 2}, "succeeded": {"": 1}},
        "checkpoints": {"count": 1, "bytes": 7, "seconds": 0.5},
    }


def test_the_last_sign_of_life_is_kept(database: Database, broker: Broker) -> None:
    pulse = Pulse("host:1", Settings(slots=2), database, broker, ["default", "gpu"])
    pulse.beat(free=2)
    pulse.tally.outcome(Outcome(Ending.LOST, error={"code": "runner_died"}))
    pulse.beat(free=1)
    ((row, seconds),) = database.read(heartbeat.listed)
    assert (row.name, row.slots, row.free, row.queues, row.stopped_at) == ("host:1", 2, 1, ["default", "gpu"], None)
    assert row.figures["attempts"] == {"lost": {"runner_died": 1}}
    assert row.figures["wake_ups"] == {"sent": 1, "dropped": 0}
    assert row.figures["disk_free"] > 0
    assert 0 <= seconds < 60
    assert database.read(heartbeat.alive, "gpu") == {"host:1": 2}
    pulse.beat(free=1, draining=True)
    assert database.read(heartbeat.alive, "gpu") == {"host:1": 0}  # it takes no more jobs
    pulse.stop()
    assert database.read(heartbeat.alive) == {}
    assert database.read(heartbeat.listed)[0][0].figures["attempts"] == {"lost": {"runner_died": 1}}
