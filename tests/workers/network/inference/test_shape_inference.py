"""Sizes are inferred, and what cannot fit is explained where it was written."""

from typing import Any

import pytest
import torch

from app.errors import Problem
from tests.workers.network.networks import Columns, Model, infer_model, parse_model, schema
from workers.network.inference.input_checks import INFERRED_SIZES, SYMBOLIC_BATCH_SIZE, describe_shape
from workers.network.inference.node_inference import MAX_NODE_WEIGHTS
from workers.network.inference.shape_inference import MAX_INFERENCE_COST, infer_shapes

HUGE = 2**31 - 1
IMAGE = {"x": (1, 28, 28)}


def linear(size: int = 10, **fields: Any) -> dict[str, Any]:
    return {"kind": "Linear", "out_features": size, **fields}


def conv(size: int, kernel: int = 5, **fields: Any) -> dict[str, Any]:
    return {"kind": "Conv2d", "out_channels": size, "kernel_size": kernel, **fields}


def multi_input_network(kind: str, *inputs: str, **fields: Any) -> dict[str, Any]:
    """Return a network of one node that reads several inputs."""
    return {"inputs": list(inputs), "nodes": [{"id": "node", "kind": kind, "inputs": list(inputs), **fields}]}


def leaf(kind: str, **fields: Any) -> dict[str, Any]:
    return {"nodes": [{"id": "leaf", "kind": kind, **fields}]}


def only_problem(model: Model, columns: Columns) -> Problem:
    """Return the only problem of a network."""
    (found,) = infer_model(model, columns).problems
    return found


def test_sizes_follow_from_the_data() -> None:
    pool = {"kind": "MaxPool2d", "kernel_size": 2}
    layers = [conv(10), pool, {"kind": "BatchNorm2d"}, conv(20), pool, {"kind": "Flatten"}, linear(50), linear()]
    found = infer_model(layers, IMAGE)
    assert found.problems == []
    parameters = {trace.node.id: trace.node.parameters for trace in found.nodes}
    assert parameters["conv2d1"]["in_channels"] == 1
    assert parameters["batchnorm2d1"]["num_features"] == parameters["conv2d2"]["in_channels"] == 10
    assert parameters["linear1"]["in_features"] == 320
    assert parameters["linear2"]["in_features"] == 50
    assert [trace.output.shape[1:] for trace in found.nodes if trace.node.kind == "Conv2d"] == [
        (10, 24, 24),
        (20, 8, 8),
    ]
    assert found.values[found.blueprint.outputs["output"]].shape == (SYMBOLIC_BATCH_SIZE, 10)


@pytest.mark.parametrize("field", INFERRED_SIZES)
def test_every_size_can_be_inferred(field: str) -> None:
    kinds = {
        "in_features": linear(),
        "in1_features": {"kind": "Bilinear", "out_features": 2},
        "in_channels": conv(4),
        "in2_features": {"kind": "Bilinear", "out_features": 2},
        "num_features": {"kind": "BatchNorm2d"},
        "num_channels": {"kind": "GroupNorm", "num_groups": 2},
        "normalized_shape": {"kind": "LayerNorm"},
        "embed_dim": {"kind": "MultiheadAttention", "num_heads": 2},
        "input_size": {"kind": "GRU", "hidden_size": 3},
        "d_model": {"kind": "TransformerEncoderLayer", "nhead": 2},
    }
    node = kinds[field]
    shape = (6, 8, 8) if field in ("in_channels", "num_features") else (4, 6)
    names = ["x", "y"] if node["kind"] == "Bilinear" else ["x"]
    model = {"inputs": names, "nodes": [{"id": "node", "inputs": names, **node}]}
    (trace,) = infer_model(model, dict.fromkeys(names, shape)).nodes
    assert trace.node.parameters[field] == (4 if field == "num_channels" else 6)


FLATTEN = 'insert {"kind": "Flatten"} before '
SHAPE, DTYPE, VALUE = "shape_mismatch", "dtype_mismatch", "invalid_value"

