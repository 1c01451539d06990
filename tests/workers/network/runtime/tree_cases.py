"""Trees to fold, cells to fold them with, and the plain recursion to compare with."""

from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor, nn

FEATURES, STATE_SIZE, MAX_ARITY = 3, 4, 4


class TreeCells(nn.Module):
    """A leaf and three cells: child-sum, two positions, and one that reads the mask; a state is (h, c)."""

    arities = (None, 2, MAX_ARITY)

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(FEATURES, 2 * STATE_SIZE)
        self.summed = nn.Linear(STATE_SIZE, 2 * STATE_SIZE)
        self.both = nn.Linear(2 * STATE_SIZE, 2 * STATE_SIZE)
        self.placed = nn.Linear(MAX_ARITY * STATE_SIZE + FEATURES, 2 * STATE_SIZE)
        self.calls: Counter[str] = Counter()

    def leaf(self, values: Tensor) -> tuple[Tensor, ...]:
        self.calls["leaf"] += 1
        return self.first(values).tanh().chunk(2, dim=1)

    def cells(self) -> list[Callable[..., tuple[Tensor, ...]]]:
        return [self.sum, self.pair, self.mean]

    def sum(self, values: Tensor, states: tuple[Tensor, Tensor], filled: Tensor) -> tuple[Tensor, ...]:
        self.calls["sum"] += 1
        h, c = states
        out, carried = (self.summed(h.sum(1)) + values.sum(1, keepdim=True)).chunk(2, dim=1)
        return out.tanh(), (carried + c.sum(1)).tanh()

    def pair(self, values: Tensor, states: tuple[Tensor, Tensor], filled: Tensor) -> tuple[Tensor, ...]:
        self.calls["pair"] += 1
        h, c = states
        out, carried = self.both(h.flatten(1)).chunk(2, dim=1)
        return out.tanh(), (carried.sigmoid() * (c[:, 0] - c[:, 1])).tanh()

    def mean(self, values: Tensor, states: tuple[Tensor, Tensor], filled: Tensor) -> tuple[Tensor, ...]:
        self.calls["mean"] += 1
        h, c = states
        out, carried = self.placed(torch.cat([h.flatten(1), values], dim=1)).chunk(2, dim=1)
        share = c.sum(1) / filled.sum(1, keepdim=True)
        return out.tanh(), (carried + share).tanh()


def fold_recursively(
    children: Tensor, cell: Tensor, values: Tensor, network: TreeCells
) -> tuple[list[Tensor], list[Tensor]]:
    """Return h and c of the roots, and of all rows, each node computed alone (with a stack: chains are deep)."""
    roots: list[Any] = []
    tables = [list(torch.zeros(*cell.shape, STATE_SIZE).flatten(0, 1)[:, None]) for _ in range(2)]
    for tree, rows in enumerate(children.tolist()):
        known: dict[int, Any] = {}
        below = {child for row in rows for child in row}
        (root,) = [node for node in range(len(rows)) if cell[tree, node] >= 0 and node not in below]
        stack = [root]
        while stack:
            node = stack[-1]
            wanted = [child for child in rows[node] if child >= 0 and child not in known]
            stack += wanted
            if not wanted:
                known[stack.pop()] = _compute_node(
                    rows[node], known, int(cell[tree, node]), values[tree, node], network
                )
        roots.append(known[root])
        for table, parts in zip(tables, zip(*known.values(), strict=True), strict=True):
            for node, part in zip(known, parts, strict=True):
                table[tree * len(rows) + node] = part
    return [torch.cat(part) for part in zip(*roots, strict=True)], [
        torch.cat(table).view(*cell.shape, STATE_SIZE) for table in tables
    ]


def _compute_node(row: list[int], known: dict[int, Any], kind: int, value: Tensor, network: TreeCells) -> Any:
    if max(row) < 0:
        return network.leaf(value[None])
    used = max(place for place, child in enumerate(row) if child >= 0) + 1
    row = (row + [-1] * MAX_ARITY)[: network.arities[kind] or used]
    states = tuple(
        torch.stack([known[child][part] if child >= 0 else torch.zeros(1, STATE_SIZE) for child in row], dim=1)
        for part in range(2)
    )
    return network.cells()[kind](value[None], states, torch.tensor([[child >= 0 for child in row]]))


@st.composite
def tree_batches(draw: st.DrawFn) -> tuple[Tensor, Tensor]:
    """Trees of unlike size, width and order of rows, with gaps between children and between nodes; and their cells."""
    sizes = draw(st.lists(st.integers(1, 14), min_size=1, max_size=5))
    nodes = max(sizes) + draw(st.integers(0, 2))
    children, cell = torch.full((len(sizes), nodes, MAX_ARITY), -1), torch.full((len(sizes), nodes), -1)
    for tree, size in enumerate(sizes):
        names = draw(st.permutations(range(nodes)))[:size]
        free = {0: [0, 1, 2, 3]}
        kinds = {0: draw(st.integers(0, 2))}
        for number in range(1, size):
            parent = draw(st.sampled_from([node for node, places in free.items() if places]))
            places = free[parent]
            if kinds[parent] == 1:
                places = free[parent] = [place for place in places if place < 2]
            place = places.pop(draw(st.integers(0, len(places) - 1)))
            children[tree, names[parent], place] = names[number]
            kinds[number] = draw(st.integers(0, 2))
            free[number] = [0, 1] if kinds[number] == 1 else [0, 1, 2, 3]
        for number, kind in kinds.items():
            cell[tree, names[number]] = kind
    return children, cell


def random_trees(trees: int, leaves: int, generator: Random) -> Tensor:
    """Return binary trees, each split at a random place; rows in the order of a walk from the root."""
    rows = torch.full((trees, 2 * leaves - 1, 2), -1)
    for tree in range(trees):
        free, waiting = 1, [(0, leaves)]
        while waiting:
            node, count = waiting.pop()
            if count > 1:
                left = generator.randint(1, count - 1)
                rows[tree, node] = torch.tensor([free, free + 1])
                waiting += [(free, left), (free + 1, count - left)]
                free += 2
    return rows


def chains(trees: int, depth: int) -> Tensor:
    rows = torch.full((trees, depth + 1, 1), -1)
    rows[:, :-1, 0] = torch.arange(1, depth + 1)
    return rows
