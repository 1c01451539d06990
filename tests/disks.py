"""A disk that is soon full."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


class TinyDisk:
    """A file system of its own with room for little."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def fill(self, left: int = 0) -> None:
        """Leave about `left` bytes free."""
        self._ballast.unlink(missing_ok=True)
        with self._ballast.open("wb") as file:
            file.write(bytes(shutil.disk_usage(self.folder).free - left))

    def empty(self) -> None:
        self._ballast.unlink(missing_ok=True)


@contextmanager
def tiny_disk(folder: Path, size: int) -> Iterator[TinyDisk]:
    """Mount a file system of `size` bytes at a new folder; the test is skipped where that is not allowed."""
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("file systems cannot be mounted here")
    try:
        yield TinyDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
