"""A child process that answers requests, one after the other, within limits: what it is asked about is a stranger's."""

import gc
import json
import os
import resource
import signal
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

STATM_RESIDENT, STATM_DATA = 1, 5  # places in Linux's /proc/self/statm

Request = Mapping[str, Any]
Handlers = Mapping[str, Callable[[Request], dict[str, Any]]]
ShouldExit = Callable[[int, int], bool]  # requests served, bytes that the process has grown by → whether it shall end


def serve(
    pipe: Connection, memory: int | None, answers: Handlers, worn: ShouldExit, warm_up: Callable[[], object]
) -> None:
    """Warm up, say that it is ready, and answer requests in JSON by what they "ask".

    It ends when the pipe closes, and when it is worn out. The process may take `memory` bytes more than when it is
    warm, if that is given.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the API, which then closes the pipe
    warm_up()
    gc.freeze()  # a collection need not walk all of torch
    start = _memory_bytes(STATM_RESIDENT)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if memory is not None:
        _limit_memory(memory)
    pipe.send_bytes(b"{}")
    served = 0
    while not worn(served, _memory_bytes(STATM_RESIDENT) - start):
        try:
            body = pipe.recv_bytes()
        except (EOFError, OSError):
            return
        pipe.send_bytes(handle_request(body, answers))
        served += 1


def handle_request(body: bytes, answers: Handlers) -> bytes:
    """Return the answer to a request; where there is none, "failure" says why."""
    try:
        request = json.loads(body)
        answer = answers[request["ask"]](request)
        return json.dumps(answer).encode()
    except (MemoryError, SystemError):  # an extension may fail without a word when it gets no memory
        failure = "memory"
    except Exception as error:  # whatever a stranger's document brings about is an answer, not the end
        failure = f"{type(error).__name__}: {error}"[:500]
    return json.dumps({"failure": failure}).encode()


def _memory_bytes(place: int) -> int:
    """Return bytes of this process; nothing where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[place]) * os.sysconf("SC_PAGESIZE")
    except OSError:
        return 0


def _limit_memory(memory: int) -> None:
    """Bound private memory, and not addresses, of which torch and mapped files take far more than they use."""
    if used := _memory_bytes(STATM_DATA):
        hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
        wanted = used + memory if hard == resource.RLIM_INFINITY else min(used + memory, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (wanted, wanted))
