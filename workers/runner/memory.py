"""The memory of an attempt: its limit, what its processes use, and whether the kernel has killed for want of memory."""

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

MEASURE_INTERVAL_SECONDS = 1.0
MACHINE_FRACTION = 0.9  # of the machine's memory is for attempts
_PROC = Path("/proc")
_CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
_CHEAP_FIELDS = ("RssAnon", "RssShmem")  # of /proc/PID/status: pages shared with other processes count in each
_EXACT_FIELDS = ("Pss_Anon", "Pss_Shmem")  # of /proc/PID/smaps_rollup: they count in parts, but the kernel walks them


def machine_memory() -> int:
    """Return the bytes of memory that this machine or container has; 0 where the system does not report it."""
    limits = [_read_fields(_PROC / "meminfo", ("MemTotal",))]
    for path in _CGROUP_LIMITS:
        with suppress(OSError, ValueError):  # "max": no limit
            limits.append(int(path.read_text(encoding="ascii")))
    return min((limit for limit in limits if limit), default=0)


def attempt_memory(setting: int, slots: int) -> int:
    """Return the bytes that one attempt may use: the setting, or its part of the machine's memory; 0: unknown."""
    return setting or int(machine_memory() * MACHINE_FRACTION) // slots


def kernel_kills() -> int:
    """Return how many processes the kernel has killed for want of memory since the machine started."""
    with suppress(OSError):
        for line in (_PROC / "vmstat").read_text(encoding="ascii").splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0


def prefer_as_victim() -> None:
    """Let the kernel end this process, and its children, before others when the machine runs out of memory."""
    with suppress(OSError):
        (_PROC / "self" / "oom_score_adj").write_text("500", encoding="ascii")


class MemoryWatch:
    """Measures a process with its descendants, now and then, against a limit in bytes; 0: no limit."""

    def __init__(self, limit: int) -> None:
        self.limit, self.used, self.peak = limit, 0, 0  # bytes
        self._measure_at = 0.0
        self._kernel_kills = kernel_kills()

    def is_exceeded(self, pid: int) -> bool:
        """Return whether the process and its descendants use more than the limit. Measures once in a second at most."""
        now = time.monotonic()
        if now < self._measure_at:
            return False
        self._measure_at = now + MEASURE_INTERVAL_SECONDS
        pids = [pid, *_descendants(pid)]
        used = sum(_read_fields(_PROC / str(each) / "status", _CHEAP_FIELDS) for each in pids)
        if 0 < self.limit < used:
            used = sum(_read_fields(_PROC / str(each) / "smaps_rollup", _EXACT_FIELDS) for each in pids)
        self.used, self.peak = used, max(self.peak, used)
        return 0 < self.limit < used

    def has_kernel_killed(self) -> bool:
        """Return whether the kernel has killed a process of this machine for want of memory meanwhile."""
        return kernel_kills() > self._kernel_kills

    def figures(self) -> str:
        """Return what the attempt has used and may use, in words."""
        limit = f" of {_gibibytes(self.limit)} that it may use" if self.limit else ""
        return f"the attempt used {_gibibytes(self.peak)}{limit}, as measured"


def _descendants(pid: int) -> Iterator[int]:
    with suppress(OSError):
        for children in (_PROC / str(pid) / "task").glob("*/children"):
            for child in children.read_text(encoding="ascii").split():
                yield int(child)
                yield from _descendants(int(child))


def _read_fields(path: Path, names: tuple[str, ...]) -> int:
    """Return the sum of some fields in bytes; 0 of a process that is gone."""
    with suppress(OSError):
        rows = (line.partition(":") for line in path.read_text(encoding="ascii", errors="replace").splitlines())
        return sum(1024 * int(value.split()[0]) for name, _, value in rows if name in names)
    return 0


def _gibibytes(count: int) -> str:
    return f"{count / (1 << 30):.2f} GiB"
