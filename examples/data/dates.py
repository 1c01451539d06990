"""Dates as people write them, and as ISO 8601 has them: made up, to learn the way from the one to the other.

Every day from 1950 to 2049 is written in one of several ways: 8,000 days to train on and 1,000 others for the test.
"""

import datetime
import random
from collections.abc import Callable
from pathlib import Path

from examples.data.files import write_jsonl

FIRST, DAYS = datetime.date(1950, 1, 1), 36_525
SIZES = {"train": 8000, "test": 1000}


def ordinal(day: int) -> str:
    """Return a day with its ending: 1st, 2nd, 3rd, 4th."""
    ending = "th" if day in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    return f"{day}{ending}"


FORMATS: tuple[Callable[[datetime.date], str], ...] = (
    lambda date: f"{date.day} {date:%B %Y}",
    lambda date: f"{date:%B} {date.day}, {date:%Y}",
    lambda date: f"{date:%a} {date.day} {date:%b %Y}",
    lambda date: f"{date:%A}, {date:%B} {ordinal(date.day)} {date:%Y}",
    lambda date: f"the {ordinal(date.day)} of {date:%B} {date:%Y}",
    lambda date: f"{date:%Y} {date:%b} {date:%d}",
)


def write(_cache: Path, folder: Path) -> dict[str, int]:
    """Write train.jsonl and test.jsonl; returns how many rows each has."""
    draw = random.Random(0)
    days = iter(draw.sample(range(DAYS), sum(SIZES.values())))
    counts = {}
    for part, size in SIZES.items():
        dates = [FIRST + datetime.timedelta(days=next(days)) for _ in range(size)]
        rows = ({"text": draw.choice(FORMATS)(date), "iso": date.isoformat()} for date in dates)
        counts[f"{part}.jsonl"] = write_jsonl(folder / f"{part}.jsonl", rows)
    return counts
