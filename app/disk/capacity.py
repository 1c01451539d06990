"""A disk that is full: how an operation says so, and what the user is told."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from app.errors import StorageFull

FULL_HINT = "try again later; whoever runs the service makes room, or names a larger disk in GRAFTWERK_SPOOL"
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def is_disk_full(error: BaseException) -> bool:
    """Return whether an operation failed because the disk, a quota on it or a limit of the process is full."""
    return isinstance(error, OSError) and error.errno in _DISK_FULL


@contextmanager
def translate_disk_full(what: str, hint: str = FULL_HINT) -> Iterator[None]:
    """Raise `StorageFull`, no room for `what`, instead of an `OSError` that says so."""
    try:
        yield
    except OSError as error:
        if is_disk_full(error):
            raise StorageFull(f"no room for {what}: {error.strerror}", hint=hint) from error
        raise
