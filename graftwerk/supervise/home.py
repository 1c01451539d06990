"""The home directory of a service: private, and locked by one `graftwerk up` at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


class CannotStart(Exception):
    """The service cannot start; the message says why and how to fix it."""


def create_home(home: Path) -> None:
    """Create the directory with mode 0700. Raises `CannotStart`."""
    try:
        missing = [path for path in (home, *home.absolute().parents) if not path.exists()]
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        home.chmod(0o700)
        for path in missing:
            _sync(path.absolute().parent)
    except OSError as error:
        raise CannotStart(f"{home} cannot be used: {error.strerror}; choose another with --home") from None
    if not os.access(home, os.W_OK | os.X_OK):
        raise CannotStart(f"{home} is not writable; choose another with --home")


@contextmanager
def lock_home(home: Path) -> Iterator[None]:
    """Hold the directory's lock, at most until this process ends. Raises `CannotStart` if another process holds it."""
    with (home / "lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise CannotStart(
                f"another `graftwerk up` (process {holder}) uses {home}; stop it, or choose another with --home"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def read_key(home: Path) -> str:
    """Return the key in the directory, or ""."""
    try:
        return (home / "key").read_text().strip()
    except OSError:
        return ""


def write_private(path: Path, text: str) -> None:
    """Write a file with mode 0600, atomically: it is there, whole, after a power cut."""
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text + "\n")
    _sync(part)
    part.replace(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    """Make the bytes of a file, or the names in a directory, durable."""
    with suppress(PermissionError):  # of a directory that one may search and not read
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
