"""The memory of a child process: what it has, what it may take, and what it can give back."""

import ctypes
import gc
import os
import resource
from contextlib import suppress
from pathlib import Path

STATM_RESIDENT, STATM_SHARED, STATM_DATA = 1, 2, 5  # positions in Linux's /proc/self/statm


def private_bytes() -> int:
    """Return the resident memory of this process without mapped files; 0 where the system does not report it."""
    return _statm_bytes(STATM_RESIDENT) - _statm_bytes(STATM_SHARED)


def limit_growth(count: int) -> None:
    """Let this process take `count` more bytes of private memory.

    Addresses are not limited: torch and mapped files take far more of them than they use.
    """
    if used := _statm_bytes(STATM_DATA):
        hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
        limit = used + count if hard == resource.RLIM_INFINITY else min(used + count, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def trim() -> None:
    """Give freed memory back to the system, which the allocator may keep for later.

    How much glibc keeps depends on the machine and on variables such as ``MALLOC_TRIM_THRESHOLD_``.
    """
    gc.collect()
    with suppress(AttributeError):  # another C library than glibc
        ctypes.CDLL(None).malloc_trim(0)


class GrowthLimit:
    """How much larger a process may become than it is now."""

    def __init__(self, count: int) -> None:
        self._count, self._start = count, private_bytes()

    def is_exceeded(self, cached: int = 0) -> bool:
        """Return whether the process has grown by more than the limit and the `cached` bytes that it keeps on purpose.

        Freed memory does not count.
        """
        limit = self._start + self._count + cached
        if private_bytes() <= limit:
            return False
        trim()
        return private_bytes() > limit


def _statm_bytes(position: int) -> int:
    try:
        return int(Path("/proc/self/statm").read_text().split()[position]) * os.sysconf("SC_PAGESIZE")
    except OSError:
        return 0
