"""Files that survive a power cut: their bytes are synced, and so are the folders that have their names."""

import os
import secrets
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


def create_once(path: Path, text: str) -> None:
    """Create a private file, whole and durable, unless another process is first: its file stays as it is."""
    make_directory(path.parent)
    part = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    sync_file(part)
    try:
        os.link(part, path)
    except FileExistsError:
        pass
    except OSError:  # a file system without hard links, where two processes that start together may differ
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    sync_file(path.parent)
