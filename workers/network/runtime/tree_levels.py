"""The schedule of a batch of trees: nodes of one height and one cell are computed together, whatever their trees.

It follows from the shape of the trees alone, and takes a few tensor operations per height, not per node. Only torch may
be imported here, since `model.py` carries this source.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


class TreeError(ValueError):
    """Rows that form no tree. `tree` and `node`, or `None` where several nodes are concerned, are their indices."""

    def __init__(self, detail: str, tree: int, node: int | None = None) -> None:
        self.detail, self.tree, self.node = detail, tree, node
        super().__init__(f"tree {tree}{'' if node is None else f', node {node}'}: {detail}")


@dataclass(frozen=True, slots=True)
class Level:
    """One call: `size` nodes of one height and one cell (None for leaves), each with `arity` slots for children.

    `reader_counts` says which later calls read the states, in order: (index of the call, number of states). The roots
    are read by a call after the last.
    """

    height: int
    cell: int | None
    size: int
    arity: int
    reader_counts: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class TreeSchedule:
    """The calls that compute a batch of N trees of up to M nodes; R nodes exist, numbered tree * M + node.

    `rows` (R) are the nodes in the order of computation. A call reads states in the order of the calls that wrote them:
    `slots` (R) holds, reader by reader, the slot of each state among size * arity, and at the end the tree of each
    root. `read_counts` holds how many states each call reads. `child_mask` (sum of size * arity) says which slots have
    a child. `heights` (N, on the CPU) are the edges from each root to its deepest leaf.
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
        """The number of nodes of each call."""
        return [level.size for level in self.levels]


@dataclass(frozen=True, slots=True)
class _Links:
    """The E edges of all trees: parents, positions among their children, and children (E each)."""

    parent: Tensor
    position: Tensor
    child: Tensor
    parent_of_row: Tensor  # the parent of every row (N * M); N * M for none


@dataclass(frozen=True, slots=True)
class _Calls:
    """The nodes (R) by height; for every row (N * M, undefined where there is no node) its height and its call.

    `keys` are height * cells + cell of each call, and 0 for the leaves.
    """

    nodes: Tensor
    heights: Tensor
    number: Tensor
    keys: list[int]
    sizes: list[int]


