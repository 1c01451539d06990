"""The log of changes to files that `shim.c` writes, and the processes that write it."""

import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

SOURCE = Path(__file__).with_name("shim.c")
_HEAD = struct.Struct("=IIIIQqQ")


class Kind(IntEnum):
    """What was done; the numbers are those of `shim.c`."""

    CREATE = 1
    WRITE = 2
    TRUNCATE = 3
    RENAME = 4
    LINK = 5
    UNLINK = 6
    MKDIR = 7
    RMDIR = 8
    SYNC = 9
    SYNC_FOLDER = 10


@dataclass(frozen=True, slots=True)
class Record:
    """One change."""

    position: int  # of its first byte in the log
    kind: Kind
    path: Path
    target: Path
    inode: int
    offset: int  # of a write; the new size of a truncation; the length of the log when a sync began
    data: bytes


def missing_compiler() -> str | None:
    """Return why the shim cannot be compiled on this machine, or `None`."""
    return None if shutil.which("cc") else "there is no C compiler (cc) to build the interposed library with"


@cache
def build_shim() -> Path:
    """Compile the shim, once in a process, and return the library."""
    library = Path(mkdtemp(prefix="graftwerk-shim-")) / "shim.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(SOURCE)], check=True)
    return library


@dataclass(frozen=True)
class PowerLog:
    """The log of everything below a folder, by all processes with its environment."""

    root: Path
    path: Path

    @property
    def environment(self) -> dict[str, str]:
        """The variables that make a process write the log."""
        return {"LD_PRELOAD": str(build_shim()), "POWER_ROOT": str(self.root), "POWER_LOG": str(self.path)}

    @property
    def position(self) -> int:
        """The length of the log at this moment: what was acknowledged before it must survive every later cut."""
        return self.path.stat().st_size if self.path.exists() else 0

    def records(self, stop: int | None = None) -> Iterator[Record]:
        """Yield the records up to a position."""
        content = self.path.read_bytes()
        at, end = 0, len(content) if stop is None else stop
        while at < end:
            kind, path_length, target_length, _, inode, offset, length = _HEAD.unpack_from(content, at)
            first = at + _HEAD.size
            second = first + path_length
            third = second + target_length
            yield Record(
                at,
                Kind(kind),
                Path(os.path.normpath(content[first:second].decode())),
                Path(os.path.normpath(content[second:third].decode())),
                inode,
                offset,
                content[third : third + length],
            )
            at = third + length
