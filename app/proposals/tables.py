"""Tables: numbers, categories and dates side by side, read by a network that has a linear part of its own.

The sizes were chosen on ten public tables (see `examples/tables.py`). The linear part beside the hidden layers is that
of Cheng et al. (2016), Wide & Deep Learning: where a straight line is all there is to learn, it is learned soon.
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from app.proposals.draft import Draft
from app.spec.data.columns import Column

WIDTH = 128  # of hidden layers
JOINED_WIDTH = 64  # of a table beside texts, images or series
TYPE_SENTENCES = {
    "number": "numbers ({count}), standardised by the training rows",
    "category": "words ({count}), with a place for each word",
    "datetime": "dates ({count}), as parts of the calendar and as time that has passed",
}


class TableSize(NamedTuple):
    """A row of the table: the network for so many training rows."""

    rows: int  # below
    depth: int
    dropout: float


SIZES = (TableSize(1_000, 1, 0.5), TableSize(4_000, 2, 0.3), TableSize(1 << 62, 3, 0.1))


def read_table(draft: Draft, columns: Sequence[Column]) -> list[str]:
    """Add the feature of a table, and return the tensor (N, k) that it makes; none for a table without columns."""
    if not columns:
        return []
    name = draft.add_feature("x", {"kind": "table", "columns": [column.name for column in columns]})
    draft.explain(f"/data/features/{name}", _table_reason(columns))
    return [name]


def _table_reason(columns: Sequence[Column]) -> str:
    counts = Counter(column.type for column in columns)
    parts = [TYPE_SENTENCES[kind].format(count=count) for kind, count in counts.items()]
    if any(column.missing for column in columns if column.type == "number"):
        parts.append("missing numbers become the mean, beside a 0 or 1 that says so")
    return f"Side by side: {'; '.join(parts)}."


def size_of(rows: int) -> TableSize:
    """Return the size of the network for so many training rows."""
    return next(size for size in SIZES if rows < size.rows)


def add_table_network(draft: Draft, vectors: Sequence[str], outputs: int) -> str:
    """Add hidden layers and a linear part beside them, and return the node of their sum (N, outputs)."""
    row = vectors[0] if len(vectors) == 1 else draft.add_node("row", "cat", vectors, dim=1)
    size, read = size_of(draft.rows), row
    for position in range(size.depth):
        hidden = draft.add_node("hidden", "Linear", [read], out_features=WIDTH)
        if position == 0:
            draft.explain_node(hidden, _size_reason(draft.rows, size))
        active = draft.add_node("active", "ReLU", [hidden])
        read = draft.add_node("kept", "Dropout", [active], p=size.dropout)
        if position == 0:
            draft.explain_node(read, _dropout_reason(draft.rows, size))
    deep = draft.add_node("deep", "Linear", [read], out_features=outputs)
    straight = draft.add_node("straight", "Linear", [row], out_features=outputs)
    draft.explain_node(
        straight, "A linear part beside the hidden layers: what a straight line explains is learned soon."
    )
    return draft.add_node("scores", "add", [deep, straight])


def _size_reason(rows: int, size: TableSize) -> str:
    layers = "one hidden layer" if size.depth == 1 else f"{size.depth} hidden layers"
    return f"With about {rows:,} rows to train on, {layers} of {WIDTH} units."


def _dropout_reason(rows: int, size: TableSize) -> str:
    return f"{size.dropout:.0%} of the units are left out at random in each step: the fewer rows, the more of them."


def add_joined_table(draft: Draft, vectors: Sequence[str]) -> str:
    """Add a layer over a table that stands beside other inputs, and return its node (N, 64)."""
    row = vectors[0] if len(vectors) == 1 else draft.add_node("row", "cat", vectors, dim=1)
    hidden = draft.add_node("table_hidden", "Linear", [row], out_features=JOINED_WIDTH)
    return draft.add_node("table_active", "ReLU", [hidden])
