"""Warm processes: a forkserver that has imported torch, and from which an attempt is forked in milliseconds.

A fork is safe because the server never starts a thread and never initialises CUDA (a test asserts it).
"""

import os
import threading
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess

from workers.protocol.assignment import Assignment

FORKSERVER_PRELOAD = ["workers.runner.preload"]
_context = get_context("forkserver")
_start_lock = threading.Lock()  # multiprocessing's own bookkeeping is not made for several threads


def warm_up() -> None:
    """Start the server and wait until a first process has been forked from it."""
    with _start_lock:
        _context.set_forkserver_preload(FORKSERVER_PRELOAD)
        process = _context.Process(target=os.getpid)
        process.start()
    process.join()


def start(assignment: Assignment, folder: str | None = None) -> tuple[ForkServerProcess, Connection]:
    """Start an attempt that keeps its files in a folder; returns its process and our end of its pipe."""
    from workers.runner.main import main  # noqa: PLC0415 - keeps this module light for the forkserver

    ours, theirs = _context.Pipe()
    with _start_lock:
        _context.set_forkserver_preload(FORKSERVER_PRELOAD)
        process = _context.Process(target=main, args=(theirs, assignment.to_json(), folder), daemon=True)
        process.start()
    theirs.close()
    return process, ours
