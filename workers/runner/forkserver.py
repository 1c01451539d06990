"""The forkserver that has imported torch, and from which an attempt is forked in milliseconds.

A fork is safe because the server never starts a thread and never initialises CUDA (a test asserts it).
"""

import json
from pathlib import Path

from app.forkserver.client import ForkServer, open_pipe
from workers.protocol.assignment import Assignment
from workers.runner.process_group import ProcessGroup

SERVER_MODULE = "workers.runner.preload"
_server = ForkServer(SERVER_MODULE)


def warm_up(shared: Path | None = None) -> tuple[str, ...] | None:
    """Start the server, or use the one that listens at `shared`; wait until a first process has been forked from it.

    Returns the kinds of devices that attempts can use, such as ("cuda", "cpu"); `None` if that process fails.
    """
    _server.shared = shared
    ours, theirs = open_pipe()
    process = _server.start("devices", theirs)
    theirs.close()
    try:
        return tuple(json.loads(ours.recv_bytes()))
    except (EOFError, OSError):
        return None
    finally:
        process.join()
        ours.close()


def start(assignment: Assignment, folder: str | None = None) -> ProcessGroup:
    """Start an attempt that keeps its temporary files in `folder`. Raises `OSError`."""
    ours, theirs = open_pipe()
    process = _server.start("attempt", theirs, assignment.to_json(), folder)
    theirs.close()
    return ProcessGroup(process, ours)
