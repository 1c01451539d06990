"""Networks with a node whose width changes, by what the channels go through."""

from typing import Any, NamedTuple


class WidthCase(NamedTuple):
    """`node` has `size` outputs, which change in blocks of `block`; `exact` says which widenings preserve the function.

    "any": copies and new channels; "copies": copies; "multiples": equally many copies; "none": no widening.
    """

    model: Any
    inputs: tuple[str, ...]
    node: str
    size: int
    block: int = 1
    exact: str = "any"


def conv(channels: int, kernel: int = 3, name: str = "", kind: str = "Conv2d", **settings: Any) -> dict[str, Any]:
    named = {"id": name} if name else {}
    return {**named, "kind": kind, "out_channels": channels, "kernel_size": kernel, "padding": kernel // 2, **settings}


def linear(features: int, name: str = "", **settings: Any) -> dict[str, Any]:
    return {**({"id": name} if name else {}), "kind": "Linear", "out_features": features, **settings}


def node(name: str, kind: str, /, *inputs: str, **settings: Any) -> dict[str, Any]:
    return {"id": name, "kind": kind, "inputs": list(inputs), **settings}


def graph(*nodes: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"nodes": list(nodes), **more}


IMAGE, STEPS, VECTOR, WORDS = ("image",), ("steps",), ("vector",), ("words",)
POOL = {"kind": "MaxPool2d", "kernel_size": 2}
HEAD = ["Flatten", linear(3)]
CHANNELS_FIRST = [{"kind": "transpose", "dim0": 1, "dim1": 2}]


def chain(layer: dict[str, Any], *layers: Any) -> list[Any]:
    return [layer, *layers]


def spatial(*between: Any, size: int = 6, block: int = 1, exact: str = "any") -> WidthCase:
    """Return a case of a convolution, layers after it, another convolution and a linear layer."""
    return WidthCase([conv(size, name="target"), *between, conv(4, 1), *HEAD], IMAGE, "target", size, block, exact)


def sequence(*layers: Any, size: int = 4, block: int = 1, exact: str = "any", inputs: Any = STEPS) -> WidthCase:
    return WidthCase([*layers, linear(3)], inputs, "target", size, block, exact)


def features(*between: Any, size: int = 6, exact: str = "any") -> WidthCase:
    return WidthCase([linear(size, "target"), *between, linear(3)], VECTOR, "target", size, 1, exact)


def after_steps(*between: Any, size: int = 4, block: int = 1, exact: str = "any") -> WidthCase:
    """Return a case of a linear layer at every step of a sequence, and layers after it."""
    return WidthCase([linear(size, "target"), *between, *HEAD], STEPS, "target", size, block, exact)


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
ENCODER = {"kind": "TransformerEncoderLayer", "nhead": 2, "dim_feedforward": 6, "dropout": 0.0}
DECODER = graph(
    node("x", "Linear", "steps", out_features=4),
    node("target", "Embedding", "words", embedding_dim=4),
    node("layer", "TransformerDecoderLayer", "x", "target", nhead=2, dim_feedforward=6),
    node("pooled", "mean", "layer", dim=1),
    node("head", "Linear", "pooled", out_features=3),
)
RNN_SETTINGS = {"hidden_size": 4, "num_layers": 2, "bidirectional": True}

CASES: dict[str, WidthCase] = {
    "linear": features("ReLU", {"kind": "Dropout"}),
    "linear, batch norm, slopes": features("BatchNorm1d", {"kind": "PReLU", "num_parameters": 6}),
    "linear, layer norm": features("LayerNorm", exact="multiples"),
    "linear, rms norm": features({"kind": "RMSNorm", "normalized_shape": 6}, exact="multiples"),
    "linear, softmax": features("Softmax", exact="none"),
    "gated linear": WidthCase([linear(8, "target"), "GLU", linear(3)], VECTOR, "target", 8, 2),
    "bilinear": WidthCase(
        graph(
            node("target", "Bilinear", "vector", "other", out_features=4),
            node("head", "Linear", "target", out_features=3),
        ),
        ("vector", "other"),
        "target",
        4,
    ),
    "convolution": spatial("BatchNorm2d", "ReLU", POOL),
    "convolution, flatten": WidthCase([conv(4, name="target"), POOL, *HEAD], IMAGE, "target", 4),
    "convolution, reshape": WidthCase(
        [conv(4, name="target"), {"kind": "reshape", "shape": [0, 256]}, linear(3, in_features=256)], IMAGE, "target", 4
    ),
    "convolution, mean of channels": WidthCase(
        [conv(4, name="target"), {"kind": "mean", "dim": 1}, *HEAD], IMAGE, "target", 4, 1, "multiples"
    ),
    "convolution, largest channel": WidthCase(
        [conv(4, name="target"), {"kind": "amax", "dim": 1}, *HEAD], IMAGE, "target", 4, 1, "copies"
    ),
    "convolution, sum of channels": WidthCase(
        [conv(4, name="target"), {"kind": "sum", "dim": 1}, *HEAD], IMAGE, "target", 4, 1, "none"
    ),
    "instance norm": spatial({"kind": "InstanceNorm2d", "affine": True}),
    "group norm": spatial({"kind": "GroupNorm", "num_groups": 3}, block=2, exact="copies"),
    "group norm of one": spatial({"kind": "GroupNorm", "num_groups": 1}, exact="multiples"),
    "layer norm of images": spatial({"kind": "LayerNorm", "normalized_shape": [6, 8, 8]}, exact="multiples"),
    "local response norm": spatial({"kind": "LocalResponseNorm", "size": 2}, exact="none"),
    "depthwise": spatial(conv(12, groups=6)),
    "grouped": spatial(conv(9, groups=3, in_channels=6), block=2),
    "a grouped layer": WidthCase([conv(4), conv(6, name="target", groups=2), *HEAD], IMAGE, "target", 6, 3),
    "channel shuffle": spatial({"kind": "ChannelShuffle", "groups": 2}, block=2),
    "pixel shuffle": spatial({"kind": "PixelShuffle", "upscale_factor": 2}, size=8, block=4),
    "pixel unshuffle": spatial({"kind": "PixelUnshuffle", "downscale_factor": 2}),
    "windows of images": WidthCase(
        [conv(4, name="target"), {"kind": "Unfold", "kernel_size": 2, "stride": 2}, *CHANNELS_FIRST, linear(2), *HEAD],
        IMAGE,
        "target",
        4,
    ),
    "softmax of channels": spatial("Softmax2d", exact="none"),
    "tiled": spatial({"kind": "tile", "dims": [2, 1, 1]}),
    "repeated": spatial({"kind": "repeat_interleave", "repeats": 2, "dim": 1}),
    **{
        f"{kind.lower()}": WidthCase(
            [conv(4, name="target", kind=kind), "ReLU", conv(5, kind=kind), *HEAD], (data,), "target", 4
        )
        for d, data in ((1, "signal"), (2, "image"), (3, "volume"))
        for kind in (f"Conv{d}d", f"ConvTranspose{d}d")
    },
    "transposed, grouped": spatial(conv(3, kind="ConvTranspose2d", groups=3), block=2),
    "residual": WidthCase(RESIDUAL, IMAGE, "target", 6),
    "residual, by its last layer": WidthCase(RESIDUAL, IMAGE, "first.conv2", 6),
    "inside a residual block": WidthCase(RESIDUAL, IMAGE, "second.conv1", 5),
    "shared block": WidthCase(SHARED, IMAGE, "target", 6),
    "inside a shared block": WidthCase(SHARED, IMAGE, "first.conv1", 5),
    "dense": WidthCase(DENSE, IMAGE, "target", 4),
    "dense, in the middle": WidthCase(DENSE, IMAGE, "second", 2),
    "concatenation and sum": WidthCase(JOINED, VECTOR, "target", 3),
    "squeeze and excitation": WidthCase(GATE, IMAGE, "target", 6),
    "embedding with positions": WidthCase(POSITIONS, WORDS, "target", 4),
    "embedding bag": WidthCase(
        [{"id": "target", "kind": "EmbeddingBag", "embedding_dim": 4}, linear(3)], WORDS, "target", 4
    ),
    "attention written out": WidthCase(HEADS, STEPS, "target", 6, 3),
    "attention written out, keys": WidthCase(HEADS, STEPS, "key", 6, 3, "none"),
    **{
        f"{kind}, {returns}": sequence({"id": "target", "kind": kind, **RNN_SETTINGS, "returns": returns}, *more)
        for kind in ("RNN", "GRU", "LSTM")
        for returns, more in (("sequence", ["pool_sequence"]), ("last", []), ("state", []))
    },
    "before a recurrent layer": sequence(linear(4, "target"), {"kind": "LSTM", "hidden_size": 3, "returns": "last"}),
    "cells": WidthCase(CELLS, ("vector", "other"), "target", 4),
    "attention": after_steps({"kind": "MultiheadAttention", "num_heads": 2}, size=4, block=2, exact="copies"),
    "Transformer": after_steps(ENCODER, size=4, block=2, exact="multiples"),
    "feed-forward part": WidthCase([linear(4), {**ENCODER, "id": "target"}, *HEAD], STEPS, "target", 6),
    "decoder": WidthCase(DECODER, ("steps", "words"), "target", 4, 2, "multiples"),
    "scan": WidthCase(SCAN, ("steps", "lengths"), "scan.body.old", 4),
    "repeat": WidthCase(repeated(), VECTOR, "target", 4),
    "repeat, inside": WidthCase(repeated(), VECTOR, "loop.body.inner", 5),
    "repeat with own parameters": WidthCase(repeated(share=False), VECTOR, "loop.body.back", 4),
    "if": WidthCase(branches("If"), ("vector", "flag"), "target", 4),
    "route": WidthCase(branches("Route"), ("vector", "flag"), "choice.then.taken", 4),
    "while": WidthCase(WHILE, VECTOR, "loop.body.step", 4),
    "fold": WidthCase(FOLD, ("nodes", "children"), "tree.leaf.target", 4),
}
