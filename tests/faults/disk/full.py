"""A disk that is full for a while, for the processes that have the environment; unprivileged, and to the byte."""

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import gettempdir, mkdtemp

SOURCE = Path(__file__).with_name("full.c")


@cache
def build_library() -> Path:
    """Compile the library, once in a process."""
    folder = Path(mkdtemp(prefix="graftwerk-full-"))
    folder.chmod(0o755)  # PostgreSQL runs as another user
    library = folder / "full.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(SOURCE), "-ldl"], check=True)
    return library


@dataclass(frozen=True)
class Disk:
    """A disk: everything below a folder."""

    root: Path
    flag: Path

    @classmethod
    def new(cls, root: Path | None = None) -> "Disk":
        """Return a disk that has room; by default that of temporary files."""
        folder = Path(mkdtemp(prefix="graftwerk-full-"))
        folder.chmod(0o755)
        return cls(root or Path(gettempdir()).resolve(), folder / "flag")

    @property
    def environment(self) -> Mapping[str, str]:
        """The environment of the processes that write to it."""
        return {"LD_PRELOAD": str(build_library()), "FULL_ROOT": str(self.root), "FULL_FLAG": str(self.flag)}

    @contextmanager
    def fill(self) -> Iterator[None]:
        """Leave no room."""
        self.flag.touch()
        try:
            yield
        finally:
            self.flag.unlink()
