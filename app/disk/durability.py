"""Files that survive a power cut: their bytes are synced, and so are the folders that have their names."""

import os
from contextlib import suppress
from pathlib import Path


def sync_file(path: Path) -> None:
    """Make the bytes of a file, or the names in a folder, durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_directory(folder: Path) -> None:
    """Create a folder and its missing parents, with mode 0700, durably."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in missing:
        with suppress(PermissionError):  # of a folder that one may search and not read
            sync_file(path.parent)


def publish(part: Path, target: Path) -> None:
    """Give a complete file its name, in place of another one: after a power cut there is one or the other, whole."""
    sync_file(part)
    part.replace(target)
    sync_file(target.parent)
