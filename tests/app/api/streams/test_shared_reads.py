"""Reads that requests share."""

import asyncio
import threading
import time
from collections.abc import Callable

import pytest

from app.api.streams.call_queue import CallQueue
from app.api.streams.shared_reads import SharedReads


def test_many_requests_make_one_read() -> None:
    reads: list[str] = []

    def read() -> str:
        reads.append("x")
        time.sleep(0.05)
        return "result"

    async def scene() -> None:
        shared = SharedReads[str, str](2)
        assert await asyncio.gather(*(shared.get("key", read) for _ in range(100))) == ["result"] * 100
        assert len(reads) == 1
        await shared.get("key", read)  # nothing is kept
        assert len(reads) == 2

    asyncio.run(scene())


def test_the_last_results_are_kept_up_to_their_bytes() -> None:
    reads: list[int] = []

    def reader(number: int) -> Callable[[], bytes]:
        return lambda: reads.append(number) or bytes(40)  # type: ignore[func-returns-value]

    async def scene() -> None:
        shared = SharedReads[int, bytes](1, 100, len)
        for number in (1, 2, 1, 3, 1, 2):
            await shared.get(number, reader(number))
            assert shared.stored_bytes <= 100
        assert reads == [1, 2, 3, 2]
        shared.clear()
        assert shared.stored_bytes == 0
        await shared.get(1, reader(1))
        assert reads[-1] == 1

    asyncio.run(scene())


def test_a_bounded_number_of_threads_reads() -> None:
    running, most, lock = [0], [0], threading.Lock()

    def read() -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.01)
        with lock:
            running[0] -= 1

    async def scene() -> None:
        shared = SharedReads[int, None](2)
        await asyncio.gather(*(shared.get(number, read) for number in range(20)))

    asyncio.run(scene())
    assert most[0] <= 2


def test_a_failure_reaches_everybody_and_is_not_kept() -> None:
    answers = [ValueError("x")]

    def read() -> str:
        if answers:
            raise answers.pop()
        return "result"

    async def scene() -> None:
        shared = SharedReads[str, str](1, 100, len)
        results = await asyncio.gather(*(shared.get("key", read) for _ in range(3)), return_exceptions=True)
        assert [type(result) for result in results] == [ValueError] * 3
        assert await shared.get("key", read) == "result"

    asyncio.run(scene())


def test_who_hangs_up_leaves_the_read_to_the_others() -> None:
    release = threading.Event()

    async def scene() -> None:
        shared = SharedReads[str, bool](1)
        first = asyncio.create_task(shared.get("key", lambda: release.wait(5)))
        await asyncio.sleep(0.02)
        second = asyncio.create_task(shared.get("key", lambda: False))
        await asyncio.sleep(0.02)
        first.cancel()
        release.set()
        assert await second
        with pytest.raises(asyncio.CancelledError):
            await first

    asyncio.run(scene())


def test_those_who_share_a_result_take_turns() -> None:
    async def scene() -> list[int]:
        shared, went = SharedReads[str, str](1, call_queue=CallQueue(4)), [0]

        async def go() -> None:
            assert await shared.get("key", lambda: "result") == "result"
            went[0] += 1

        tasks = [asyncio.create_task(go()) for _ in range(20)]
        steps = [0]
        while went[0] < len(tasks):
            await asyncio.sleep(0)
            if went[0] != steps[-1]:
                steps.append(went[0])
        return steps

    assert asyncio.run(scene()) == [0, 4, 8, 12, 16, 20]
