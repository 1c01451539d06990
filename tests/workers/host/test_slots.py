"""Slots: how many attempts run, and on which GPUs."""

import pytest

from workers.host.slots import SlotPool, SlotRequest


@pytest.mark.parametrize(
    ("slots", "gpus", "expected"),
    [(2, 0, [(), ()]), (2, 2, [(0,), (1,)]), (3, 2, [(0,), (1,), (0,)])],
    ids=["no GPU", "one each", "shared"],
)
def test_slots_take_gpus_in_turn(slots: int, gpus: int, expected: list[tuple[int, ...]]) -> None:
    pool = SlotPool(slots, gpus)
    acquired = [pool.acquire() for _ in range(slots)]
    assert acquired == [[each] for each in expected]
    assert pool.acquire() is None
    pool.release(acquired[0] or [])
    assert pool.free == 1


def test_a_request_gets_all_its_slots_or_none() -> None:
    pool = SlotPool(4, 4)
    assert pool.acquire(SlotRequest(gpus=3)) == [(0,), (1,), (2,)]
    assert pool.acquire(SlotRequest(gpus=2)) is None
    assert pool.free == 1
    assert pool.acquire(SlotRequest(nodes=2)) is None