# (network, columns, pointer, code, detail, hint)
MISTAKES: list[tuple[Model, Columns, str, str, str, str]] = [
    # Sizes
    (
        [
            conv(10),
            {"kind": "MaxPool2d", "kernel_size": 2},
            conv(20),
            {"kind": "MaxPool2d", "kernel_size": 2},
            linear(50, id="fc1", in_features=320),
        ],
        IMAGE,
        "/layers/4/in_features",
        SHAPE,
        "fc1 expects 320 features but receives 20x4x4 per example",
        FLATTEN + "fc1, or leave in_features out",
    ),
    (
        [linear(in_features=300)],
        {"x": (20, 4, 4)},
        "/layers/0/in_features",
        SHAPE,
        "linear1 expects 300 features but receives 20x4x4 per example",
        FLATTEN + "linear1 and set in_features to 320, or leave in_features out",
    ),
    (
        [{"kind": "GRU", "hidden_size": 16}, linear(in_features=112)],
        {"x": (7, 5)},
        "/layers/1/in_features",
        SHAPE,
        "linear1 expects 112 features but receives 7x16 per example",
        FLATTEN + "linear1, or leave in_features out",
    ),
    (
        [{"kind": "GRU", "hidden_size": 16, "input_size": 35}],
        {"x": (7, 5)},
        "/layers/0/input_size",
        SHAPE,
        "gru1 expects 35 features but receives 7x5 per example",
        "set input_size to 5, or leave it out",
    ),
    (
        [linear(in_features=7)],
        {"x": (8,)},
        "/layers/0/in_features",
        SHAPE,
        "linear1 expects 7 features but receives 8 per example",
        "set in_features to 8, or leave it out",
    ),
    (
        [conv(4, in_channels=1)],
        {"x": (3, 28, 28)},
        "/layers/0/in_channels",
        SHAPE,
        "conv2d1 expects 1 channels but receives 3x28x28 per example",
        "set in_channels to 3, or leave it out",
    ),
    (
        [conv(4, in_channels=3)],
        {"x": (28, 28, 3)},
        "/layers/0/in_channels",
        SHAPE,
        "conv2d1 expects 3 channels but receives 28x28x3 per example",
        'insert {"kind": "permute", "dims": [0, 3, 1, 2]} before conv2d1: its channels come last',
    ),
    (
        multi_input_network("Bilinear", "x", "y", out_features=2, in2_features=5),
        {"x": (3,), "y": (4,)},
        "/nodes/0/in2_features",
        SHAPE,
        "node expects 5 features in the second input but receives 4 per example",
        "set in2_features to 4, or leave it out",
    ),
    (
        [{"kind": "LayerNorm", "normalized_shape": [4, 5]}],
        {"x": (4, 6)},
        "/layers/0/normalized_shape",
        SHAPE,
        "layernorm1 normalises over 4x5 but receives 4x6 per example",
        "leave normalized_shape out",
    ),
    (
        [{"kind": "transpose", "dim0": 0, "dim1": 1}, linear()],
        {"x": (4,)},
        "/layers/1",
        SHAPE,
        "linear1 expects features per example but receives 4xN",
        'insert {"kind": "unsqueeze", "dim": 1} before linear1',
    ),
    # Multiples
    (
        [conv(4, groups=2)],
        {"x": (3, 8, 8)},
        "/layers/0/groups",
        SHAPE,
        "in_channels of conv2d1 is 3, which groups 2 does not divide",
        "choose a divisor of 3",
    ),
    (
        [conv(3, groups=2)],
        {"x": (4, 8, 8)},
        "/layers/0/groups",
        SHAPE,
        "out_channels of conv2d1 is 3, which groups 2 does not divide",
        "choose a divisor of 3",
    ),
    (
        [{"kind": "GroupNorm", "num_groups": 3}],
        {"x": (4, 8)},
        "/layers/0/num_groups",
        SHAPE,
        "num_channels of groupnorm1 is 4, which num_groups 3 does not divide",
        "choose a divisor of 4",
    ),
    (
        [{"kind": "MultiheadAttention", "num_heads": 3}],
        {"x": (4, 8)},
        "/layers/0/num_heads",
        SHAPE,
        "embed_dim of multiheadattention1 is 8, which num_heads 3 does not divide",
        "choose a divisor of 8",
    ),
    # Kernels
    (
        [conv(4, 9)],
        {"x": (1, 8, 8)},
        "/layers/0/kernel_size",
        SHAPE,
        "conv2d1 has a kernel of 9x9 but receives 1x8x8 per example",
        "use a kernel_size of at most 8, or more padding",
    ),
    (
        [{"kind": "MaxPool2d", "kernel_size": [2, 9]}],
        {"x": (1, 8, 8)},
        "/layers/0/kernel_size",
        SHAPE,
        "maxpool2d1 has a kernel of 2x9 but receives 1x8x8 per example",
        "use a kernel_size of at most 8, or more padding",
    ),
    (
        [conv(2, 3, dilation=5)],
        {"x": (1, 8, 8)},
        "/layers/0/kernel_size",
        SHAPE,
        "conv2d1 has a kernel of 3x3 but receives 1x8x8 per example",
        "use a kernel_size of at most 2, or more padding",
    ),
    # Dimensions
    (
        [conv(4)],
        {"x": (28, 28)},
        "/layers/0",
        SHAPE,
        "conv2d1 expects images (C, H, W) per example but receives 28x28 per example",
        'insert {"kind": "unsqueeze", "dim": 1} before conv2d1',
    ),
    (
        [{"kind": "Flatten"}, conv(4)],
        IMAGE,
        "/layers/1",
        SHAPE,
        "conv2d1 expects images (C, H, W) per example but receives 784 per example",
        'remove the Flatten before conv2d1, or insert {"kind": "Unflatten", "dim": 1, "unflattened_size": [C, H, W]}',
    ),
    (
        [{"kind": "BatchNorm1d"}],
        IMAGE,
        "/layers/0",
        SHAPE,
        "batchnorm1d1 expects features (C) per example or sequences (C, L) per example "
        "but receives 1x28x28 per example",
        "use BatchNorm2d",
    ),
    (
        [{"kind": "PixelShuffle", "upscale_factor": 2}],
        {"x": (1, 2, 3, 4)},
        "/layers/0",
        SHAPE,
        "pixelshuffle1 expects images (C, H, W) per example but receives 1x2x3x4 per example",
        FLATTEN + "pixelshuffle1",
    ),
    (
        [linear()],
        {"x": ()},
        "/layers/0",
        SHAPE,
        "linear1 expects features (F) per example but receives one number per example",
        'insert {"kind": "unsqueeze", "dim": 1} before linear1',
    ),
    (
        [{"kind": "GRU", "hidden_size": 4}],
        IMAGE,
        "/layers/0",
        SHAPE,
        "gru1 expects sequences (L, F) per example but receives 1x28x28 per example",
        'insert {"kind": "squeeze", "dim": 1} before gru1',
    ),
    (
        [{"kind": "GRU", "hidden_size": 4}],
        {"x": (3, 28, 28)},
        "/layers/0",
        SHAPE,
        "gru1 expects sequences (L, F) per example but receives 3x28x28 per example",
        'insert {"kind": "Flatten", "start_dim": 2} before gru1',
    ),
    *(
        (
            [{"kind": kind, "dim": dim}],
            {"x": (4, 6)},
            "/layers/0/dim",
            SHAPE,
            f"{kind.lower()}1 works along dimension {dim} but receives 4x6 per example",
            "use -3 to 2; dimension 0 is the batch",
        )
        for kind in ("softmax", "LogSoftmax", "mean", "squeeze")
        for dim in (3, -4)
    ),
    (
        [{"kind": "sum", "dim": [1, 3]}],
        {"x": (4, 6)},
        "/layers/0/dim",
        SHAPE,
        "sum1 works along dimension 3 but receives 4x6 per example",
        "use -3 to 2; dimension 0 is the batch",
    ),
    (
        [{"kind": "unsqueeze", "dim": 4}],
        {"x": (4, 6)},
        "/layers/0/dim",
        SHAPE,
        "unsqueeze1 works along dimension 4 but receives 4x6 per example",
        "use -4 to 3; dimension 0 is the batch",
    ),
    # Types
    (
        [linear()],
        {"x": ((8,), "int64")},
        "/layers/0",
        DTYPE,
        "linear1 expects float32 but receives int64",
        'insert {"kind": "Embedding", ...} before linear1',
    ),
    (
        [linear()],
        {"x": ((8,), "float64")},
        "/layers/0",
        DTYPE,
        "linear1 expects float32 but receives float64",
        "store the column as float32",
    ),
    (
        [{"kind": "Embedding", "num_embeddings": 3, "embedding_dim": 2}],
        {"x": (8,)},
        "/layers/0",
        DTYPE,
        "embedding1 looks up integers but receives float32",
        "use a column of integers, or a Linear layer for floats",
    ),
    *(
        (
            [{"kind": kind}],
            {"x": ((8,), "bool")},
            "/layers/0",
            DTYPE,
            f"{kind}1 computes with numbers but receives bool",
            "store the column as float32",
        )
        for kind in ("abs", "relu", "neg")
    ),
    (
        [{"kind": "softmax"}],
        {"x": ((8,), "uint8")},
        "/layers/0",
        DTYPE,
        "softmax1 expects float32 but receives uint8",
        'insert {"kind": "Embedding", ...} before softmax1',
    ),
    (
        multi_input_network("sub", "x", "y"),
        {"x": (8,), "y": ((8,), "bool")},
        "/nodes/0",
        DTYPE,
        "node computes with numbers but receives bool",
        "store the column as float32",
    ),
    (
        multi_input_network("matmul", "x", "y"),
        {"x": (4, 4), "y": ((4, 4), "float64")},
        "/nodes/0",
        DTYPE,
        "node expects float32 but receives float64",
        "store the column as float32",
    ),
    (
        multi_input_network("MultiheadAttention", "x", "y", num_heads=2),
        {"x": (4, 4), "y": ((4, 4), "bool")},
        "/nodes/0",
        DTYPE,
        "node expects float32 but receives bool",
        'insert {"kind": "Embedding", ...} before node',
    ),
    # Lengths
    *(
        (
            multi_input_network("GRU", "x", "n", hidden_size=4),
            {"x": (4, 4), "n": said},
            "/nodes/0/inputs/1",
            SHAPE,
            f"the lengths of node are {words}",
            "use one integer per example",
        )
        for said, words in (
            ((), "one number per example of float32"),
            (((1,), "int64"), "1 per example of int64"),
            (((), "bool"), "one number per example of bool"),
        )
    ),
    # Absurd sizes
    (
        [linear(HUGE), linear(HUGE)],
        {"x": (8,)},
        "/layers/1",
        "too_many_parameters",
        f"linear2 would have {HUGE**2:,} parameters",
        "make it smaller",
    ),
    (
        leaf("Parameter", shape=[HUGE, HUGE]),
        {"x": (8,)},
        "/nodes/0",
        "too_many_parameters",
        f"leaf would have {HUGE**2:,} parameters",
        "make it smaller",
    ),
    (
        [{"kind": "Upsample", "scale_factor": HUGE}],
        {"x": (1, 8, 8)},
        "/layers/0",
        "too_much_memory",
        "upsample1 would create a tensor larger than any memory",
        "make it smaller",
    ),
    (
        [
            {"kind": "Upsample", "scale_factor": 2**17},
            {"kind": "Flatten"},
            {"kind": "unsqueeze", "dim": -1},
            {"kind": "GRU", "hidden_size": 2**18},
        ],
        {"x": (1, 1, 1)},
        "/layers/3",
        "too_much_memory",
        "gru1 would create a tensor larger than any memory",
        "make it smaller",
    ),
    # Values
    (
        [conv(4, stride=2, padding="same")],
        {"x": (1, 8, 8)},
        "/layers/0",
        VALUE,
        "conv2d1: padding='same' is not supported for strided convolutions",
        "",
    ),
    (
        leaf("Constant", value=[[1, 2], [3]]),
        {"x": (8,)},
        "/nodes/0/value",
        VALUE,
        "leaf: expected sequence of length 2 at dim 1 (got 1)",
        "give lists of equal lengths",
    ),
    (
        leaf("Constant", value=1e300),
        {"x": (8,)},
        "/nodes/0/value",
        VALUE,
        "leaf has values beyond the range of float32",
        "use smaller numbers",
    ),
    (
        leaf("Buffer", shape=[2], init={"kind": "normal", "mean": 1e300}),
        {"x": (8,)},
        "/nodes/0/init",
        VALUE,
        "leaf has values beyond the range of float32",
        "use smaller numbers",
    ),
    (
        leaf("Parameter", shape=[2], init={"kind": "uniform", "low": 1, "high": 0}),
        {"x": (8,)},
        "/nodes/0/init",
        VALUE,
        "leaf: uniform_ expects to return a [from, to) range, but found from=1 > to=0",
        "",
    ),
    (
        leaf("Parameter", shape=[2], init={"kind": "orthogonal"}),
        {"x": (8,)},
        "/nodes/0/init",
        VALUE,
        "orthogonal needs a tensor of 2 or more dimensions, leaf has 1",
        'use {"kind": "normal"} or {"kind": "uniform"}',
    ),
    # What torch itself says, with N for the number of examples
    (
        [{"kind": "reshape", "shape": [0, 5]}],
        {"x": (6,)},
        "/layers/0",
        SHAPE,
        "reshape1 cannot take 6 per example: shape '[N, 5]' is invalid for input of size 6N",
        "0 keeps the dimension at that index, -1 is inferred",
    ),
    (
        multi_input_network("cat", "x", "y"),
        {"x": (3, 2), "y": (4, 3)},
        "/nodes/0",
        SHAPE,
        "node cannot combine 3x2 per example and 4x3 per example: Sizes of tensors must match except in dimension 1. "
        "Expected 2 in dimension 2 but got 3 for tensor number 1 in the list",
        "all dimensions but `dim` must be equal",
    ),
    # Examples are kept apart
    (
        multi_input_network("add", "x", "y"),
        {"x": (1,), "y": ()},
        "/nodes/0",
        SHAPE,
        "node would combine every example with every other: 1 per example and one number per example",
        'give both the same number of dimensions, for example with {"kind": "squeeze", "dim": 1}',
    ),
]


