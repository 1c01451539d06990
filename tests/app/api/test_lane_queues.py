"""The places of a lane, and who gets them."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from app.api.lanes import Lane, LaneLimits, LaneQueue, Lanes
from app.errors import ServiceOverloaded


def run(scenario: Callable[[LaneQueue], Awaitable[None]], *limits: Any) -> None:
    async def main() -> None:
        queue = LaneQueue(Lane.EXPORT, LaneLimits(*limits))
        await scenario(queue)
        await asyncio.sleep(0)
        assert (queue.in_use, queue.waiting) == (0, 0)

    asyncio.run(main())


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_a_key_cannot_take_every_place() -> None:
    async def scenario(queue: LaneQueue) -> None:
        for _ in range(2):
            await queue.acquire("anna")
        with pytest.raises(ServiceOverloaded, match="of this key"):
            await queue.acquire("anna")
        await queue.acquire("bert")
        with pytest.raises(ServiceOverloaded, match="3 requests are in progress"):
            await queue.acquire("cleo")
        for key in ("anna", "anna", "bert"):
            queue.release(key)

    run(scenario, 3, 2, 0.01)


def test_a_free_place_goes_to_the_key_with_the_fewest() -> None:
    async def scenario(queue: LaneQueue) -> None:
        order: list[str] = []

        async def use(key: str) -> None:
            await queue.acquire(key)
            order.append(key)

        for _ in range(3):
            await queue.acquire("anna")
        async with asyncio.TaskGroup() as tasks:
            for key in ("anna", "anna", "bert", "cleo", "bert"):
                tasks.create_task(use(key))
            await settle()
            assert queue.waiting == 5
            for _ in range(3):
                queue.release("anna")
                await settle()
            assert order == ["bert", "cleo", "anna"]
            for key in ("bert", "cleo"):
                queue.release(key)
                await settle()
            assert order == ["bert", "cleo", "anna", "bert", "anna"]
        for key in ("anna", "bert", "anna"):
            queue.release(key)

    run(scenario, 3, 3, 5.0)


def test_whoever_waits_beyond_its_share_keeps_nobody_waiting() -> None:
    async def scenario(queue: LaneQueue) -> None:
        await queue.acquire("anna")
        waiting = asyncio.create_task(queue.acquire("anna"))
        await settle()
        await queue.acquire("bert")
        queue.release("bert")
        await settle()
        assert not waiting.done()
        queue.release("anna")
        await waiting
        queue.release("anna")

    run(scenario, 2, 1, 5.0)


@pytest.mark.parametrize("given", [False, True])
def test_a_request_that_is_ended_while_it_waits_leaves_no_trace(given: bool) -> None:
    """Also if the place was given to it in the same moment."""

    async def scenario(queue: LaneQueue) -> None:
        await queue.acquire("anna")
        waiting = [asyncio.create_task(queue.acquire(key)) for key in ("bert", "cleo")]
        await settle()
        if given:
            queue.release("anna")
        waiting[0].cancel()
        if not given:
            queue.release("anna")
        with pytest.raises(asyncio.CancelledError):
            await waiting[0]
        await waiting[1]
        queue.release("cleo")

    run(scenario, 1, 1, 5.0)


def test_the_number_of_those_who_wait_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.api.lanes.MAX_WAITING", 4)

    async def scenario(queue: LaneQueue) -> None:
        for key in ("anna", "bert"):
            await queue.acquire(key)
        waiting = [asyncio.create_task(queue.acquire(key)) for key in ("anna", "anna", "bert", "bert")]
        await settle()
        for key in ("anna", "cleo"):
            with pytest.raises(ServiceOverloaded):
                await queue.acquire(key)
        for _ in range(2):
            queue.release("anna")
            queue.release("bert")
            await settle()
        await asyncio.gather(*waiting)
        for key in ("anna", "bert"):
            queue.release(key)

    run(scenario, 2, 1, 60.0)


def test_a_lane_with_threads_of_its_own_uses_no_others() -> None:
    async def main() -> None:
        lanes = Lanes({Lane.STREAM: LaneLimits(9, 9, 1.0, threads=2)})
        limiter = lanes._limiters[Lane.STREAM]
        borrowed = await lanes.run_sync(Lane.STREAM, lambda: limiter.borrowed_tokens)
        assert borrowed == 1

    asyncio.run(main())
