"""The warm server that attempts are forked from: loaded, and harmless to fork."""

import json
import os
import sys
from multiprocessing.connection import Connection
from pathlib import Path

from app.forkserver.client import ForkServer, open_pipe
from workers.runner.forkserver import FORKSERVER_PRELOAD


def look(pipe: Connection) -> None:
    """Tell what a fresh child sees of itself and of the server."""
    import torch

    status = Path(f"/proc/{os.getppid()}/status").read_text()
    threads = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("Threads:"))
    loaded = [
        name for name in ("torch._dynamo", "workers.training.loop", "workers.children.inspect") if name in sys.modules
    ]
    pipe.send_bytes(json.dumps([threads, torch.cuda.is_initialized(), loaded]).encode())


def test_the_server_is_warm_and_never_started_a_thread_nor_cuda() -> None:
    server = ForkServer(FORKSERVER_PRELOAD)
    ours, theirs = open_pipe()
    process = server.start("look", f"{__name__}:look", theirs)
    threads, cuda, loaded = json.loads(ours.recv_bytes())
    assert process.join(10)
    assert process.exitcode == 0
    server.stop()
    assert threads == 1
    assert cuda is False
    assert len(loaded) == 3
