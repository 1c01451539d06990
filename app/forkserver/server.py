"""The server: imports its modules, then forks a process for every request, and tells how each one ends.

It runs in one thread: a fork copies only the thread that forks. It ends with the process that has started it.
"""

import gc
import importlib
import os
import signal
import socket
import struct
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from pathlib import Path

from app.forkserver.requests import StartRequest, receive_request

BACKLOG = 128  # clients that wait until the server has imported its modules
PARENT_POLL_SECONDS = 1.0  # how often the server looks whether its parent lives
REQUEST_SECONDS = 5  # for a client to send its request once it has connected

_context = get_context("fork")


class Server:
    """Serves the clients that connect to a Unix socket at `address`, until its parent has ended."""

    def __init__(self, address: Path) -> None:
        self._address = address
        self._parent = os.getppid()
        address.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(address))
        self._listener.listen(BACKLOG)
        self._wake, self._waker = os.pipe()
        self._running: dict[ForkProcess, Connection] = {}

    def run(self, module: str) -> None:
        """Import a module, then serve: start processes that run one of the functions in its table `MAINS`.

        Each is called with a pipe and the arguments of the request.
        """
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever uses the server
        self._mains: Mapping[str, Callable[..., object]] = importlib.import_module(module).MAINS
        gc.collect()
        gc.freeze()  # a collection in a child does not touch these objects, whose pages stay shared
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        os.set_blocking(self._waker, False)
        os.set_blocking(self._wake, False)
        signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)
        try:
            while os.getppid() == self._parent:
                self._serve_round()
        finally:
            self._address.unlink(missing_ok=True)

    def _serve_round(self) -> None:
        ready = wait([self._listener, self._wake], PARENT_POLL_SECONDS)
        if self._wake in ready:
            with suppress(BlockingIOError):
                os.read(self._wake, 4096)
        self._report_ended()
        if self._listener in ready:
            with suppress(EOFError, OSError):  # the client has gone meanwhile
                self._accept()

    def _accept(self) -> None:
        link, _ = self._listener.accept()
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", REQUEST_SECONDS, 0))
        request, pipe, answers = receive_request(link)
        try:
            process = _context.Process(target=self._run_child, args=(request, pipe, answers))
            process.start()
        finally:
            os.close(pipe)
        self._running[process] = answers
        answers.send_bytes(str(process.pid).encode())

    def _report_ended(self) -> None:
        for process, answers in list(self._running.items()):
            if process.exitcode is not None:
                del self._running[process]
                with suppress(OSError):  # nobody wants to know any more
                    answers.send_bytes(str(process.exitcode).encode())
                answers.close()
                process.close()

    def _run_child(self, request: StartRequest, pipe: int, answers: Connection) -> None:
        """Run in a new process: without anything of the server's, call the main function."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._listener.close()
        for descriptor in (self._wake, self._waker):
            os.close(descriptor)
        for other in self._running.values():
            other.close()
        try:
            answers.recv_bytes()  # `GO`
        except (EOFError, OSError):
            return
        answers.close()
        with suppress(OSError):  # another system than Linux has no such file
            Path("/proc/self/comm").write_text(request.name)
        os.environ["TMPDIR"] = tempfile.tempdir = request.folder
        self._mains[request.name](Connection(pipe), *request.args)
