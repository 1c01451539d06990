"""What is refused is what torch refuses: every job here is trained, too."""

from typing import Any

import pytest
import torch

from app.errors import TrainingError
from app.spec.data.columns import DataSchema
from app.spec.job import parse_job
from tests.workers.jobs import LIMITS, make_job, make_schema
from workers.children.inspect import inspect_job
from workers.network.runtime.build import build
from workers.protocol.child_requests import InspectResponse
from workers.torch_errors import translate_torch_errors

LINEAR = {"kind": "Linear", "out_features": 2}
NORM = {"kind": "BatchNorm1d"}
TO_IMAGE = {"kind": "reshape", "shape": [0, 1, 2, 2]}
CONV = {"kind": "Conv2d", "out_channels": 2, "kernel_size": 1}
TO_CHANNELS = {"kind": "unsqueeze", "dim": 2}
FLAT = {"kind": "Flatten"}
ROUTED = {
    "nodes": [
        {"id": "mean", "kind": "mean", "inputs": ["x"], "dim": 1},
        {"id": "positive", "kind": "gt", "scalar": 0.0, "inputs": ["mean"]},
        {
            "id": "route",
            "kind": "Route",
            "predicate": "positive",
            "inputs": ["x"],
            "cases": [{"layers": [LINEAR, {"id": "norm", **NORM}]}, {"layers": [LINEAR]}],
        },
    ]
}
CHOSEN = {
    "nodes": [
        {"id": "mean", "kind": "mean", "inputs": ["x"]},
        {"id": "positive", "kind": "gt", "scalar": 0.0, "inputs": ["mean"]},
        {
            "id": "choice",
            "kind": "If",
            "predicate": "positive",
            "inputs": ["x"],
            "then": {"layers": [LINEAR, {"id": "norm", **NORM}]},
            "else": {"layers": [LINEAR]},
        },
    ]
}


def look(model: Any, rows: int = 65, **training: Any) -> tuple[dict[str, Any], DataSchema, InspectResponse]:
    schema = make_schema((), "int64", 2).model_copy(update={"rows": {"train": rows}})
    job = make_job(model, training={"batch_size": 64} | training)
    return job, schema, inspect_job(job, schema, LIMITS)


def forward(job: dict[str, Any], schema: DataSchema, sizes: list[int]) -> None:
    """Run the network in training mode on batches of these sizes."""
    network = build(parse_job(job).model, schema, schema.inputs)
    for size in sizes:
        network({"x": torch.randn(size, 4)})


REFUSED: list[tuple[Any, dict[str, Any], str, str]] = [
    ([LINEAR, NORM], {}, "/training/batch_size", 'set "drop_last": true, or "batch_size": 63'),
    ([LINEAR, NORM], {"batch_size": 8}, "/training/batch_size", 'set "drop_last": true, or "batch_size": 7'),
    ([LINEAR, NORM], {"batch_size": 1}, "/training/batch_size", 'set "batch_size": 3'),
    ([LINEAR, NORM], {"rows": 1}, "/model/layers/1", "use LayerNorm, which normalises every example by itself"),
    ([TO_CHANNELS, NORM, FLAT, LINEAR], {}, "/training/batch_size", 'set "drop_last": true, or "batch_size": 63'),
    (
        [{"kind": "Repeat", "times": 2, "body": {"layers": [{"kind": "BatchNorm1d"}]}}, LINEAR],
        {},
        "/training/batch_size",
        'set "drop_last": true, or "batch_size": 63',
    ),
]


@pytest.mark.parametrize(("model", "settings", "pointer", "hint"), REFUSED)
def test_a_batch_of_one_is_told_with_what_to_change(
    model: Any, settings: dict[str, Any], pointer: str, hint: str
) -> None:
    job, schema, found = look(model, **settings)
    (problem,) = found.problems
    assert (problem.pointer, problem.code, problem.hint) == (pointer, "batch_of_one", hint)
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        forward(job, schema, [1])


@pytest.mark.parametrize(
    "settings", [{"drop_last": True}, {"batch_size": 63}, {"rows": 64}, {"rows": 66}, {"rows": 63}, {"batch_size": 65}]
)
def test_the_hints_are_accepted(settings: dict[str, Any]) -> None:
    found = look([LINEAR, NORM], **settings)[2]
    assert (found.problems, found.warnings) == ((), ())


@pytest.mark.parametrize(
    "model",
    [
        [LINEAR],
        [LINEAR, {"kind": "LayerNorm"}],
        [TO_IMAGE, CONV, {"kind": "BatchNorm2d"}, FLAT, LINEAR],
        [TO_IMAGE, CONV, {"kind": "InstanceNorm2d"}, FLAT, LINEAR],
        [{"kind": "Linear", "out_features": 4}, {"kind": "GroupNorm", "num_groups": 2}, LINEAR],
    ],
)
def test_more_than_one_value_per_channel_is_fine(model: Any) -> None:
    job, schema, found = look(model)
    assert (found.problems, found.warnings) == ((), ())
    forward(job, schema, [64, 1])


