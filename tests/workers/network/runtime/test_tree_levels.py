from typing import Any

import pytest
import torch

from tests.workers.network.runtime.tree_cases import chains
from workers.network.runtime.tree_levels import TreeError, schedule_trees


def test_heights_are_counted() -> None:
    children = torch.full((3, 4, 2), -1)
    children[0, 3, 0], children[0, 0, 0], children[0, 0, 1] = 0, 1, 2  # row 3 is the root
    children[1, 0, 1] = 2
    plan = schedule_trees(children)
    assert plan.heights.tolist() == [2, 1, 0]
    assert [(level.height, level.size) for level in plan.levels] == [(0, 4), (1, 2), (2, 1)]


@pytest.mark.parametrize(
    ("rows", "cell", "arities", "tree", "node", "detail"),
    [
        ([[1, 3], [-1, -1], [-1, -1]], None, (None,), 1, 0, "its child 3 is not among the 3 rows"),
        ([[1, -2], [-1, -1], [-1, -1]], None, (None,), 1, 0, "its child -2"),
        ([[1, 2], [2, -1], [-1, -1]], None, (None,), 1, 2, "it is a child of node 0 and again of node 1"),
        ([[1, 1], [-1, -1], [-1, -1]], None, (None,), 1, 1, "it is a child of node 0 and again of node 0"),
        ([[0, -1], [-1, -1], [-1, -1]], None, (None,), 1, 0, "it is a descendant of itself"),
        ([[1, -1], [2, -1], [0, -1]], None, (None,), 1, 0, "it is a descendant of itself"),
        ([[-1, -1], [2, -1], [1, 0]], None, (None,), 1, 1, "it is a descendant of itself"),
        ([[1, -1], [-1, -1], [-1, -1]], [0, 0, 0], (None,), 1, 2, "it has 2 roots, among them nodes 0 and 2"),
        ([[-1, -1], [-1, -1], [-1, -1]], [-1, -1, -1], (None,), 1, None, "it has no node"),
        ([[1, -1], [-1, -1], [-1, -1]], [0, 1, -1], (None,), 1, 1, "its cell is 1: the cells are numbered from 0 to 0"),
        ([[1, -1], [-1, -1], [-1, -1]], [0, -1, -1], (None,), 1, 1, "its cell is -1: which means no node"),
        ([[1, 2], [-1, -1], [-1, -1]], None, (1,), 1, 0, "it has a child in position 1, and its cell takes 1"),
    ],
)
def test_rows_that_are_no_tree(rows: Any, cell: Any, arities: Any, tree: int, node: int | None, detail: str) -> None:
    sound = torch.tensor([[1, -1], [-1, -1], [-1, -1]])
    children = torch.stack([sound, torch.tensor(rows)])
    kinds = None if cell is None else torch.tensor([[0, 0, -1], cell])
    with pytest.raises(TreeError, match=f"tree 1.*: {detail}") as caught:
        schedule_trees(children, kinds, arities=arities)
    assert (caught.value.tree, caught.value.node) == (tree, node)


def test_depth_is_limited() -> None:
    children = torch.cat([chains(1, 10), torch.full((1, 11, 1), -1)]).flip(0)
    assert schedule_trees(children, max_depth=10).heights.tolist() == [0, 10]
    with pytest.raises(TreeError, match="tree 1: it is deeper than 9") as caught:
        schedule_trees(children, max_depth=9)
    assert caught.value.tree == 1
