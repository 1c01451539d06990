"""What the tests let a child of the warm server run."""

import json
import os
import sys
from multiprocessing.connection import Connection
from pathlib import Path

from workers.runner import preload


def look(pipe: Connection) -> None:
    """Tell what a fresh child sees of itself and of the server."""
    import torch

    status = Path(f"/proc/{os.getppid()}/status").read_text()
    threads = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("Threads:"))
    looked_for = ("torch._dynamo", "torchmetrics", "workers.training.loop", "workers.children.inspect")
    loaded = [name for name in looked_for if name in sys.modules]
    pipe.send_bytes(json.dumps([threads, torch.cuda.is_initialized(), loaded]).encode())


def train(pipe: Connection, assignment: str) -> None:
    """Run an attempt without a folder; tell through the pipe which modules it has imported."""
    before = set(sys.modules)
    preload.MAINS["attempt"](pipe, assignment, None)
    Path(json.loads(assignment)["data_root"], "imported.json").write_text(json.dumps(sorted(set(sys.modules) - before)))


MAINS = {"look": look, "train": train}
