"""The spool: temporary files of requests and attempts, in folders of which it is known whether anybody uses them.

Beside a folder NAME lies a file NAME.lock, which tells people who made it. Whoever uses the folder holds a shared lock
on that file (flock), which the kernel ends with the process. So nobody compares process ids, which are used again and
mean nothing in another container: what nobody holds was left behind, and may be removed.
"""

import fcntl
import os
import secrets
import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from app.disk.capacity import FULL_HINT, translate_disk_full
from app.errors import StorageFull

LOCK_SUFFIX = ".lock"
MAX_SOCKET_FOLDER = 75  # bytes: a Unix socket's path must fit in 108, and multiprocessing adds 33


class Spool:
    """The temporary files of one process, in a folder of its own in `root`, which is made when it is first needed.

    `process` is a word for people. At least `reserve` bytes stay free on the disk. Safe for threads.
    """

    def __init__(self, root: Path, process: str, reserve: int = 0) -> None:
        self.root, self._process, self._reserve = root, process, reserve
        self._own: Path | None = None
        self._descriptor = -1
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @contextmanager
    def folder(self, purpose: str) -> Iterator[Path]:
        """Yield a new folder, which is removed with all that is in it. Raises `StorageFull`."""
        with translate_disk_full("temporary files"):
            path = Path(tempfile.mkdtemp(prefix=f"{purpose}-", dir=self.own_folder()))
        try:
            with translate_disk_full("temporary files"):
                yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)  # a process that was killed may still write its last bytes

    def check_room(self, size: int) -> None:
        """Raise `StorageFull` unless `size` bytes fit, and the reserve is left."""
        free = shutil.disk_usage(self.own_folder()).free - self._reserve
        if size > free:
            detail = f"there is no room for {size:,} bytes: {max(0, free):,} are free for temporary files"
            raise StorageFull(detail, hint=FULL_HINT)

    def own_folder(self) -> Path:
        """Return this process's folder. Raises `OSError`."""
        with self._lock:
            if self._own is None:
                self._own, self._descriptor = _create_owned(self.root, self._process)
            return self._own

    def close(self) -> None:
        """Remove the process's folder."""
        with self._lock:
            if self._own is not None:
                shutil.rmtree(self._own, ignore_errors=True)
                _lock_path(self._own).unlink(missing_ok=True)
                os.close(self._descriptor)
                self._own = None

    def make_default(self) -> None:
        """Let libraries and child processes keep their temporary files here too, sockets of multiprocessing above all.

        For the rest of this process. Where the path is too long for sockets, or its file system has none, they stay
        where they would be.
        """
        with suppress(OSError):
            if _takes_sockets(self.own_folder()):
                os.environ["TMPDIR"] = tempfile.tempdir = str(self.own_folder())


def remove_abandoned(root: Path) -> list[str]:
    """Remove the folders in the spool that no living process uses, and return their names. Raises `OSError`."""
    removed = []
    for lock in sorted(root.glob(f"*{LOCK_SUFFIX}")) if root.is_dir() else []:
        with suppress(FileNotFoundError), lock.open("r+b") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            folder = lock.with_name(lock.name.removesuffix(LOCK_SUFFIX))
            shutil.rmtree(folder, ignore_errors=True)
            if not folder.exists():  # else again the next time
                lock.unlink()
                removed.append(folder.name)
    return removed


def hold(folder: Path) -> None:
    """Hold the process's folder in which `folder` lies, until this process ends, beside the process that made it.

    Raises `OSError` if it was removed.
    """
    descriptor = os.open(_lock_path(folder.parent), os.O_RDWR | os.O_CLOEXEC)
    fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)  # not while somebody removes the folder


def _create_owned(root: Path, process: str) -> tuple[Path, int]:
    """Create a folder that this process holds; return it with the descriptor that holds its lock."""
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    while True:
        folder = root / f"{process}-{secrets.token_hex(6)}"
        lock = _lock_path(folder)
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        try:
            if lock.stat().st_ino == os.fstat(descriptor).st_ino:
                os.write(descriptor, f"{socket.gethostname()} {os.getpid()} {_start_time()}\n".encode())
                folder.mkdir(mode=0o700)
                return folder, descriptor
        except FileNotFoundError:  # between creating and locking it was found without an owner
            pass
        except OSError:
            os.close(descriptor)
            lock.unlink(missing_ok=True)
            raise
        os.close(descriptor)


def _start_time() -> str:
    """Return when this process started, in the system's ticks since its boot; empty where it does not tell."""
    with suppress(OSError):
        return Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]
    return ""


def _lock_path(folder: Path) -> Path:
    return folder.with_name(folder.name + LOCK_SUFFIX)


def _takes_sockets(folder: Path) -> bool:
    if len(os.fsencode(folder)) > MAX_SOCKET_FOLDER:
        return False
    path = folder / "probe"
    with closing(socket.socket(socket.AF_UNIX)) as probe:
        try:
            probe.bind(str(path))
        except OSError:
            return False
    path.unlink()
    return True
