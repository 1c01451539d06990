"""Power cuts at many places of a log, each with several outcomes for what was not synced."""

import random
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from tests.faults.power.disk import Disk, Survival, everything_pending, nothing_pending, some_pending
from tests.faults.power.log import PowerLog

OUTCOMES: dict[str, Callable[[random.Random], Survival]] = {
    "nothing": lambda chance: nothing_pending,
    "some": some_pending,
    "everything": lambda chance: everything_pending,
}


def choose_positions(
    log: PowerLog, count: int, chance: random.Random, due: Iterable[int], first: int = 1, last: int | None = None
) -> Sequence[int]:
    """Return positions to cut at: all those that are due, and others by chance, from `first` to `last`."""
    every = [record.position for record in log.records(last) if record.position >= first]
    return sorted({*due, *chance.sample(every, min(count, len(every)))})


def cut(
    log: PowerLog, positions: Sequence[int], chance: random.Random, scratch: Path, only: str = ""
) -> Iterator[tuple[int, str, Path]]:
    """Yield (position, outcome, the root as it is after the cut) for each; the folder is then removed."""
    disk = Disk(log)
    for position in positions:
        disk.play(position)
        for outcome, survival in OUTCOMES.items():
            left = scratch / "left"
            disk.write(left, survival(chance), only)
            yield position, outcome, left
            shutil.rmtree(left)


def find_missed_changes(log: PowerLog, scratch: Path, folder: str = "") -> list[str]:
    """Return files that are not what the log says: changes that the shim has not seen. Shared memory is none."""
    replayed, there = scratch / "replayed", log.root / folder
    Disk(log).play().write(replayed, everything_pending)
    expected, found = _contents(replayed / folder), _contents(there)
    shutil.rmtree(replayed)
    return sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))


def _contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and not path.name.endswith("-shm"))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
