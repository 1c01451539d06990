"""Nine men say /ae/: twelve coefficients a frame, 7 to 29 frames. Who speaks?

JapaneseVowels (Kudo, Toyama and Shimbo 1999, UCI Machine Learning Repository, CC BY 4.0), of PyPI's aeon (BSD), in the
split of its authors: 270 and 370 utterances.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from examples.data.files import write_jsonl, write_splits
from examples.data.packages import download_wheel, find_member

FILE_PATTERN = "aeon/datasets/data/JapaneseVowels/JapaneseVowels_{}.ts"


def write(cache: Path, folder: Path) -> dict[str, int]:
    """Write train.jsonl and test.jsonl; returns how many utterances each has."""
    archive = download_wheel("aeon", "1.6.0", cache)
    texts = [find_member(archive, FILE_PATTERN.format(part)).decode() for part in ("TRAIN", "TEST")]
    return write_splits(folder, "jsonl", write_jsonl, map(parse_utterances, texts))


def parse_utterances(text: str) -> Iterator[dict[str, Any]]:
    """Yield what a .ts file says: a line for each utterance, its coefficients' courses and its label between colons."""
    for line in text.splitlines():
        if line and line[0] not in "@#":
            *courses, label = line.split(":")
            frames = zip(*([float(value) for value in course.split(",")] for course in courses), strict=True)
            yield {"series": [list(frame) for frame in frames], "label": label.strip()}
