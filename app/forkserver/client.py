"""Starting processes from a fork server: one that others use too, or one of this process's own."""

import atexit
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path

from app.forkserver.process import ForkedProcess
from app.forkserver.requests import Argument, StartRequest

ADDRESS_VARIABLE = "GRAFTWERK_FORK_SERVER"  # the socket of a server that this process shares with others
CLIENT_VARIABLES = ("TMPDIR", "TORCHINDUCTOR_CACHE_DIR")  # where a process keeps files is its client's decision
START_SECONDS = 60.0  # until a server listens that is being started, by this process or by whoever runs it
RETRY_SECONDS = 0.02
STOP_SECONDS = 2.0


class ForkServer:
    """Starts processes from a fork server; safe for threads.

    The server is the one that listens at the address in ``GRAFTWERK_FORK_SERVER``, which has imported the modules of
    `preload`, and which somebody else starts anew when it dies. Without that variable it is a child of this process,
    started when it is first needed, and anew when it has died.
    """

    def __init__(self, preload: Sequence[str]) -> None:
        self._preload = preload
        self._lock = threading.Lock()
        self._folder: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, name: str, main: str, pipe: Connection, *args: Argument) -> ForkedProcess:
        """Start a process that runs `main`, given as ``module:function``, with `pipe` and `args`.

        `name` is what programs such as ``ps`` and ``top`` show. Raises `OSError` or `EOFError` if it does not start.
        """
        environment = {name: os.environ[name] for name in CLIENT_VARIABLES if name in os.environ}
        request = StartRequest(name, main, args, environment)
        deadline = time.monotonic() + START_SECONDS
        while True:
            link = socket.socket(socket.AF_UNIX)
            try:
                link.connect(str(self._address()))
            except (ConnectionRefusedError, FileNotFoundError):
                link.close()
                if time.monotonic() > deadline:
                    raise
                time.sleep(RETRY_SECONDS)
                continue
            answers = request.send(link, pipe)
            return ForkedProcess(int(answers.recv_bytes()), answers)

    def _address(self) -> Path:
        """Return the address of the server, which is started if it is this process's own and does not run."""
        if shared := os.environ.get(ADDRESS_VARIABLE):
            return Path(shared)
        with self._lock:
            if self._folder is None:
                self._folder = Path(tempfile.mkdtemp(prefix="graftwerk-"))  # private, and so is the socket in it
                atexit.register(self.stop)
            address = self._folder / "socket"
            if self._process is None or self._process.poll() is not None:
                command = [sys.executable, "-m", "app.forkserver", str(address), *self._preload]
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