def schedule_trees(
    children: Tensor, cell: Tensor | None = None, *, arities: Sequence[int | None] = (None,), max_depth: int = 10_000
) -> TreeSchedule:
    """Return the schedule of trees given as `children` (N, M, A): indices of nodes in the same tree, -1 for none.

    The root is the node without a parent; nodes without children are leaves. `cell` (N, M) is the index of the cell of
    each other node, or -1 for a row that is no node. Without it, rows with neither parent nor children are no nodes,
    except row 0 of a tree without edges. `arities` has the number of slots for children of each cell, or None for as
    many as a call needs. All tensors are integers, on any device; the schedule's are on the device of `children`.
    Raises `TreeError` for rows that form no tree, and for a tree deeper than `max_depth`.
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
        Level(key // len(arities), key % len(arities) if key else None, size, width, tuple(readers))
        for key, size, width, readers in zip(calls.keys, calls.sizes, widths, pieces, strict=True)
    )
    rows = calls.nodes.index_select(0, order)
    places = torch.empty_like(rows).index_copy_(
        0, arrivals, _child_slots(levels, links, roots, rows).index_select(0, rows)
    )
    counts = torch.tensor([level.size * level.arity for level in levels])
    begins = (counts.cumsum(0) - counts).repeat_interleave(torch.tensor(read[:-1]))
    filled = torch.zeros(int(counts.sum()), dtype=torch.bool).index_fill_(0, begins + places[: len(begins)], True)
    device, heights = children.device, calls.heights.index_select(0, roots)
    return TreeSchedule(levels, tuple(read), shape, rows.to(device), places.to(device), filled.to(device), heights)


def _links(children: Tensor) -> _Links:
    trees, nodes, width = children.shape
    flat = children.reshape(-1)
    at = (flat >= 0).nonzero().squeeze(1)
    if ((flat < -1) | (flat >= nodes)).any():
        tree, node, position = ((children < -1) | (children >= nodes)).nonzero()[0].tolist()
        index = int(children[tree, node, position])
        raise TreeError(f"its child {index} is not among the {nodes} rows of a tree (-1 means no child)", tree, node)
    parent = at // max(width, 1)
    child = parent // max(nodes, 1) * nodes + flat.index_select(0, at)
    parents = torch.bincount(child, minlength=trees * nodes)
    if (parents > 1).any():
        row = int((parents > 1).nonzero()[0])
        first, second = (parent[child == row] % nodes).tolist()[:2]
        raise TreeError(f"it is a child of node {first} and again of node {second}", *divmod(row, nodes))
    above = torch.full((trees * nodes,), trees * nodes).index_copy_(0, child, parent)
    return _Links(parent, at - parent * width, child, above)


def _node_mask(links: _Links, kinds: Tensor | None, cells: int, shape: tuple[int, int]) -> Tensor:
    """Return a mask of the rows that are nodes (N * M)."""
    linked = links.parent_of_row < len(links.parent_of_row)
    linked[links.parent] = True
    if kinds is None:
        if shape[1]:
            table = linked.view(shape)
            table[:, 0] |= ~table.any(dim=1)
        return linked
    for wrong, detail in (
        ((kinds < -1) | (kinds >= cells), f"the cells are numbered from 0 to {cells - 1}, and -1 means no node"),
        (linked & (kinds == -1), "which means no node, but it has a parent or children"),
    ):
        if wrong.any():
            row = int(wrong.nonzero()[0])
            raise TreeError(f"its cell is {int(kinds[row])}: {detail}", *divmod(row, shape[1]))
    return kinds >= 0


def _layers(links: _Links, exists: Tensor, nodes: int, max_depth: int) -> list[Tensor]:
    """Return the nodes of height 0, 1, 2, ...: the leaves, then those whose highest child is one layer below."""
    total = len(exists)
    missing = torch.bincount(links.parent, minlength=total + 1)  # children that are in no layer yet
    layers = [(exists & (missing[:total] == 0)).nonzero().squeeze(1)]
    missing[total] = total + 1  # the virtual parent of roots is never ready
    less, numbers, claims = torch.full((total,), -1), torch.arange(total), torch.empty(total, dtype=torch.long)
    while True:
        above = links.parent_of_row.index_select(0, layers[-1])
        missing.index_add_(0, above, less[: len(above)])
        ready = above[missing.index_select(0, above) == 0]
        if not len(ready):
            break
        claims[ready] = numbers[: len(ready)]  # of several children, one claims their parent
        layer = ready[claims.index_select(0, ready) == numbers[: len(ready)]]
        if len(layers) > max_depth:
            raise TreeError(f"it is deeper than {max_depth}", int(layer[0]) // nodes)
        layers.append(layer)
    exists = exists.index_fill(0, torch.cat(layers), False)
    if exists.any():  # with one parent each, only nodes on a cycle are never reached
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
    keys = (sizes > 0).index_fill(0, torch.tensor(0), True).nonzero().squeeze(1)  # the leaves always come first
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
    """Return the number of slots for children of each call's nodes."""
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
    """Order the nodes of each call by the call that reads them.

    Returns the order (R) of `calls.nodes`; for each node in that order its index among all reads, by reader and then by
    writer (R); `Level.reader_counts` of each call; and `TreeSchedule.read_counts`.
    """
    count = len(calls.keys)
    writer = calls.number.index_select(0, calls.nodes)
    outside = torch.cat([calls.number, torch.tensor([count])])
    reader = outside.index_select(0, links.parent_of_row.index_select(0, calls.nodes))
    pairs = writer * (count + 1) + reader
    if count < 1 << 15:
        pairs = pairs.int()  # sorts twice as fast
    pairs, order = torch.sort(pairs, stable=True)
    keys, piece, sizes = torch.unique_consecutive(pairs, return_inverse=True, return_counts=True)
    pieces: list[list[tuple[int, int]]] = [[] for _ in calls.keys]
    read = [0] * (count + 1)
    for pair, size in zip(keys.tolist(), sizes.tolist(), strict=True):
        writing, reading = divmod(pair, count + 1)
        pieces[writing].append((reading, size))
        read[reading] += size
    by_reader = torch.argsort(keys % (count + 1), stable=True)
    sorted_sizes = sizes.index_select(0, by_reader)
    begins = torch.empty_like(sizes).index_copy_(0, by_reader, sorted_sizes.cumsum(0) - sorted_sizes)
    moved = begins - (sizes.cumsum(0) - sizes)
    return order, torch.arange(len(order)) + moved.index_select(0, piece), pieces, read


def _child_slots(levels: tuple[Level, ...], links: _Links, roots: Tensor, rows: Tensor) -> Tensor:
    """Return the slot of every row (N * M) in the call that reads it: its parent's first slot plus its position."""
    sizes = torch.tensor([level.size for level in levels])
    within = torch.arange(len(rows)) - (sizes.cumsum(0) - sizes).repeat_interleave(sizes)
    widths = torch.tensor([level.arity for level in levels]).repeat_interleave(sizes)
    firsts = torch.empty_like(links.parent_of_row).index_copy_(0, rows, within * widths)
    places = torch.empty_like(links.parent_of_row)
    places.index_copy_(0, links.child, firsts.index_select(0, links.parent) + links.position)
    return places.index_copy_(0, roots, torch.arange(len(roots)))
