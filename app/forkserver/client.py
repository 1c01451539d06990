"""Starting processes from a fork server: one that others use too, or one of this process's own."""

import atexit
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing, suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path

from app.forkserver.process import ForkedProcess
from app.forkserver.requests import GO, Argument, StartRequest

START_SECONDS = 60.0  # until a server listens that is being started, by this process or by whoever runs it
RETRY_SECONDS = 0.02
STOP_SECONDS = 2.0


class ForkServer:
    """Starts processes from a fork server, whose main functions are in the table `MAINS` of a module; safe for threads.

    The server is the one that listens at `shared`, if that is given, which somebody else starts, and starts anew when
    it dies. Otherwise it is a child of this process, started when it is first needed, and anew when it has died.
    """

    def __init__(self, module: str, shared: Path | None = None) -> None:
        self.shared = shared
        self._module = module
        self._lock = threading.Lock()
        self._folder: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, name: str, pipe: Connection, *args: Argument) -> ForkedProcess:
        """Start a process that runs the main function of that name, with `pipe` and `args`.

        `name` is also what programs such as ``ps`` and ``top`` show, of which Linux keeps 15 bytes. Raises `OSError` or
        `EOFError` if it does not start.
        """
        request = StartRequest(name, args, tempfile.gettempdir())
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                return self._start(request, pipe)
            except (ConnectionError, EOFError, FileNotFoundError):  # there is no server yet, or it has just died
                if time.monotonic() > deadline:
                    raise
            time.sleep(RETRY_SECONDS)

    def _start(self, request: StartRequest, pipe: Connection) -> ForkedProcess:
        with closing(socket.socket(socket.AF_UNIX)) as link:
            link.connect(str(self._address()))
            answers = request.send(link, pipe)
        try:
            pid = int(answers.recv_bytes())
            answers.send_bytes(GO)
        except (OSError, EOFError):
            answers.close()
            raise
        return ForkedProcess(pid, answers)

    def _address(self) -> Path:
        """Return the address of the server, which is started if it is this process's own and does not run."""
        if self.shared is not None:
            return self.shared
        with self._lock:
            if self._folder is None:
                self._folder = Path(tempfile.mkdtemp(prefix="graftwerk-"))  # private, and so is the socket in it
                atexit.register(self.stop)
            address = self._folder / "socket"
            if self._process is None or self._process.poll() is not None:
                command = [sys.executable, "-m", "app.forkserver", str(address), self._module]
                self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
            return address

    def stop(self) -> None:
        """End the server, if it is this process's own; the next start would begin another one."""
        with self._lock:
            if self._process is not None:
                self._process.terminate()
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(STOP_SECONDS)
            if self._folder is not None:
                shutil.rmtree(self._folder, ignore_errors=True)
                atexit.unregister(self.stop)
            self._process = self._folder = None


def open_pipe() -> tuple[Connection, Connection]:
    """Return both ends of a pipe: ours, and that of the process to be started."""
    ours, theirs = Pipe()
    return ours, theirs
