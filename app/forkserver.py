"""Processes forked from a warm server: an interpreter that has imported its modules already, and runs no thread."""

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path

_context = get_context("forkserver")
_lock = threading.Lock()  # multiprocessing's own bookkeeping is not made for several threads


class ForkServer:
    """Starts processes from this process's forkserver; safe for threads.

    A Python process has one forkserver. It imports the `preload` modules of whoever starts the first process.
    """

    def __init__(self, preload: Sequence[str]) -> None:
        self._preload = list(preload)

    def start(self, name: str, main: Callable[..., object], *args: object) -> ForkServerProcess:
        """Start a daemon process that runs `main(*args)`, which its interpreter finds by its module and name.

        `name` is what programs such as ``ps`` and ``top`` show, of which Linux keeps 15 bytes. Raises `OSError` or
        `EOFError` if the server cannot start it.
        """
        process = _context.Process(target=_run, args=(name, main, *args), daemon=True)
        with _lock:
            _context.set_forkserver_preload(self._preload)
            process.start()
        return process

    def kill(self, process: ForkServerProcess) -> None:
        """Kill a process, wait for its end and free what belongs to it."""
        with _lock:
            process.kill()
            process.join()
            process.close()


def _run(name: str, main: Callable[..., object], *args: object) -> None:
    with suppress(OSError):  # another system than Linux has no such file
        Path("/proc/self/comm").write_text(name)
    main(*args)


def open_pipe() -> tuple[Connection, Connection]:
    """Return both ends of a pipe: ours, and that of the process to be started."""
    ours, theirs = _context.Pipe()
    return ours, theirs
