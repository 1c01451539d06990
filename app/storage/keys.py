"""Keys of the artifact store, and ranges."""

import re
from collections.abc import Iterator

CHUNK_BYTES = 1 << 20  # bytes read or written at a time
_KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")


def validate_key(key: str) -> str:
    """Return the key, or raise `ValueError` if it is not a relative path of plain names."""
    if not _KEY.fullmatch(key):
        raise ValueError(f"not a key of the artifact store: {key!r}")
    return key


def job_prefix(job_id: str) -> str:
    """Return the prefix of the keys of all checkpoints of a job: ``jobs/<job>/<fence>/<step>/<file>``."""
    return f"jobs/{job_id}/"


def attempt_prefix(job_id: str, fence: int) -> str:
    """Return the prefix of the keys of the checkpoints of one attempt."""
    return f"{job_prefix(job_id)}{fence}/"


def exports_prefix(job_id: str, checkpoint_id: str = "") -> str:
    """Return the prefix of the keys of what was exported from a job's checkpoints, or from one of them."""
    return f"exports/{job_id}/" + (f"{checkpoint_id}/" if checkpoint_id else "")


def chunk_lengths(start: int, stop: int) -> Iterator[int]:
    """Yield the lengths of the pieces that a range is read in."""
    while start < stop:
        length = min(CHUNK_BYTES, stop - start)
        yield length
        start += length
