"""Obtain a data set: ``python -m examples.data NAME --to FOLDER``.

    fashion   Fashion-MNIST, for `GRAFTWERK_DATA_ROOT=FOLDER`   FashionMNIST/raw/*.gz
    digits    10,000 MNIST digits                               digits.npz
    tweets    tweets and their sentiment                        train.csv, test.csv
    mails     mails, wanted or not                              train.csv, test.csv
    docstrings  docstrings and their packages                   train.csv, test.csv
    tags      tweets with named entities                        train.conll, test.conll, train.jsonl, test.jsonl
    vowels    who says /ae/?                                    train.jsonl, test.jsonl
    airline   passengers by month                               airline.csv
    trees     syntax trees                                      train.jsonl, test.jsonl
    plane     made-up measurements                           plane.csv
    dates     made-up dates in words and in ISO 8601            train.jsonl, test.jsonl
    characters  windows of a manual                             train.jsonl, test.jsonl
    vectors   GloVe's word vectors                              glove.50d.txt
    all       each of them                                      FOLDER/NAME

They come from packages of Debian, npm and PyPI, which are kept in a cache.
"""

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from examples.data import (
    airline,
    characters,
    dates,
    docstrings,
    images,
    mails,
    plane,
    series,
    tags,
    trees,
    tweets,
    vectors,
)
from examples.data.packages import DownloadError

CACHE = Path("~/.cache/graftwerk-data")
WRITERS: Mapping[str, Callable[[Path, Path], Mapping[str, int]]] = {
    "fashion": images.write_fashion,
    "digits": images.write_digits,
    "tweets": tweets.write,
    "mails": mails.write,
    "docstrings": docstrings.write,
    "tags": tags.write,
    "vowels": series.write,
    "airline": airline.write,
    "trees": trees.write,
    "plane": plane.write,
    "dates": dates.write,
    "characters": characters.write,
    "vectors": vectors.write,
}


def main() -> int:
    """Obtain and write; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.data", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", choices=[*WRITERS, "all"])
    parser.add_argument("--to", type=Path, required=True, metavar="FOLDER", help="where the files are written")
    parser.add_argument("--cache", type=Path, default=CACHE, help=f"where packages are kept (default: {CACHE})")
    given = parser.parse_args()
    wanted = {name: given.to / name for name in WRITERS} if given.name == "all" else {given.name: given.to}
    for name, folder in wanted.items():
        folder.mkdir(parents=True, exist_ok=True)
        try:
            written = WRITERS[name](given.cache.expanduser(), folder)
        except DownloadError as error:
            sys.stderr.write(f"{name}: {error}\n")
            return 1
        for file, count in written.items():
            sys.stdout.write(f"{folder / file}: {count:,}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
