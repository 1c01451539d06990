"""Leases are judged by what one process sees, in its own time."""

import time

import pytest

from app.jobs.repository import Lease
from workers.host.leases import LeaseObserver

LEASE = 30.0


class Observer:
    """An observer whose time the test has in its hands."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        self._observer = LeaseObserver(LEASE)

    def look(self, after: float, **marks: float) -> set[str]:
        """Return the jobs whose leases have expired; each mark is the end of a job's lease in the database."""
        self.now += after
        return {lease.job_id for lease in self._observer.expired(Lease(job, 1, mark) for job, mark in marks.items())}


@pytest.fixture
def observer(monkeypatch: pytest.MonkeyPatch) -> Observer:
    return Observer(monkeypatch)


def test_a_lease_expires_that_stays_the_same_for_its_time(observer: Observer) -> None:
    looks = [observer.look(5, dead=1.0, alive=float(number // 2)) for number in range(8)]
    assert looks == [set()] * 6 + [{"dead"}] * 2


@pytest.mark.parametrize("mark", [-1e9, 0.0, 1e12])
def test_what_the_lease_says_does_not_matter(observer: Observer, mark: float) -> None:
    assert not any(observer.look(5, job=mark) for _ in range(6))
    assert observer.look(5, job=mark) == {"job"}


@pytest.mark.parametrize("step", [-3600.0, -1.0, 1.0, 3600.0])
def test_a_renewal_counts_wherever_the_clock_was_set(observer: Observer, step: float) -> None:
    for number in range(30):
        clock = 5.0 * number + (step if number >= 10 else 0.0)
        assert not observer.look(5, job=clock - clock % 10)


def test_after_a_suspension_there_is_time_to_renew(observer: Observer) -> None:
    assert not any(observer.look(5, job=1.0) for _ in range(4))
    assert not observer.look(3600, job=1.0)
    assert not observer.look(1, job=2.0)
    assert not observer.look(3600, job=2.0)


def test_a_slow_observer_finds_the_dead_too(observer: Observer) -> None:
    looks = [observer.look(60, job=1.0) for _ in range(4)]
    assert looks == [set(), set(), set(), {"job"}]


def test_another_attempt_has_a_lease_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    observer = LeaseObserver(LEASE)
    for fence in (1, 2):
        for _ in range(6):
            now[0] += 5
            assert not observer.expired([Lease("job", fence, 1.0)])


def test_what_was_seen_is_forgotten(observer: Observer) -> None:
    for _ in range(2):
        assert not any(observer.look(5, job=1.0) for _ in range(6))
        observer._observer.forget()
