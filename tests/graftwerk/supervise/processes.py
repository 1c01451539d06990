"""Looking at processes that are not our children."""

import psutil


def has_ended(process: psutil.Process) -> bool:
    """Return whether a process has ended; nobody may have reaped it yet."""
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True
