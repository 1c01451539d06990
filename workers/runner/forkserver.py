"""The forkserver that has imported torch, and from which an attempt is forked in milliseconds.

A fork is safe because the server never starts a thread and never initialises CUDA (a test asserts it).
"""

import json

from app.forkserver import ForkServer, open_pipe
from workers.protocol.assignment import Assignment
from workers.runner.process_group import ProcessGroup

FORKSERVER_PRELOAD = ["workers.runner.preload"]
_server = ForkServer(FORKSERVER_PRELOAD)


def warm_up() -> tuple[str, ...] | None:
    """Start the server and wait until a first process has been forked from it.

    Returns the kinds of devices that attempts can use, such as ("cuda", "cpu"); `None` if that process fails.
    """
    from workers.runner.devices import report_devices  # noqa: PLC0415 - as below

    ours, theirs = open_pipe()
    process = _server.start("devices", report_devices, theirs)
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
    from workers.runner.main import main  # noqa: PLC0415 - keeps this module light for the forkserver

    ours, theirs = open_pipe()
    process = _server.start("attempt", main, theirs, assignment.to_json(), folder)
    theirs.close()
    return ProcessGroup(process, ours)
