import json
from typing import Any

import pytest

from app.errors import Problem
from app.spec.data.columns import DataSchema
from app.spec.data.sources import TORCHVISION_SCHEMAS
from tests.workers.jobs import LIMITS, make_job, make_schema
from workers.children.inspect import InspectionLimits, inspect_job
from workers.protocol.child_requests import InspectResponse

CONVOLUTIONS: list[dict[str, Any]] = [
    {"kind": "Conv2d", "in_channels": 1, "out_channels": 10, "kernel_size": 5},
    {"kind": "ReLU"},
    {"kind": "MaxPool2d", "kernel_size": 2},
    {"kind": "Conv2d", "in_channels": 10, "out_channels": 20, "kernel_size": 5},
    {"kind": "Dropout2d"},
    {"kind": "MaxPool2d", "kernel_size": 2},
    {"kind": "ReLU"},
]
HEAD: list[dict[str, Any]] = [
    {"id": "fc1", "kind": "Linear", "in_features": 320, "out_features": 50},
    {"kind": "ReLU"},
    {"kind": "Dropout"},
    {"id": "fc2", "kind": "Linear", "in_features": 50, "out_features": 10},
]


def linear(width: int, **fields: Any) -> dict[str, Any]:
    return {"kind": "Linear", "out_features": width} | fields


def look(model: Any, schema: DataSchema, loss: Any = "CrossEntropyLoss", **parts: Any) -> InspectResponse:
    return inspect_job(make_job(model, loss, **parts), schema, LIMITS)


def only(found: InspectResponse) -> Problem:
    assert len(found.problems) == 1, found.problems
    return found.problems[0]


class TestReport:
    def test_every_node_has_shape_and_cost(self) -> None:
        found = look([*CONVOLUTIONS, {"kind": "Flatten"}, *HEAD], TORCHVISION_SCHEMAS["MNIST"])
        assert not found.problems
        nodes = {node["id"]: node for node in found.report["nodes"]}
        assert nodes["conv2d1"] == {
            "id": "conv2d1",
            "kind": "Conv2d",
            "pointer": "/model/layers/0",
            "inputs": ["image"],
            "parameters": 260,
            "buffers": 0,
            "flops": 2 * 24 * 24 * 10 * 25,
            "output": {"shape": ["N", 10, 24, 24], "dtype": "float32"},
            "weights": {"weight": [10, 1, 5, 5], "bias": [10]},
        }
        assert found.report["inputs"] == {"image": {"shape": ["N", 1, 28, 28], "dtype": "float32"}}
        assert found.report["outputs"] == {"output": {"node": "fc2", "shape": ["N", 10], "dtype": "float32"}}
        assert found.report["edges"][:2] == [["image", "conv2d1"], ["conv2d1", "relu1"]]
        totals = found.report["totals"]
        assert totals["parameters"] == totals["trainable"] == 21_840
        assert totals["flops"] == sum(node["flops"] for node in nodes.values())
        json.dumps(found.report, allow_nan=False)

    def test_buffers_are_not_trained(self) -> None:
        found = look([linear(10), {"kind": "BatchNorm1d"}], make_schema((), "int64", 10))
        assert found.report["totals"]["buffers"] == 2 * 10 + 1

    def test_memory_follows_the_batch_that_there_is(self) -> None:
        schema = make_schema((1,), "float32")
        small, large, whole = (
            look([linear(1)], schema, "MSELoss", training={"batch_size": size}).report["memory"]
            for size in (10, 100, 10**6)
        )
        assert small["weights"] == 5 * 4
        assert small["optimizer"] == 2 * small["weights"]
        assert small["activations"] * 10 == large["activations"]
        assert large == whole
        assert large["total"] == sum(
            large[part] for part in ("weights", "gradients", "optimizer", "average", "activations")
        )

    def test_rows_of_several_per_example_are_told(self) -> None:
        model = {
            "nodes": [
                {"id": "rows", "kind": "reshape", "inputs": ["x"], "shape": [-1, 2]},
                {"id": "wide", **linear(2), "inputs": ["rows"]},
                {"id": "back", "kind": "reshape", "inputs": ["wide"], "shape": [-1, 4]},
            ]
        }
        found = look(model, make_schema((4,), "float32"), "MSELoss")
        assert not found.problems
        assert found.report["nodes"][0]["output"]["shape"] == ["2*N", 2]


