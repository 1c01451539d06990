"""Docstrings of Python's own standard library: which package is a class or a function from?

Of this Python (PSF licence): other versions have other docstrings, and figures that differ a little. Short texts, few
of them, and many words that occur once.
"""

import ast
import re
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from examples.data.files import write_csv, write_splits
from examples.data.split import Example, train_test_split

PACKAGES = ("asyncio", "ctypes", "email", "http", "idlelib", "importlib", "lib2to3", "logging", "multiprocessing")
PACKAGES += ("tkinter", "unittest", "urllib", "xml")
MIN_WORDS, MAX_CHARACTERS = 3, 1000


def write(cache: Path, folder: Path) -> dict[str, int]:
    """Write train.csv and test.csv; returns how many docstrings each has."""
    return write_splits(folder, "csv", write_csv, train_test_split(library_docstrings()))


def library_docstrings() -> Iterator[Example]:
    """Yield the docstrings of the packages, each with the name of its package."""
    library = Path(sysconfig.get_path("stdlib"))
    for package in PACKAGES:
        for path in sorted((library / package).rglob("*.py")):
            if not {"test", "tests", "idle_test"} & set(path.parts):
                yield from parse_docstrings(path.read_text(encoding="utf-8", errors="replace"), package)


def parse_docstrings(source: str, package: str) -> Iterator[Example]:
    """Yield the docstrings of a module's classes and functions, without those of fewer than three words."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = " ".join((ast.get_docstring(node) or "").split())[:MAX_CHARACTERS]
            words = re.findall(r"\w+", text.lower())
            if len(words) >= MIN_WORDS:
                yield Example(" ".join(words), text, package)
