"""Measuring the memory of a process and its descendants."""

import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import psutil
import pytest

from workers.runner import memory
from workers.runner.memory import MemoryWatch, attempt_memory, machine_memory

MIB = 1 << 20


def allocate(pipe: Connection, own: int, child: int) -> None:
    """Take some memory, let a child take some too, and wait."""
    kept = bytearray(os.urandom(1) * own)
    if child:
        with allocated(child) as _:
            pipe.send(len(kept))
            pipe.recv()
        return
    pipe.send(len(kept))
    pipe.recv()


@contextmanager
def allocated(own: int, child: int = 0) -> Iterator[int]:
    """Yield the id of a process that has so much memory, and whose child has so much."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=allocate, args=(theirs, own, child))
    process.start()
    assert ours.recv()
    assert process.pid is not None
    yield process.pid
    ours.send(None)
    process.join()


def test_the_machine_has_memory_of_which_each_slot_has_a_part() -> None:
    assert 0 < machine_memory() <= psutil.virtual_memory().total
    assert attempt_memory(0, 2) == int(machine_memory() * 0.9) // 2
    assert attempt_memory(7 * MIB, 2) == 7 * MIB


@pytest.mark.parametrize("text", ["max", str(1 << 62), str(100 * MIB)])
def test_a_container_may_have_less(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "memory.max").write_text(text)
    monkeypatch.setattr(memory, "_CGROUP_LIMITS", (tmp_path / "memory.max", tmp_path / "missing"))
    assert (machine_memory() == 100 * MIB) == (text == str(100 * MIB))


def test_children_count_and_shared_pages_count_once() -> None:
    with allocated(64 * MIB, 64 * MIB) as pid:
        watch = MemoryWatch(96 * MIB)
        assert watch.is_exceeded(pid)
        assert watch.peak > 120 * MIB
        assert not watch.is_exceeded(pid)  # measured just now
    with allocated(64 * MIB) as pid:
        assert not MemoryWatch(1 << 40).is_exceeded(pid)
        assert not MemoryWatch(0).is_exceeded(pid)
    assert not MemoryWatch(1).is_exceeded(2**22)  # nobody


def test_pages_that_a_fork_shares_with_its_parent_are_not_its_own() -> None:
    kept = bytearray(b"x" * (256 * MIB))
    with allocated(MIB) as pid:
        watch = MemoryWatch(MIB)
        assert watch.is_exceeded(pid)
        assert watch.peak < 0.75 * psutil.Process().memory_info().rss - len(kept) / 4  # half of what both have
