"""Syntax trees of Python's own standard library as a data set: does a function return a value?

    python examples/syntax_trees.py trees.npz            write the data set
    python examples/syntax_trees.py trees.npz --submit   and upload it, and train tree-lstm.json on it

The answer must not be read from one token, so `return x` and the call of a procedure `f(x)` are both a "Statement"
here: what stands below tells them apart, and a bag of all tokens does not know what stands below what. Names,
constants, operators and docstrings are left out too; duplicate trees are dropped.

Columns: `value` (M) the code of each node, `children` (M, A) the rows of its children or -1, `label` 1 for a value.
Row 0 is the root. Nodes with more than A children hand the rest to a child of kind "More".
"""

import argparse
import ast
import json
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from graftwerk import Client

HERE = Path(__file__).resolve().parent
MAX_NODES = 48  # of the largest tree
MIN_NODES = 8  # of the smallest
MAX_CHILDREN = 4
ROWS = 4000
MASKED_KINDS = frozenset({"Return", "Expr"})  # both become "Statement"
EXCLUDED_NODES = (ast.expr_context, ast.operator, ast.unaryop, ast.boolop, ast.cmpop)
NESTED_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.Yield, ast.YieldFrom, ast.Await)

Tree = list[tuple[str, list[int]]]  # of each node its kind and its children's numbers; the root is the first


def iter_functions() -> Iterator[ast.FunctionDef]:
    """Yield every function of the standard library's modules, in order of file and place."""
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        try:
            module = ast.parse(path.read_bytes())
        except SyntaxError:
            continue
        yield from (node for node in ast.walk(module) if isinstance(node, ast.FunctionDef))


def body_without_docstring(function: ast.FunctionDef) -> list[ast.stmt]:
    """Return the statements without the docstring."""
    return function.body[1:] if ast.get_docstring(function) is not None else function.body


def function_tree(body: list[ast.stmt]) -> Tree:
    """Return the tree of a function's statements, with the kinds that give the label away masked."""
    tree: Tree = []

    def plant(kind: str, below: list[ast.AST]) -> int:
        number = len(tree)
        tree.append((kind, []))
        children = tree[number][1]
        kept, rest = (
            (below, []) if len(below) <= MAX_CHILDREN else (below[: MAX_CHILDREN - 1], below[MAX_CHILDREN - 1 :])
        )
        for child in kept:
            name = type(child).__name__
            below_child = [each for each in ast.iter_child_nodes(child) if not isinstance(each, EXCLUDED_NODES)]
            children.append(plant("Statement" if name in MASKED_KINDS else name, below_child))
        if rest:
            children.append(plant("More", rest))
        return number

    plant("Function", list(body))
    return tree


def unique_trees() -> Iterator[tuple[Tree, int]]:
    """Yield (tree, label), each tree once."""
    written: set[str] = set()
    for function in iter_functions():
        body = body_without_docstring(function)
        inside = [node for statement in body for node in ast.walk(statement)]
        if not MIN_NODES < len(inside) < 4 * MAX_NODES or any(isinstance(node, NESTED_SCOPES) for node in inside):
            continue
        tree = function_tree(body)
        if MIN_NODES <= len(tree) <= MAX_NODES and (text := repr(tree)) not in written:
            written.add(text)
            yield tree, int(any(isinstance(node, ast.Return) and node.value is not None for node in inside))


def dataset_columns() -> dict[str, np.ndarray]:
    """Return the columns of the data set."""
    trees = list(unique_trees())
    if len(trees) > ROWS:
        trees = [trees[row * len(trees) // ROWS] for row in range(ROWS)]
    codes = {kind: code for code, kind in enumerate(sorted({kind for tree, _ in trees for kind, _ in tree}), 1)}
    value = np.zeros((len(trees), MAX_NODES), np.int16)
    children = np.full((len(trees), MAX_NODES, MAX_CHILDREN), -1, np.int16)
    for row, (tree, _) in enumerate(trees):
        for node, (kind, below) in enumerate(tree):
            value[row, node] = codes[kind]
            children[row, node, : len(below)] = below
    return {"value": value, "children": children, "label": np.array([label for _, label in trees], np.int16)}


def write(path: Path) -> None:
    """Write the data set; the same Python writes the same bytes."""
    np.savez_compressed(path, **dataset_columns())


def main() -> None:
    """Write the data set; with --submit, train on it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--submit", action="store_true", help="upload to the service, and train tree-lstm.json")
    arguments = parser.parse_args()
    write(arguments.file)
    if arguments.submit:
        with Client() as client:
            dataset = client.datasets.add(arguments.file, name="Syntax trees of the standard library")
            spec = json.loads((HERE / "tree-lstm.json").read_text())
            spec["data"]["id"] = dataset.id
            job = client.jobs.create(spec)
            sys.stdout.write(f"{dataset.id}\n{job.id}\n")


if __name__ == "__main__":
    main()