def test_a_held_out_fraction_leaves_a_batch_of_one() -> None:
    """81 rows, of which 16 are held out."""
    schema = make_schema((), "int64", 2).model_copy(update={"rows": {"train": 81}})
    data = {"kind": "builtin", "name": "digits", "validation": {"fraction": 0.2}}
    (problem,) = inspect_job(make_job([LINEAR, NORM], data=data), schema, LIMITS).problems
    assert "of 65 rows in batches of 64, the last batch holds one" in problem.detail


@pytest.mark.parametrize("drop_last", [False, True])
def test_rows_that_only_the_data_tell_are_warned_of(drop_last: bool) -> None:
    schema = make_schema((), "int64", 2)
    data = {"kind": "builtin", "name": "digits", "validation": {"fraction": 0.2, "group": "y"}}
    found = inspect_job(make_job([LINEAR, NORM], data=data, training={"drop_last": drop_last}), schema, LIMITS)
    assert found.problems == ()
    told = [each.pointer for each in found.warnings if each.code == "batch_of_one"]
    assert told == ([] if drop_last else ["/training/drop_last"])


def test_a_backbone_on_small_images_meets_one_value_per_channel() -> None:
    """ResNet divides the sides by 32."""
    backbone = [{"kind": "resnet18", "in_channels": 1, "num_classes": 2}]
    for side, refused in ((32, True), (64, False)):
        schema = make_schema((), "int64", 2, x=(1, side, side)).model_copy(update={"rows": {"train": 65}})
        found = inspect_job(make_job(backbone), schema, LIMITS)
        assert [problem.code for problem in found.problems] == ["batch_of_one"] * refused


def test_rows_that_a_node_selects_are_warned_of_and_named_when_they_fail() -> None:
    job, schema, found = look(ROUTED, rows=64)
    assert found.problems == ()
    (warning,) = found.warnings
    assert (warning.pointer, warning.code) == ("/model/nodes/2/cases/0/layers/1", "batch_of_one")
    assert "that route passes on" in warning.detail
    with pytest.raises(TrainingError) as caught, translate_torch_errors():
        build(parse_job(job).model, schema, schema.inputs)({"x": torch.tensor([[-1.0] * 4, [1.0] * 4])})
    assert caught.value.pointer == "/model/nodes/2/cases/0/layers/1"
    assert caught.value.detail.startswith("norm (BatchNorm1d) cannot normalise a single example: ")
    assert "LayerNorm" in caught.value.hint


def test_a_branch_that_may_not_run_is_warned_of() -> None:
    """The whole batch comes to one of the branches, and which one depends on the data."""
    job, schema, found = look(CHOSEN)
    assert found.problems == ()
    assert [(each.pointer, each.code) for each in found.warnings] == [("/training/batch_size", "batch_of_one")]
    forward(job, schema, [64])
    with pytest.raises(TrainingError) as caught, translate_torch_errors():
        build(parse_job(job).model, schema, schema.inputs)({"x": torch.ones(1, 4)})
    assert caught.value.pointer == "/model/nodes/2/then/layers/1"


def test_statistics_that_are_not_kept_are_warned_of() -> None:
    job, schema, found = look([LINEAR, NORM | {"track_running_stats": False}], rows=64)
    assert [(each.pointer, each.code) for each in found.warnings] == [("/model/layers/1", "batch_statistics")]
    network = build(parse_job(job).model, schema, schema.inputs).eval()
    with pytest.raises(TrainingError) as caught, translate_torch_errors():
        network({"x": torch.randn(1, 4)})
    assert (caught.value.pointer, "track_running_stats" in caught.value.hint) == ("/model/layers/1", True)


def test_groups_of_a_single_value_are_refused() -> None:
    """Torch refuses them in a batch of one, and else gives a constant."""
    job, schema, found = look([LINEAR, {"kind": "GroupNorm", "num_groups": 2}])
    (problem,) = found.problems
    assert (problem.pointer, problem.code) == ("/model/layers/1/num_groups", "nothing_to_normalize")
    outputs = build(parse_job(job).model, schema, schema.inputs)({"x": torch.randn(64, 4)})["output"]
    assert outputs.abs().max() < 1e-3  # rounding
    assert not look([LINEAR, {"kind": "GroupNorm", "num_groups": 1}])[2].problems


def test_a_single_row_whatever_the_batch_is_refused() -> None:
    nodes = [
        {"id": "mean", "kind": "mean", "inputs": ["x"], "dim": 0, "keepdim": True},
        {"id": "norm", **NORM, "inputs": ["mean"]},
        {"id": "sum", "kind": "add", "inputs": ["x", "norm"]},
        {"id": "out", **LINEAR, "inputs": ["sum"]},
    ]
    job, schema, found = look({"nodes": nodes}, rows=64)
    assert [(each.pointer, each.code) for each in found.problems] == [("/model/nodes/1", "batch_of_one")]
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        forward(job, schema, [64])
