"""Networks of nodes whose widths change: residuals, concatenations, attention, recurrent cells and control flow."""

from typing import Any


def conv(channels: int, kernel: int = 3, name: str = "", kind: str = "Conv2d", **settings: Any) -> dict[str, Any]:
    named = {"id": name} if name else {}
    return {**named, "kind": kind, "out_channels": channels, "kernel_size": kernel, "padding": kernel // 2, **settings}


def linear(features: int, name: str = "", **settings: Any) -> dict[str, Any]:
    return {**({"id": name} if name else {}), "kind": "Linear", "out_features": features, **settings}


def node(name: str, kind: str, /, *inputs: str, **settings: Any) -> dict[str, Any]:
    return {"id": name, "kind": kind, "inputs": list(inputs), **settings}


def graph(*nodes: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"nodes": list(nodes), **more}


RESIDUAL = graph(
    node("target", "Conv2d", "image", out_channels=6, kernel_size=3, padding=1),
    node("norm", "BatchNorm2d", "target"),
    node("first", "block", "norm", name="Residual"),
    node("second", "block", "first", name="Residual"),
    node("down", "Conv2d", "second", out_channels=4, kernel_size=1),
    node("flat", "Flatten", "down"),
    node("head", "Linear", "flat", out_features=3),
    blocks={
        "Residual": {
            "inputs": ["x"],
            "nodes": [
                node("conv1", "Conv2d", "x", in_channels=6, out_channels=5, kernel_size=3, padding=1, bias=False),
                node("norm1", "BatchNorm2d", "conv1"),
                node("relu1", "ReLU", "norm1"),
                node("conv2", "Conv2d", "relu1", out_channels=6, kernel_size=3, padding=1),
                node("norm2", "BatchNorm2d", "conv2"),
                node("sum", "add", "x", "norm2"),
                node("relu2", "ReLU", "sum"),
            ],
            "outputs": {"y": "relu2"},
        }
    },
)
SHARED = {
    **RESIDUAL,
    "nodes": [{**each, "share": "one"} if each["kind"] == "block" else each for each in RESIDUAL["nodes"]],
}
DENSE = graph(
    node("target", "Conv2d", "image", out_channels=4, kernel_size=3, padding=1),
    node("second", "Conv2d", "target", out_channels=2, kernel_size=3, padding=1),
    node("two", "cat", "target", "second"),
    node("norm", "BatchNorm2d", "two"),
    node("third", "Conv2d", "norm", out_channels=3, kernel_size=3, padding=1),
    node("three", "cat", "two", "third", "image"),
    node("pool", "MaxPool2d", "three", kernel_size=2),
    node("flat", "Flatten", "pool"),
    node("head", "Linear", "flat", out_features=3),
)
JOINED = graph(  # a concatenation is added to a layer of its whole width
    node("target", "Linear", "vector", out_features=3),
    node("other", "Linear", "vector", out_features=2),
    node("both", "cat", "target", "other"),
    node("whole", "Linear", "vector", out_features=5),
    node("sum", "add", "both", "whole"),
    node("head", "Linear", "sum", out_features=3),
)
GATE = graph(  # squeeze and excitation
    node("target", "Conv2d", "image", out_channels=6, kernel_size=3, padding=1),
    node("squeezed", "mean", "target", dim=[2, 3]),
    node("inner", "Linear", "squeezed", out_features=2),
    node("outer", "Linear", "inner", out_features=6),
    node("gate", "sigmoid", "outer"),
    node("image_gate", "reshape", "gate", shape=[0, 6, 1, 1]),
    node("gated", "mul", "target", "image_gate"),
    node("flat", "Flatten", "gated"),
    node("head", "Linear", "flat", out_features=3),
)
POSITIONS = graph(
    node("target", "Embedding", "words", embedding_dim=4),
    {"id": "place", "kind": "Parameter", "shape": [6, 4]},
    node("sum", "add", "target", "place"),
    node("flat", "reshape", "sum", shape=[0, 24]),
    node("head", "Linear", "flat", out_features=3),
)
HEADS = graph(  # attention of three heads, written out: the width of each head is the one that changes
    node("query", "Linear", "steps", out_features=6),
    node("key", "Linear", "steps", out_features=6),
    node("target", "Linear", "steps", out_features=6),
    *(node(f"{name}s", "reshape", name, shape=[0, 0, 3, -1]) for name in ("query", "key", "target")),
    *(node(f"{name}_heads", "permute", f"{name}s", dims=[0, 2, 1, 3]) for name in ("query", "key", "target")),
    node("attended", "scaled_dot_product_attention", "query_heads", "key_heads", "target_heads"),
    node("back", "permute", "attended", dims=[0, 2, 1, 3]),
    node("joined", "flatten", "back", start_dim=2),
    node("pooled", "mean", "joined", dim=1),
    node("head", "Linear", "pooled", out_features=3),
)
CELLS = graph(
    node("target", "LSTMCell", "vector", "h0", "c0", hidden_size=4),
    node("h0", "Linear", "other", out_features=4),
    node("c0", "zeros", "other", shape=[4]),
    node("again", "GRUCell", "other", "target.h", hidden_size=4),
    node("cells", "cat", "again", "target.c"),
    node("head", "Linear", "cells", out_features=3),
)
SCAN = graph(
    node("h0", "zeros", "steps", shape=[4]),
    {
        "id": "scan",
        "kind": "Scan",
        "over": ["steps"],
        "carry": ["h0"],
        "lengths": "lengths",
        "body": {
            "inputs": ["h", "x"],
            "nodes": [
                node("new", "Linear", "x", out_features=4),
                node("old", "Linear", "h", out_features=4),
                node("sum", "add", "new", "old"),
                node("h1", "tanh", "sum"),
            ],
            "outputs": {"h": "h1", "y": "sum"},
        },
    },
    node("pooled", "pool_sequence", "scan.y", "lengths"),
    node("both", "cat", "scan.h", "pooled"),
    node("head", "Linear", "both", out_features=3),
)


def repeated(**settings: Any) -> dict[str, Any]:
    body = {"layers": [linear(5, "inner"), "Tanh", linear(4, "back", in_features=5)]}
    return graph(
        node("target", "Linear", "vector", out_features=4),
        node("loop", "Repeat", "target", times=3, body=body, **settings),
        node("head", "Linear", "loop", out_features=3),
    )


def branches(kind: str) -> dict[str, Any]:
    by = {"If": "any_flag", "Route": "flag"}[kind]
    return graph(
        node("target", "Linear", "vector", out_features=4),
        node("any_flag", "any", "flag", dim=0),
        {
            "id": "choice",
            "kind": kind,
            "predicate": by,
            "inputs": ["target"],
            "then": {"layers": [linear(4, "taken"), "ReLU"]},
            **({"else": {"layers": ["Tanh"]}} if kind == "Route" else {}),
        },
        node("head", "Linear", "choice", out_features=3),
    )


WHILE = graph(
    node("target", "Linear", "vector", out_features=4),
    {
        "id": "loop",
        "kind": "While",
        "inputs": ["target"],
        "halt": "per_example",
        "max_iterations": 3,
        "at_limit": "stop",
        "condition": {"layers": [linear(1, "score"), {"kind": "squeeze", "dim": 1}, {"kind": "gt", "scalar": 0.0}]},
        "body": {"layers": [linear(4, "step"), "Tanh"]},
    },
    node("head", "Linear", "loop", out_features=3),
)
FOLD = graph(
    {
        "id": "tree",
        "kind": "Fold",
        "over": "nodes",
        "children": "children",
        "leaf": {"layers": [linear(4, "target")]},
        "node": {
            "inputs": ["value", "states"],
            "nodes": [
                node("below", "sum", "states", dim=1),
                node("own", "Linear", "value", out_features=4),
                node("mixed", "Linear", "below", out_features=4),
                node("sum", "add", "own", "mixed"),
            ],
            "outputs": {"y": "sum"},
        },
    },
    node("head", "Linear", "tree", out_features=3),
)
DECODER = graph(
    node("x", "Linear", "steps", out_features=4),
    node("target", "Embedding", "words", embedding_dim=4),
    node("layer", "TransformerDecoderLayer", "x", "target", nhead=2, dim_feedforward=6),
    node("pooled", "mean", "layer", dim=1),
    node("head", "Linear", "pooled", out_features=3),
)
