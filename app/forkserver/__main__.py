"""Serve forks: ``python -m app.forkserver ADDRESS MODULE``, with the path of a Unix socket and a module of `MAINS`."""

import os
import sys
from pathlib import Path

from app.forkserver.server import Server

if __name__ == "__main__":
    address, module = sys.argv[1:]
    Server(Path(address)).run(module)
    os._exit(os.EX_OK)  # without waiting for what it has started
