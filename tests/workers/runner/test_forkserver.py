"""The warm server that attempts are forked from: loaded, and harmless to fork."""

import json
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

from workers.runner.forkserver import FORKSERVER_PRELOAD


def look(pipe: Connection) -> None:
    """Tell what a fresh child sees of itself and of the server."""
    import os
    import sys

    import torch

    status = Path(f"/proc/{os.getppid()}/status").read_text()
    threads = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("Threads:"))
    loaded = [
        name for name in ("torch._dynamo", "workers.training.loop", "workers.children.inspect") if name in sys.modules
    ]
    pipe.send_bytes(json.dumps([threads, torch.cuda.is_initialized(), loaded]).encode())


def test_the_server_is_warm_and_never_started_a_thread_nor_cuda() -> None:
    context = get_context("forkserver")
    context.set_forkserver_preload(FORKSERVER_PRELOAD)
    ours, theirs = context.Pipe()
    process = context.Process(target=look, args=(theirs,))
    process.start()
    threads, cuda, loaded = json.loads(ours.recv_bytes())
    process.join()
    assert threads == 1
    assert cuda is False
    assert len(loaded) == 3
