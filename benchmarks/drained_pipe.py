"""A pipe whose other end a process of its own reads, as a worker reads that of an attempt."""

import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection


@contextmanager
def drained_pipe() -> Iterator[Connection]:
    """Give the end of a pipe that is written to; it is closed at the end, and so is the process."""
    processes = multiprocessing.get_context("spawn")
    ours, theirs = processes.Pipe()
    drainer = processes.Process(target=_drain, args=(theirs,), daemon=True)
    drainer.start()
    theirs.close()
    try:
        yield ours
    finally:
        ours.close()


def _drain(pipe: Connection) -> None:
    """Read until the other end closes."""
    while True:
        try:
            pipe.recv_bytes()
        except EOFError:
            return