class TestListings:
    """The mistakes of the article."""

    def test_no_flatten(self) -> None:
        found = look([*CONVOLUTIONS, *HEAD], TORCHVISION_SCHEMAS["MNIST"])
        assert only(found) == Problem(
            "/model/layers/7/in_features",
            "shape_mismatch",
            "fc1 expects 320 features but receives 20x4x4 per example",
            'insert {"kind": "Flatten"} before fc1, or leave in_features out',
        )
        assert [node["id"] for node in found.report["nodes"]][-1] == "relu2"

    def test_no_flatten_and_nothing_said_of_sizes(self) -> None:
        layers = [{name: value for name, value in layer.items() if name != "in_features"} for layer in HEAD]
        found = only(look([*CONVOLUTIONS, *layers], TORCHVISION_SCHEMAS["MNIST"]))
        assert found.pointer == "/model/layers/7"
        assert found.hint.startswith('insert {"kind": "Flatten"} before fc1')

    @pytest.mark.parametrize(("loss", "width"), [("CrossEntropyLoss", 9), ("MSELoss", 1)])
    def test_a_sequence_into_a_linear_layer(self, loss: str, width: int) -> None:
        schema = make_schema((), "int64", 9, x=(29, 12)) if width == 9 else make_schema((), "float32", x=(29, 12))
        found = only(look([{"kind": "GRU", "hidden_size": 16}, linear(width)], schema, loss))
        assert found.pointer == "/model/layers/0/returns"
        assert found.hint == 'set "returns" of gru1 to "last": it returns a whole sequence'
        fixed = [{"kind": "GRU", "hidden_size": 16, "returns": "last"}, linear(width)]
        assert not look(fixed, schema, loss).problems

    @pytest.mark.parametrize(("dtype", "loss"), [("float32", "CrossEntropyLoss"), ("float32", "MSELoss")])
    def test_three_targets_for_two_outputs(self, dtype: str, loss: str) -> None:
        found = only(look([linear(8), linear(2)], make_schema((3,), dtype), loss))
        assert found == Problem(
            "/model/layers/1/out_features",
            "shape_mismatch",
            f'{loss} compares 2 per example from linear2 with targets of 3 per example ("y")',
            "set out_features of linear2 to 3",
        )

    def test_three_whole_numbers_for_two_outputs(self) -> None:
        found = only(look([linear(8), linear(2)], make_schema((3,), "int64")))
        assert "2 per example" in found.detail
        assert "3 per example" in found.detail
        assert found.hint.startswith("set out_features of linear2 to 3, and store")


MEAN = {"kind": "mean", "dim": 1}
MISTAKES: list[tuple[Any, DataSchema, Any, str, str]] = [
    (
        [linear(2), {"kind": "Tanh"}],
        make_schema((), "int64", 3),
        "NLLLoss",
        "/model/layers/0/out_features",
        "linear1 to 3",
    ),
    ([linear(1)], make_schema((), "int64"), "CrossEntropyLoss", "/model/layers/0/out_features", "linear1 to 2"),
    ([linear(1)], make_schema((1,), "float32"), "CrossEntropyLoss", "/objective/loss", "MSELoss"),
    ([linear(2)], make_schema((), "float32"), "CrossEntropyLoss", "/objective/loss", "MSELoss"),
    ([linear(2)], make_schema((1,), "int64", 2), "CrossEntropyLoss", "/objective/loss", "one dimension"),
    ([linear(2)], make_schema((2,), "int64"), "CrossEntropyLoss", "/objective/loss", "probabilities"),
    ([linear(2)], make_schema((), "float32"), "MultiMarginLoss", "/objective/loss", "integers"),
    ([linear(10)], make_schema((), "int64", 10), "MSELoss", "/model/layers/0/out_features", "CrossEntropyLoss"),
    ([linear(10)], make_schema((), "int64", 10), "BCEWithLogitsLoss", "/objective/loss", "CrossEntropyLoss"),
    ([linear(2)], make_schema((), "int64", 2), "BCEWithLogitsLoss", "/model/layers/0/out_features", "linear1 to 1"),
    ([linear(64)], make_schema((8, 8), "float32"), "L1Loss", "/objective/loss", '"shape": [0, 8, 8]'),
    ([linear(60)], make_schema((8, 8), "float32"), "L1Loss", "/objective/loss", '"out_features": 64'),
    (
        [{"kind": "GRU", "hidden_size": 4}, linear(9)],
        make_schema((29,), "int64", x=(29, 12)),
        "CrossEntropyLoss",
        "/objective/loss",
        '"dim0": 1, "dim1": 2',
    ),
    (
        [{"kind": "TransformerEncoderLayer", "nhead": 2}, linear(9)],
        make_schema((), "int64", 9, x=(29, 12)),
        "CrossEntropyLoss",
        "/model/layers/0",
        '{"kind": "mean", "dim": 1}',
    ),
    (
        [{"kind": "Conv2d", "out_channels": 4, "kernel_size": 3}],
        make_schema((), "int64", 9, x=(1, 8, 8)),
        "CrossEntropyLoss",
        "/model/layers/0",
        '{"kind": "Linear", "out_features": 9}',
    ),
    ([linear(3), MEAN], make_schema((), "int64", 3), "CrossEntropyLoss", "/objective/loss", "a row of 3"),
    ([linear(3), {"kind": "mean"}], make_schema((), "float32"), "MSELoss", "/model/layers/1", "dimension 0"),
    ([{"kind": "ReLU"}], make_schema((4,), "float32"), "MSELoss", "/model", "add a layer with parameters"),
    ([linear(4), {"kind": "stop_gradient"}], make_schema((4,), "float32"), "MSELoss", "/model", "add a layer"),
    (
        [linear(3)],
        make_schema((), "int64", 3),
        {"kind": "NLLLoss", "weight": [1, 2]},
        "/objective/loss/weight",
        "give 3 values",
    ),
    (
        [linear(3)],
        make_schema((3,), "float32"),
        {"kind": "BCEWithLogitsLoss", "pos_weight": [1, 2]},
        "/objective/loss/pos_weight",
        "one value, or 3",
    ),
    (
        [linear(3)],
        make_schema((3,), "float32"),
        {"kind": "CrossEntropyLoss", "ignore_index": 1},
        "/objective/loss/ignore_index",
        "remove",
    ),
]


