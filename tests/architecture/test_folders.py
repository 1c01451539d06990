"""Folders: how many modules each has, and what its docstring says."""

import ast
from collections import defaultdict
from pathlib import Path

from tests.architecture.sources import PACKAGES, python, tree

MIN_MODULES, MAX_MODULES = 3, 12
SMALL = {  # folders with one or two modules beside their subfolders, or with a second half that other processes run
    Path("workers"),
    Path("workers/network"),
}


def modules() -> dict[Path, list[str]]:
    """Return the modules of every folder, without ``__init__`` and ``__main__``."""
    found: dict[Path, list[str]] = defaultdict(list)
    for path in python(*PACKAGES):
        if not path.stem.startswith("__"):
            found[path.parent].append(path.stem)
    return found


def test_a_folder_has_three_to_twelve_modules() -> None:
    counts = {folder: len(names) for folder, names in modules().items()}
    assert not {folder: count for folder, count in counts.items() if count > MAX_MODULES}
    assert {folder for folder, count in counts.items() if count < MIN_MODULES} == SMALL


def test_a_folder_says_what_belongs_there_and_what_never() -> None:
    docs = {folder: ast.get_docstring(tree(folder / "__init__.py")) or "" for folder in modules()}
    client = {folder for folder in docs if folder.parts[0] == "graftwerk"}  # an installable client: its users' words
    assert not [
        folder for folder, doc in docs.items() if folder not in client and ("Here: " not in doc or "Never: " not in doc)
    ]
    assert all(docs.values())
