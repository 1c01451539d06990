"""Main functions of a fork server under test, which loads nothing else."""

import json
import os
import signal
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path


def tell(pipe: Connection, *args: str) -> None:
    """Tell what a child sees: its arguments, its name, its folder, and its open files."""
    open_files = sorted(os.readlink(entry) for entry in Path("/proc/self/fd").iterdir() if entry.exists())
    seen = {
        "args": args,
        "name": Path("/proc/self/comm").read_text().strip(),
        "folder": tempfile.gettempdir(),
        "sockets": sum(target.startswith(("socket:", "pipe:")) for target in open_files),
        "interrupts": signal.getsignal(signal.SIGINT) is signal.SIG_IGN,
    }
    pipe.send_bytes(json.dumps(seen).encode())


def leave(pipe: Connection, code: int) -> None:
    """Exit with a code."""
    sys.exit(code)


def fail(pipe: Connection) -> None:
    """Raise."""
    raise RuntimeError("as expected")


def wait(pipe: Connection) -> None:
    """Say that it runs, then wait until the pipe closes."""
    pipe.send_bytes(b"runs")
    try:
        pipe.recv_bytes()
    except EOFError:
        return


def spawn(pipe: Connection) -> None:
    """Leave a process behind that lives for a while."""
    if os.fork() == 0:
        time.sleep(5)
        os._exit(0)


MAINS = {"tell": tell, "leave": leave, "fail": fail, "wait": wait, "spawn": spawn}
