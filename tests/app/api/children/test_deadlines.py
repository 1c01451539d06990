"""Deadlines: processes are killed when their time is up, and not after they have responded."""

import queue
import threading
import time

import pytest

from app.api.children.deadlines import Deadlines


def test_each_is_killed_at_its_time() -> None:
    """An early deadline is kept although a late one was set before, and the thread sleeps until that."""
    deadlines, killed = Deadlines(), queue.Queue[str]()
    began = time.monotonic()
    late = deadlines.set(lambda: killed.put("late"), 0.3)
    early = deadlines.set(lambda: killed.put("early"), 0.05)
    assert [killed.get(timeout=10), killed.get(timeout=10)] == ["early", "late"]
    assert time.monotonic() - began >= 0.3
    assert early.expired
    assert late.expired


def test_what_has_responded_lives() -> None:
    deadlines, killed = Deadlines(), queue.Queue[int]()
    made = [deadlines.set(lambda number=number: killed.put(number), 0.05) for number in range(10)]
    for deadline in made[::2]:
        deadlines.meet(deadline)
    assert [killed.get(timeout=10) for _ in made[1::2]] == [1, 3, 5, 7, 9]
    assert [deadline.expired for deadline in made] == [False, True] * 5


def test_meeting_waits_for_a_kill_that_has_begun() -> None:
    """So that whoever uses the process next does not have it killed."""
    deadlines, begun, finish = Deadlines(), threading.Event(), threading.Event()

    def kill() -> None:
        begun.set()
        finish.wait(10)

    deadline = deadlines.set(kill, 0.0)
    assert begun.wait(10)
    meeting = threading.Thread(target=deadlines.meet, args=(deadline,))
    meeting.start()
    meeting.join(0.1)
    assert meeting.is_alive()
    finish.set()
    meeting.join(10)
    assert deadline.expired


@pytest.mark.parametrize("count", [1, 100])
def test_one_thread_is_enough(count: int) -> None:
    before = threading.active_count()
    deadlines = Deadlines()
    for _ in range(count):
        deadlines.meet(deadlines.set(lambda: None, 60.0))
    assert threading.active_count() == before + 1