@pytest.mark.parametrize(("model", "columns", "pointer", "code", "detail", "hint"), MISTAKES)
def test_a_mistake_is_explained(
    model: Model, columns: Columns, pointer: str, code: str, detail: str, hint: str
) -> None:
    assert only_problem(model, columns) == Problem(pointer, code, detail, hint)


@pytest.mark.parametrize(
    ("kind", "hint"),
    [
        ("add", "dimensions must be equal, or 1"),
        ("stack", "all shapes must be equal"),
        ("matmul", "the last dimension of the first must equal the last but one of the second"),
    ],
)
def test_shapes_that_do_not_go_together(kind: str, hint: str) -> None:
    found = only_problem(multi_input_network(kind, "x", "y"), {"x": (2, 3), "y": (2, 4)})
    assert (found.pointer, found.code, found.hint) == ("/nodes/0", SHAPE, hint)
    assert found.detail.startswith("node cannot combine 2x3 per example and 2x4 per example: ")
    assert str(SYMBOLIC_BATCH_SIZE) not in found.detail


def test_all_problems_at_once_and_none_that_follows_from_another() -> None:
    nodes = [
        {"id": "a", "inputs": ["x"], **linear(in_features=2)},
        {"id": "after", "inputs": ["a"], **linear()},
        {"id": "b", "inputs": ["x"], **linear(in_features=3)},
        {"id": "both", "kind": "add", "inputs": ["after", "fine"]},
        {"id": "fine", "inputs": ["x"], **linear()},
    ]
    found = infer_model({"nodes": nodes}, {"x": (8,)})
    assert [each.pointer for each in found.problems] == ["/nodes/0/in_features", "/nodes/2/in_features"]
    assert [trace.node.id for trace in found.nodes] == ["fine"]


