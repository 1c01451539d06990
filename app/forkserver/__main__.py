"""Serve forks: ``python -m app.forkserver ADDRESS MODULE…``, with the path of a Unix socket and modules to import."""

import sys
from pathlib import Path

from app.forkserver.server import Server

if __name__ == "__main__":
    address, *preload = sys.argv[1:]
    Server(Path(address)).run(preload)
