"""Networks with a node whose width changes, by what the channels go through."""

from typing import Any, NamedTuple

from tests.workers.surgery.widths.width_graphs import (
    CELLS,
    DECODER,
    DENSE,
    FOLD,
    GATE,
    HEADS,
    JOINED,
    POSITIONS,
    RESIDUAL,
    SCAN,
    SHARED,
    WHILE,
    branches,
    conv,
    graph,
    linear,
    node,
    repeated,
)


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


ENCODER = {"kind": "TransformerEncoderLayer", "nhead": 2, "dim_feedforward": 6, "dropout": 0.0}
RNN_SETTINGS = {"hidden_size": 4, "num_layers": 2, "bidirectional": True}

CASES: dict[str, WidthCase] = {
    "statistics over features": after_steps({"kind": "InstanceNorm1d"}, exact="multiples"),
    "statistics of blocks over features": after_steps({"kind": "GroupNorm", "num_groups": 2}, exact="multiples"),
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
