"""A pipe whose other end a process of its own reads, as a worker reads that of an attempt."""

import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection


@contextmanager
def drained_pipe() -> Iterator[Connection]:
    """Give the end of a pipe that is written to, once it is read; it is closed at the end, and so is the process."""
    processes = multiprocessing.get_context("spawn")
    ours, theirs = processes.Pipe()
    drainer = processes.Process(target=_drain, args=(theirs,), daemon=True)
    drainer.start()
    theirs.close()
    ours.recv_bytes()  # the process takes seconds to import what its parent has: longer than the pipe holds
    try:
        yield ours
    finally:
        ours.close()


def _drain(pipe: Connection) -> None:
    """Say that it reads, and do so until the other end closes."""
    pipe.send_bytes(b"")
    while True:
        try:
            pipe.recv_bytes()
        except EOFError:
            return
