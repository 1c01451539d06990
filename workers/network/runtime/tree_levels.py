"""Which nodes of a batch of trees are computed together: all of one height and one cell, whatever their trees.

The shape of the trees alone decides. It takes a few tensor operations for every height, none for every node. Nothing
but torch is needed here: `model.py` can carry this source.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


class TreeError(ValueError):
    """Rows that are no tree: `tree` and `node` (None where it is no one node) say which."""

    def __init__(self, detail: str, tree: int, node: int | None = None) -> None:
        self.detail, self.tree, self.node = detail, tree, node
        super().__init__(f"tree {tree}{'' if node is None else f', node {node}'}: {detail}")


@dataclass(frozen=True, slots=True)
class Level:
    """One call: `size` nodes of one height and one cell (None: they are leaves), each with `arity` places for children.

    `pieces` says who reads the states, in their order: (number of the reading call, how many). Whoever reads the roots'
    counts as one call after the last.
    """

    height: int
    cell: int | None
    size: int
    arity: int
    reader_counts: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class TreeSchedule:
    """The calls that compute a batch of N trees of up to M nodes; R nodes exist, numbered tree * M + node.

    `rows` (R) are the nodes in the order in which they are computed. What a call reads arrives writer by writer;
    `places` (R) says, reader by reader, in which of its size * arity places each state belongs, and at the end which
    tree's a root is; `read` counts what each reads. `filled` (sum of size * arity) tells which places have a child.
    `heights` (N, on the CPU) counts the edges from each root to its deepest leaf.
    """

    levels: tuple[Level, ...]
    read_counts: tuple[int, ...]
    shape: tuple[int, int]
    rows: Tensor
    slots: Tensor
    child_mask: Tensor
    heights: Tensor

    @property
    def sizes(self) -> list[int]:
        """How many nodes each call computes."""
        return [level.size for level in self.levels]


@dataclass(frozen=True, slots=True)
class _Links:
    """The E children of all trees: their parents, their positions there, and themselves (E each)."""

    parent: Tensor
    position: Tensor
    child: Tensor
    parent_of_row: Tensor  # the parent of every row (N * M); N * M for none


@dataclass(frozen=True, slots=True)
class _Calls:
    """The nodes (R) by height; for every row (N * M; undefined for what is no node) its height and its call's number.

    `keys` are height * cells + cell of each call, 0 for the leaves.
    """

    nodes: Tensor
    heights: Tensor
    number: Tensor
    keys: list[int]
    sizes: list[int]


def schedule_trees(
    children: Tensor, cell: Tensor | None = None, *, arities: Sequence[int | None] = (None,), max_depth: int = 10_000
) -> TreeSchedule:
    """Return the calls for trees given as `children` (N, M, A): numbers of nodes in the same tree, -1 for none.

    The root is the node that is nobody's child; nodes without children are leaves. `cell` (N, M) says which cell
    computes each other node, and -1 that a row is no node; without it, rows with neither parent nor children are none
    (the one node of a tree without links is row 0). `arities` has an entry for each cell: how many places its children
    have, or None for as many as are used in the call. The tensors are integers on any device; the schedule's lie on
    that of `children`. Raises `TreeError`, also for a tree higher than `max_depth`.
    """
    shape = (children.shape[0], children.shape[1])
    links = _links(children.cpu().long())
    kinds = None if cell is None else cell.cpu().long().reshape(-1)
    exists = _node_mask(links, kinds, len(arities), shape)
    layers = _layers(links, exists, shape[1], max_depth)
    roots = _roots(exists & (links.parent_of_row == len(exists)), shape)
    calls = _calls(layers, kinds, len(exists), len(arities))
    widths = _call_arities(calls, links, arities, shape[1])
    order, arrivals, pieces, read = _order_by_reader(calls, links)
    levels = tuple(
        Level(key // len(arities), key % len(arities) if key else None, size, width, tuple(sent))
        for key, size, width, sent in zip(calls.keys, calls.sizes, widths, pieces, strict=True)
    )
    rows = calls.nodes.index_select(0, order)
    places = torch.empty_like(rows).index_copy_(
        0, arrivals, _child_slots(levels, links, roots, rows).index_select(0, rows)
    )
    counts = torch.tensor([level.size * level.arity for level in levels])
    begins = (counts.cumsum(0) - counts).repeat_interleave(torch.tensor(read[:-1]))
    filled = torch.zeros(int(counts.sum()), dtype=torch.bool).index_fill_(0, begins + places[: len(begins)], True)
    there, heights = children.device, calls.heights.index_select(0, roots)
    return TreeSchedule(levels, tuple(read), shape, rows.to(there), places.to(there), filled.to(there), heights)


def _links(children: Tensor) -> _Links:
    trees, nodes, width = children.shape
    flat = children.reshape(-1)
    at = (flat >= 0).nonzero().squeeze(1)
    if ((flat < -1) | (flat >= nodes)).any():
        tree, node, position = ((children < -1) | (children >= nodes)).nonzero()[0].tolist()
        found = int(children[tree, node, position])
        raise TreeError(f"its child {found} is none of the {nodes} rows of a tree (-1 means no child)", tree, node)
    parent = at // max(width, 1)
    child = parent // max(nodes, 1) * nodes + flat.index_select(0, at)
    seen = torch.bincount(child, minlength=trees * nodes)
    if (seen > 1).any():
        row = int((seen > 1).nonzero()[0])
        first, second = (parent[child == row] % nodes).tolist()[:2]
        raise TreeError(f"it is a child of node {first} and again of node {second}", *divmod(row, nodes))
    above = torch.full((trees * nodes,), trees * nodes).index_copy_(0, child, parent)
    return _Links(parent, at - parent * width, child, above)


def _node_mask(links: _Links, kinds: Tensor | None, cells: int, shape: tuple[int, int]) -> Tensor:
    """Return which rows are nodes (N * M)."""
    linked = links.parent_of_row < len(links.parent_of_row)
    linked[links.parent] = True
    if kinds is None:
        if shape[1]:
            table = linked.view(shape)
            table[:, 0] |= ~table.any(dim=1)
        return linked
    for wrong, detail in (
        ((kinds < -1) | (kinds >= cells), f"the cells are numbered from 0 to {cells - 1}, and -1 means no node"),
        (linked & (kinds == -1), "that means no node, but it has a parent or children"),
    ):
        if wrong.any():
            row = int(wrong.nonzero()[0])
            raise TreeError(f"its cell is {int(kinds[row])}: {detail}", *divmod(row, shape[1]))
    return kinds >= 0


def _layers(links: _Links, exists: Tensor, nodes: int, max_depth: int) -> list[Tensor]:
    """Return the nodes of height 0, 1, 2, ...: the leaves, then those whose last child is in the layer before."""
    total = len(exists)
    missing = torch.bincount(links.parent, minlength=total + 1)  # children still to come
    layers = [(exists & (missing[:total] == 0)).nonzero().squeeze(1)]
    missing[total] = total + 1  # the parent of roots never has them all
    less, numbers, claims = torch.full((total,), -1), torch.arange(total), torch.empty(total, dtype=torch.long)
    while True:
        above = links.parent_of_row.index_select(0, layers[-1])
        missing.index_add_(0, above, less[: len(above)])
        ready = above[missing.index_select(0, above) == 0]
        if not len(ready):
            break
        claims[ready] = numbers[: len(ready)]  # of children that come together, one claims their parent
        layer = ready[claims.index_select(0, ready) == numbers[: len(ready)]]
        if len(layers) > max_depth:
            raise TreeError(f"it is deeper than {max_depth}", int(layer[0]) // nodes)
        layers.append(layer)
    exists = exists.index_fill(0, torch.cat(layers), False)
    if exists.any():  # with one parent each, only what lies on a cycle is never reached
        raise TreeError("it is a descendant of itself", *divmod(int(exists.nonzero()[0]), nodes))
    return layers


def _roots(tops: Tensor, shape: tuple[int, int]) -> Tensor:
    """Return the root of every tree (N)."""
    roots = tops.nonzero().squeeze(1)
    counts = torch.bincount(roots // max(shape[1], 1), minlength=shape[0])
    if (counts == 1).all():
        return roots
    tree = int((counts != 1).nonzero()[0])
    if not counts[tree]:
        raise TreeError("it has no node", tree)
    first, second = (roots[roots // shape[1] == tree] % shape[1]).tolist()[:2]
    raise TreeError(f"it has {int(counts[tree])} roots, among them nodes {first} and {second}", tree, second)


def _calls(layers: list[Tensor], kinds: Tensor | None, rows: int, cells: int) -> _Calls:
    nodes = torch.cat(layers)
    height = torch.arange(len(layers)).repeat_interleave(torch.tensor([len(layer) for layer in layers]))
    key = height * cells
    if kinds is not None:
        leaves = len(layers[0])
        key[leaves:] += kinds.index_select(0, nodes[leaves:])
    sizes = torch.bincount(key, minlength=1)
    keys = (sizes > 0).index_fill(0, torch.tensor(0), True).nonzero().squeeze(1)  # the leaves' call comes first, always
    number = torch.empty_like(sizes).index_copy_(0, keys, torch.arange(len(keys))).index_select(0, key)
    unset = torch.empty(rows, dtype=torch.long)
    return _Calls(
        nodes,
        unset.index_copy(0, nodes, height),
        unset.index_copy(0, nodes, number),
        keys.tolist(),
        sizes.index_select(0, keys).tolist(),
    )


def _call_arities(calls: _Calls, links: _Links, arities: Sequence[int | None], nodes: int) -> list[int]:
    """Return how many places for children the nodes of each call have."""
    reader = calls.number.index_select(0, links.parent)
    used = torch.zeros(len(calls.keys), dtype=torch.long).scatter_reduce_(0, reader, links.position + 1, "amax")
    widths = []
    for number, (key, most) in enumerate(zip(calls.keys, used.tolist(), strict=True)):
        arity = arities[key % len(arities)] if key else 0
        if arity is not None and most > arity:
            row = int(links.parent[(reader == number) & (links.position >= arity)][0])
            raise TreeError(f"it has a child in position {most - 1}, and its cell takes {arity}", *divmod(row, nodes))
        widths.append(most if arity is None else arity)
    return widths


def _order_by_reader(calls: _Calls, links: _Links) -> tuple[Tensor, Tensor, list[list[tuple[int, int]]], list[int]]:
    """Order the nodes of each call by who reads them.

    Returns the order (R, of `calls.nodes`); for each node in that order its place among all that is read, by reader and
    then by writer (R); for each call what goes to whom, and how much each call reads (`Level.pieces`, `Schedule.read`).
    """
    count = len(calls.keys)
    writer = calls.number.index_select(0, calls.nodes)
    outside = torch.cat([calls.number, torch.tensor([count])])
    reader = outside.index_select(0, links.parent_of_row.index_select(0, calls.nodes))
    pairs = writer * (count + 1) + reader
    if count < 1 << 15:
        pairs = pairs.int()  # sorts twice as fast
    pairs, order = torch.sort(pairs, stable=True)
    found, piece, sizes = torch.unique_consecutive(pairs, return_inverse=True, return_counts=True)
    pieces: list[list[tuple[int, int]]] = [[] for _ in calls.keys]
    read = [0] * (count + 1)
    for pair, size in zip(found.tolist(), sizes.tolist(), strict=True):
        by, to = divmod(pair, count + 1)
        pieces[by].append((to, size))
        read[to] += size
    by_reader = torch.argsort(found % (count + 1), stable=True)
    sorted_sizes = sizes.index_select(0, by_reader)
    begins = torch.empty_like(sizes).index_copy_(0, by_reader, sorted_sizes.cumsum(0) - sorted_sizes)
    moved = begins - (sizes.cumsum(0) - sizes)
    return order, torch.arange(len(order)) + moved.index_select(0, piece), pieces, read


def _child_slots(levels: tuple[Level, ...], links: _Links, roots: Tensor, rows: Tensor) -> Tensor:
    """Return for every row (N * M) its place among what its reader reads: the parent's first place and its position."""
    sizes = torch.tensor([level.size for level in levels])
    within = torch.arange(len(rows)) - (sizes.cumsum(0) - sizes).repeat_interleave(sizes)
    widths = torch.tensor([level.arity for level in levels]).repeat_interleave(sizes)
    firsts = torch.empty_like(links.parent_of_row).index_copy_(0, rows, within * widths)
    places = torch.empty_like(links.parent_of_row)
    places.index_copy_(0, links.child, firsts.index_select(0, links.parent) + links.position)
    return places.index_copy_(0, roots, torch.arange(len(roots)))
