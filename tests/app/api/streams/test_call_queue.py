"""Calls in portions: none is lost, they keep their order, and other work comes between."""

import asyncio

import pytest

from app.api.streams.call_queue import CallQueue, settle


def test_a_turn_has_a_bounded_number_of_calls() -> None:
    calls: list[int] = []
    counts: list[int] = []

    async def scene() -> None:
        call_queue = CallQueue(4)
        for number in range(11):
            call_queue.add(lambda number=number: calls.append(number))  # type: ignore[misc]
        while len(calls) < 11:
            await asyncio.sleep(0)
            counts.append(len(calls))
        call_queue.add(lambda: calls.append(11))  # and it begins anew
        await asyncio.sleep(0)

    asyncio.run(scene())
    assert calls == list(range(12))
    assert counts == [4, 8, 11]


def test_who_waits_goes_on_in_the_order_of_arrival() -> None:
    went: list[int] = []

    async def go(call_queue: CallQueue, number: int) -> None:
        await call_queue.wait()
        went.append(number)

    async def scene() -> None:
        call_queue = CallQueue(2)
        tasks = [asyncio.create_task(go(call_queue, number)) for number in range(9)]
        await asyncio.sleep(0)
        tasks[3].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(scene())
    assert went == [0, 1, 2, 4, 5, 6, 7, 8]


@pytest.mark.parametrize("result", ["a result", ValueError("x")])
def test_a_future_is_settled_once(result: str | ValueError) -> None:
    async def scene() -> None:
        future = asyncio.get_running_loop().create_future()
        settle(future, result)
        settle(future, "another")
        if isinstance(result, str):
            assert await future == result
        else:
            with pytest.raises(ValueError, match="x"):
                await future

    asyncio.run(scene())