def test_known_mistakes_are_passed_over() -> None:
    network = parse_model([linear(in_features=2), linear()])
    assert infer_shapes(network, schema({"x": (8,)}), ("x",), skip={"/layers/0"}).problems == []


def test_a_sequence_of_outputs_may_go_on_into_a_linear_layer() -> None:
    found = infer_model([{"kind": "GRU", "hidden_size": 16}, linear()], {"x": (7, 5)})
    assert [trace.output.shape for trace in found.nodes] == [(SYMBOLIC_BATCH_SIZE, 7, 16), (SYMBOLIC_BATCH_SIZE, 7, 10)]


def test_the_largest_network_is_counted_and_not_allocated() -> None:
    found = infer_model([linear(MAX_NODE_WEIGHTS // 1024 // 1024, bias=False)], {"x": (1024 * 1024,)})
    assert found.problems == []
    assert found.nodes[0].parameters == MAX_NODE_WEIGHTS


def test_like_layers_are_computed_once() -> None:
    first, second, third = infer_model([linear(8), linear(8), linear(8, bias=False)], {"x": (8,)}).nodes
    assert second.output is first.output
    assert (second.node.id, second.node.pointer, second.node.inputs) == ("linear2", "/layers/1", ("linear1",))
    assert third.parameters == 64


def test_drafting_draws_nothing() -> None:
    """A seed gives the same weights whatever was checked before."""
    torch.manual_seed(5)
    infer_model(leaf("Parameter", shape=[3, 3], init={"kind": "orthogonal"}), {"x": (8,)})
    assert torch.rand(1).item() == torch.rand(1, generator=torch.Generator().manual_seed(5)).item()


def test_a_chain_reads_the_first_input_alone() -> None:
    assert infer_model([linear()], {"x": (8,), "y": (4,)}).blueprint.inputs == ("x",)


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((SYMBOLIC_BATCH_SIZE, 20, 4, 4), "20x4x4 per example"),
        ((SYMBOLIC_BATCH_SIZE,), "one number per example"),
        ((10, 3), "10x3"),
        ((4, SYMBOLIC_BATCH_SIZE), "4xN"),
        ((), "one number"),
    ],
)
def test_shapes_in_words(shape: tuple[int, ...], words: str) -> None:
    assert describe_shape(shape) == words


@pytest.mark.parametrize(
    "layer", [{"kind": "MaxPool2d", "kernel_size": 1, "stride": 1}, {"kind": "PReLU"}, {"kind": "sinc"}]
)
def test_too_many_different_layers_are_refused_before_they_take_long(layer: dict[str, Any]) -> None:
    setting = {"MaxPool2d": "dilation", "PReLU": "init", "sinc": ""}[layer["kind"]]
    layers = [layer | ({setting: place + 1} if setting else {}) for place in range(2 * MAX_INFERENCE_COST)]
    found = infer_model(layers, {"x": (1, 8, 8)}).problems
    assert [each.code for each in found] == (["too_many_different"] if setting else [])


def test_linear_layers_of_any_number_of_sizes_are_no_trouble() -> None:
    found = infer_model([linear(place + 1) for place in range(2 * MAX_INFERENCE_COST)], {"x": (8,)})
    assert found.problems == []


def test_a_size_that_the_batch_once_had_is_a_size() -> None:
    assert infer_model([linear(7919), linear(3)], {"x": (7919,)}).problems == []
