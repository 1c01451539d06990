"""Sizes are inferred, and what cannot fit is explained where it was written."""

from typing import Any

import pytest
import torch

from app.errors import Problem
from tests.workers.network.inference.dimension_mistakes import DIMENSION_MISTAKES
from tests.workers.network.inference.nodes import IMAGE, SHAPE, conv, leaf, linear, multi_input_network
from tests.workers.network.inference.size_mistakes import SIZE_MISTAKES
from tests.workers.network.inference.value_mistakes import VALUE_MISTAKES
from tests.workers.network.networks import Columns, Model, infer_model, parse_model, schema
from workers.network.inference.input_checks import INFERRED_SIZES, SYMBOLIC_BATCH_SIZE, describe_shape
from workers.network.inference.node_inference import MAX_NODE_WEIGHTS
from workers.network.inference.shape_inference import MAX_INFERENCE_COST, infer_shapes


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


MISTAKES = SIZE_MISTAKES + DIMENSION_MISTAKES + VALUE_MISTAKES


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
        ((2 * SYMBOLIC_BATCH_SIZE, 3), "2Nx3"),
        ((2 * SYMBOLIC_BATCH_SIZE,), "2N"),
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
