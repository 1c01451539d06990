"""Trees as s-expressions, one a line: `(3 (2 It) (4 (2 's) (3 good)))`.

`(label word)` is a leaf, whose label in the tree is its word. The target must not be part of the input: the root's
label becomes the column `label`, and the root itself is labelled "node". If all labels are whole numbers, as the
sentiments of SST, every node above the leaves is labelled so. If every node has a label, the labels are the column
`nodes` in breadth-first order, as the rows of a feature `tree`.
"""

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.spec.data.columns import ColumnType
from workers.data.files.content import Content, Upload
from workers.data.files.problems import ProblemCollector, RowLocations, line_problem
from workers.data.files.split_files import SplitFile, split_files
from workers.data.types.table import Table, TableOptions, build_content
from workers.data.types.trees import MAX_TREE_DEPTH
from workers.data.types.values import Values

TOKEN_PATTERN = re.compile(r"[()]|[^\s()]+")
NEUTRAL_LABEL = "node"
TYPES: Mapping[str, ColumnType] = {"tree": "tree", "nodes": "words", "label": "category"}


@dataclass
class ParsedNode:
    """A node while its line is parsed."""

    label: str | None = None
    word: str | None = None  # of a leaf
    children: list["ParsedNode"] = field(default_factory=list)


def read_trees(upload: Upload) -> Content:
    """Read a tree from every line. Raises `InvalidInput`."""
    table = read_trees_table(split_files(upload), TableOptions.from_upload(upload))
    types = {name: kind for name, kind in TYPES.items() if name in table.columns}
    return build_content(table, upload, default_target="label", types=types, unread=("nodes", "label"))


def read_trees_table(files: Sequence[SplitFile], options: TableOptions) -> Table:
    """Read the trees of lines, and their labels. Raises `InvalidInput` with every line that is no tree."""
    roots: list[ParsedNode] = []
    locations, problems = RowLocations(), ProblemCollector()
    for each in files:
        locations.start_file(each.name)
        for number, line in enumerate(each.read_text(options.warnings), start=1):
            if not line.strip():
                continue
            try:
                roots.append(_parse_tree(line))
            except ValueError as error:
                hint = "one tree a line: (label …)"
                problems.add(line_problem(each.name, number, "not_a_tree", str(error), hint))
                continue
            locations.add([number])
            options.check_row_count(len(roots))
    problems.raise_if_any()
    numbered = all(node.label is None or node.label.isdigit() for root in roots for node in _breadth_first(root))
    columns: dict[str, Values] = {"tree": [_to_document(root, numbered) for root in roots]}
    if all(node.label is not None for root in roots for node in _breadth_first(root)):
        columns["nodes"] = [tuple(str(node.label) for node in _breadth_first(root)) for root in roots]
    columns["label"] = [root.label for root in roots]
    splits = [each.split for each in files]
    return Table(list(columns), columns, locations, splits, warnings=options.warnings.warnings)


def _parse_tree(line: str) -> ParsedNode:
    """Return the tree in a line. Raises `ValueError` with the column of the error."""
    above: list[ParsedNode] = []
    root: ParsedNode | None = None
    for match in TOKEN_PATTERN.finditer(line):
        part, place = match[0], match.start() + 1
        if root is not None and not above:
            raise ValueError(f"column {place}: something follows the end of the tree")
        if part == "(":
            node = ParsedNode()
            if above:
                above[-1].children.append(node)
            root = root or node
            above.append(node)
            if len(above) > MAX_TREE_DEPTH:
                raise ValueError(f"column {place}: it is more than {MAX_TREE_DEPTH} levels deep")
        elif not above:
            raise ValueError(f'column {place}: a tree begins with "("')
        elif part == ")":
            _close(above.pop(), place)
        elif above[-1].label is None and not above[-1].children:
            above[-1].label = sys.intern(part)
        else:
            above[-1].children.append(ParsedNode(word=sys.intern(part)))
    if root is None or above:
        raise ValueError(f'column {len(line.rstrip()) + 1}: {len(above):,} times ")" is missing')
    return root.children[0] if root.label is None and len(root.children) == 1 else root  # as the Penn Treebank has it


def _close(node: ParsedNode, place: int) -> None:
    children = node.children
    if node.label is None and not children:
        raise ValueError(f"column {place}: a node has neither a label nor children")
    if not children:
        node.word = node.label
    elif len(children) == 1 and children[0].word is not None and children[0].label is None:
        node.word, node.children = children[0].word, []


def _breadth_first(root: ParsedNode) -> Iterator[ParsedNode]:
    """Yield all nodes in breadth-first order."""
    queue = [root]
    for node in queue:  # grows while it is walked
        yield node
        queue += node.children


def _to_document(root: ParsedNode, numbered: bool) -> dict[str, Any]:
    document: dict[str, Any] = {}
    queue = [(root, document)]
    for node, target in queue:  # grows while it is walked
        hidden = numbered or node is root or node.label is None
        target["label"] = node.word if node.word is not None else NEUTRAL_LABEL if hidden else node.label
        target["children"] = [{} for _ in node.children]
        queue += zip(node.children, target["children"], strict=True)
    return document
