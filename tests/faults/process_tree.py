"""Who is who among a deployment's processes: attempts, the fork servers that start them, and their workers."""

from contextlib import suppress

import psutil

SERVER_WORDS, WORKER_WORDS = "-m app.forkserver", "-m workers"


def command_line(process: psutil.Process) -> str:
    """Return the command line; empty if the process is gone."""
    with suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""


def attempts_of(worker: psutil.Process) -> list[psutil.Process]:
    """Return the attempts of a worker: children of its own fork server, or of that which `graftwerk up` has started."""
    with suppress(psutil.NoSuchProcess):
        up = worker.parent()
        near = [*worker.children(), *(up.children() if up is not None and "graftwerk up" in command_line(up) else [])]
        servers = [process for process in near if SERVER_WORDS in command_line(process)]
        return [child for server in servers for child in server.children() if _name(child) == "attempt"]
    return []


def worker_of(attempt: psutil.Process) -> psutil.Process | None:
    """Return the worker of an attempt; `None` if it is gone."""
    with suppress(psutil.NoSuchProcess):
        server = attempt.parent()
        owner = server.parent() if server is not None else None
        near = [] if owner is None else [owner, *owner.children()]
        return next((process for process in near if WORKER_WORDS in command_line(process)), None)
    return None


def _name(process: psutil.Process) -> str:
    with suppress(psutil.Error):
        return process.name()
    return ""
