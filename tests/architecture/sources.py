"""The project's files, read once."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("app", "workers", "graftwerk")
CODE = (*PACKAGES, "migrations", "benchmarks", "examples", "docs", "tests")
FOLDERS = (*CODE, ".ci")
BINARY = frozenset({".npz", ".png", ".pyc", ".webp"})


def python(*folders: str) -> list[Path]:
    """Return the Python files of some folders, relative to the root."""
    found = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    return sorted(path.relative_to(ROOT) for path in found)


def texts() -> list[Path]:
    """Return every text file of the project, relative to the root."""
    top = [path for path in ROOT.iterdir() if path.is_file() and path.name not in (".env", ".git", ".coverage")]
    deep = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file()]
    kept = [path for path in top + deep if path.suffix not in BINARY]
    return sorted(path.relative_to(ROOT) for path in kept)


@cache
def text(path: Path) -> str:
    """Return a file's text."""
    return (ROOT / path).read_text()


@cache
def tree(path: Path) -> ast.Module:
    """Return a file's syntax tree."""
    return ast.parse(text(path), str(path))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield every function and method of a file."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def dotted(node: ast.expr) -> str:
    """Return ``a.b.c`` for the expression a.b.c, and ``.c`` where what stands before it is no name."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return ""
