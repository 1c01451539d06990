"""What is learned from and what is held out for the test: by a hash of each example, so that everybody has the same."""

from collections.abc import Iterable
from hashlib import sha256
from typing import Any, NamedTuple

TEST_DIVISOR = 5  # one example in so many


class Example(NamedTuple):
    """Something to learn; two examples of one key are copies of each other."""

    key: str
    content: Any
    label: Any


def key_hash(key: str) -> int:
    """Return 64 bits that a key alone decides."""
    return int.from_bytes(sha256(key.encode()).digest()[:8], "big")


def train_test_split(examples: Iterable[Example]) -> tuple[list[Example], list[Example]]:
    """Return the examples for training and those for the test, both in the order of their numbers.

    Of copies the first is kept, so that none is on both sides; of copies that disagree on the label, none.
    """
    first: dict[str, Example] = {}
    doubtful: set[str] = set()
    for example in examples:
        if first.setdefault(example.key, example).label != example.label:
            doubtful.add(example.key)
    kept = sorted((each for key, each in first.items() if key not in doubtful), key=lambda each: key_hash(each.key))
    held = [each for each in kept if key_hash(each.key) % TEST_DIVISOR == 0]
    return [each for each in kept if key_hash(each.key) % TEST_DIVISOR != 0], held