@pytest.mark.parametrize(("layers", "schema", "loss", "pointer", "hint"), MISTAKES)
def test_objective(layers: Any, schema: DataSchema, loss: Any, pointer: str, hint: str) -> None:
    found = only(look(layers, schema, loss))
    assert found.pointer == pointer
    assert hint in found.hint


class TestAllAtOnce:
    def test_of_every_part(self) -> None:
        model = {
            "nodes": [
                {"id": "left", **linear(8, in_features=5), "inputs": ["x"]},
                {"id": "right", "kind": "Conv2d", "out_channels": 3, "kernel_size": 3, "inputs": ["x"]},
                {"id": "lost", "kind": "ReLU", "inputs": ["nowhere"]},
                {"id": "end", **linear(2), "inputs": ["x"]},
            ]
        }
        found = look(model, make_schema((3,), "float32"), "MSELoss", training={"checkpoint": {"monitor": "val/los"}})
        assert [problem.pointer for problem in found.problems] == [
            "/training/checkpoint/monitor",
            "/model/nodes/2/inputs/0",
            "/model/nodes/0/in_features",
            "/model/nodes/1",
            "/model/nodes/3/out_features",
        ]
        assert [node["id"] for node in found.report["nodes"]] == ["end"]

    def test_problems_of_form_come_alone(self) -> None:
        found = look([{"kind": "Lineal"}, linear(8, in_features=5)], make_schema((3,), "float32"), "MSELos")
        assert {"/model/layers/0/kind", "/objective/loss/kind"} <= {problem.pointer for problem in found.problems}
        assert not found.report

    @pytest.mark.parametrize(
        "model", [{}, {"layers": [linear(1)], "nodes": [linear(1)]}, {"nodes": [linear(2, id="a", inputs=["x"])] * 30}]
    )
    def test_what_has_no_meaning_is_not_drafted(self, model: Any) -> None:
        found = look(model, make_schema((3,), "float32"), "MSELoss")
        assert found.problems
        assert not found.report


class TestLimits:
    def test_nodes_are_counted_before_anything_is_parsed(self) -> None:
        found = only(look([None] * 1001, make_schema((), "float32")))
        assert found.code == "too_many_nodes"
        assert "1,001" in found.detail

    def test_parameters(self) -> None:
        found = look([linear(10**5), linear(10**4, id="wide"), linear(1)], make_schema((), "float32"), "MSELoss")
        problem = next(problem for problem in found.problems if problem.code == "too_many_parameters")
        assert problem.pointer == "/model/layers/1"
        assert "make wide smaller" in problem.hint

    def test_memory_of_a_large_batch(self) -> None:
        schema = make_schema((), "float32").model_copy(update={"rows": {"train": 10**6}})
        model = [linear(10**4), linear(1)]
        found = only(look(model, schema, "MSELoss", training={"batch_size": 10**6}))
        assert (found.pointer, found.code) == ("/training/batch_size", "too_much_memory")
        fitting = int(found.hint.split()[3])
        assert not look(model, schema, "MSELoss", training={"batch_size": fitting}).problems
        assert look(model, schema, "MSELoss", training={"batch_size": fitting + 1}).problems

    def test_memory_of_weights(self) -> None:
        tight = InspectionLimits(100, 10**9, 1 << 24)
        found = only(inspect_job(make_job([linear(10**6), linear(1)], "MSELoss"), make_schema((), "float32"), tight))
        assert (found.pointer, found.code) == ("/model", "too_much_memory")

    def test_absurd_sizes_are_problems(self) -> None:
        found = look([linear(2**31 - 1)] * 3, make_schema((), "float32"), "MSELoss")
        assert {problem.code for problem in found.problems} >= {"too_many_parameters", "too_much_memory"}
