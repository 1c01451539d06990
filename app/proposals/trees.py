"""Trees: a Child-Sum Tree-LSTM of Tai et al. (2015), all nodes of one height at once."""

from typing import Any

from app.proposals.draft import Draft
from app.spec.data.columns import Column

WIDTH = 48  # of the state of a node
EMBEDDING_WIDTH = 32
MAX_LABELS = 1_000  # different labels of nodes that are told apart


def add_tree_branch(draft: Draft, column: Column) -> str:
    """Add a column of trees, and return the node of its root's state (N, 48)."""
    feature = {"kind": "tree", "column": column.name, "vocabulary": MAX_LABELS}
    name = draft.add_feature(column.name, feature, ("_children",))
    draft.explain(f"/data/features/{name}", f"The {MAX_LABELS:,} most frequent labels of nodes are told apart.")
    labels = draft.add_node("labels", "Embedding", [name], embedding_dim=EMBEDDING_WIDTH)
    gates = draft.add_node("gates", "Linear", [labels], out_features=4 * WIDTH)
    children = f"{name}_children"
    folded = draft.add_node("folded", "Fold", None, over=gates, children=children, leaf="Leaf", node="Inner")
    reason = f"A Tree-LSTM of {WIDTH} units reads each tree from its leaves to its root."
    draft.explain_node(folded, reason)
    draft.blocks |= _blocks(WIDTH)
    return f"{folded}.h"


def _node(node: str, kind: str, *inputs: str, **fields: Any) -> dict[str, Any]:
    return {"id": node, "kind": kind, "inputs": list(inputs), **fields}


def _part(node: str, read: str, start: int, length: int) -> dict[str, Any]:
    return _node(node, "narrow", read, dim=1, start=start, length=length)


def _blocks(width: int) -> dict[str, Any]:
    """Return the cell: input, output and candidate from the sum of the children, a forget gate for each child."""
    leaf = [_part("iou", "v", 0, 3 * width), _node("state", "block", "iou", name="State")]
    inner = [
        _part("iou_v", "v", 0, 3 * width),
        _part("f_v", "v", 3 * width, width),
        _node("below", "sum", "h", dim=1),
        _node("iou_h", "Linear", "below", out_features=3 * width, bias=False),
        _node("iou", "add", "iou_v", "iou_h"),
        _node("state", "block", "iou", name="State"),
        _node("f_h", "Linear", "h", out_features=width, bias=False),
        _node("f_each", "unsqueeze", "f_v", dim=1),
        _node("f_sum", "add", "f_h", "f_each"),
        _node("forget", "sigmoid", "f_sum"),
        _node("remembered", "mul", "forget", "c"),
        _node("remembered_sum", "sum", "remembered", dim=1),
        _node("memory", "add", "state.c", "remembered_sum"),
        _node("shown", "tanh", "memory"),
        _node("output", "mul", "state.open", "shown"),
    ]
    state = [
        _part("input_part", "iou", 0, width),
        _part("open_part", "iou", width, width),
        _part("new_part", "iou", 2 * width, width),
        _node("let_in", "sigmoid", "input_part"),
        _node("open", "sigmoid", "open_part"),
        _node("new", "tanh", "new_part"),
        _node("memory", "mul", "let_in", "new"),
        _node("shown", "tanh", "memory"),
        _node("output", "mul", "open", "shown"),
    ]
    return {
        "Leaf": {"inputs": ["v"], "nodes": leaf, "outputs": {"h": "state.h", "c": "state.c"}},
        "Inner": {"inputs": ["v", "h", "c"], "nodes": inner, "outputs": {"h": "output", "c": "memory"}},
        "State": {"inputs": ["iou"], "nodes": state, "outputs": {"h": "output", "c": "memory", "open": "open"}},
    }
