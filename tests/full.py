"""Which of many like cases a run has: a choice of them in `make test`, all of them in `make faults`."""

import os
from collections.abc import Collection

FULL = os.environ.get("FULL", "0") not in ("", "0")


def choose(every: Collection[str], *choice: str) -> list[str]:
    """Return the chosen names of a product, or all of them where ``FULL`` is set."""
    unknown = set(choice) - set(every)
    assert not unknown, unknown
    return list(every) if FULL else list(choice)
