"""Deepening, and growing what counts words and classes."""

from typing import Any

import pytest
import torch

from app.errors import InvalidInput
from tests.workers.surgery.widths.networks import (
    batch,
    built,
    job_of,
    largest_difference,
    mapped_network,
    revision_of,
    schema_of,
)
from tests.workers.surgery.widths.width_cases import CASES
from tests.workers.surgery.widths.width_graphs import POSITIONS, RESIDUAL, conv, linear, repeated
from workers.surgery.tensor_map import NEW

IMAGES = [conv(6, name="first"), "BatchNorm2d", {"kind": "ReLU", "id": "act"}, "Flatten", linear(3, "head")]
WORDS = [
    {"kind": "Embedding", "embedding_dim": 4, "id": "table"},
    {"kind": "GRU", "hidden_size": 5, "returns": "last"},
    linear(3, "head"),
]


@pytest.mark.parametrize(
    ("model", "inputs", "operation", "layers"),
    [
        (IMAGES, ("image",), {"after": "first"}, ["Conv2d", "ReLU", "Conv2d", "add"]),
        (IMAGES, ("image",), {"after": "act", "id": "extra"}, ["Conv2d", "ReLU", "Conv2d", "add"]),
        (IMAGES, ("image",), {"after": "first", "block": [conv(2), "ReLU", conv(6), "BatchNorm2d"]}, None),
        (WORDS, ("words",), {"after": "table"}, ["Linear", "ReLU", "Linear", "add"]),
        (CASES["linear"].model, ("vector",), {"after": "target"}, ["Linear", "ReLU", "Linear", "add"]),
        (CASES["conv1d"].model, ("signal",), {"after": "target"}, ["Conv1d", "ReLU", "Conv1d", "add"]),
        (CASES["conv3d"].model, ("volume",), {"after": "target"}, ["Conv3d", "ReLU", "Conv3d", "add"]),
        (RESIDUAL, ("image",), {"after": "first"}, ["Conv2d", "ReLU", "Conv2d", "add"]),
        (RESIDUAL, ("image",), {"after": "second.norm1"}, ["Conv2d", "ReLU", "Conv2d", "add"]),
        (repeated(), ("vector",), {"after": "loop.body.inner"}, ["Linear", "ReLU", "Linear", "add"]),
    ],
)
def test_a_block_computes_nothing_at_first_and_learns(
    model: Any, inputs: tuple[str, ...], operation: dict[str, Any], layers: list[str] | None
) -> None:
    torch.manual_seed(0)  # some draws leave no unit of a ReLU alive
    job, schema = job_of(model, inputs), schema_of(inputs)
    revision = revision_of(job, schema, {"op": "deepen", **operation})
    network = built(job, schema)
    deeper = mapped_network(network, revision.changes)
    assert largest_difference(network, deeper, inputs) == 0.0
    blocks = revision.document["model"]["blocks"]
    (name,) = blocks.keys() - (job["model"].get("blocks") or {}).keys()
    assert layers is None or [each["kind"] for each in blocks[name]["nodes"]] == layers
    (output,) = deeper(batch(inputs)).values()
    output.square().sum().backward()
    fresh = {name: source for name, source in revision.changes[0].tensors.items() if source.name is None}
    zero = [parameter for name, parameter in deeper.named_parameters() if name in fresh and fresh[name].fill == "zero"]
    assert zero
    assert all(parameter.grad is not None and parameter.grad.abs().max() > 0 for parameter in zero)


@pytest.mark.parametrize(
    ("model", "inputs", "operation", "pointer"),
    [
        (IMAGES, ("image",), {"after": "first", "block": [conv(6), "ReLU"]}, "/block/1"),
        (
            IMAGES,
            ("image",),
            {"after": "first", "block": [conv(6), {"kind": "BatchNorm2d", "affine": False}]},
            "/block/1",
        ),
        (IMAGES, ("image",), {"after": "first", "block": [conv(4)]}, "/block"),
        (IMAGES, ("image",), {"after": "missing"}, "/after"),
        ([{"kind": "Tanh", "id": "start"}, "Flatten", linear(3)], ("steps",), {"after": "start"}, "/after"),
    ],
)
def test_a_block_that_does_not_fit_is_refused(
    model: Any, inputs: tuple[str, ...], operation: dict[str, Any], pointer: str
) -> None:
    with pytest.raises(InvalidInput) as error:
        revision_of(job_of(model, inputs), schema_of(inputs), {"op": "deepen", **operation})
    assert error.value.pointer == f"/operations/0{pointer}"
    assert error.value.hint


def test_two_blocks_have_names_of_their_own() -> None:
    job, schema = job_of(IMAGES, ("image",)), schema_of(("image",))
    revision = revision_of(job, schema, {"op": "deepen", "after": "first"}, {"op": "deepen", "after": "first"})
    assert [layer.get("id") for layer in revision.document["model"]["layers"]][:3] == ["first", "deeper2", "deeper1"]
    network = built(job, schema)
    assert largest_difference(network, mapped_network(network, revision.changes), ("image",)) == 0.0


@pytest.mark.parametrize("init", ["default", "mean", "zero"])
@pytest.mark.parametrize("model", [WORDS, POSITIONS])
def test_a_vocabulary_grows_by_rows(model: Any, init: str) -> None:
    job, schema = job_of(model, ("words",)), schema_of(("words",))
    name = "table" if model is WORDS else "target"
    revision = revision_of(job, schema, {"op": "grow_vocabulary", "node": name, "to": 12, "init": init})
    source = revision.changes[0].tensors[f"{name}.weight"]
    assert source.fill == init
    assert [axis.indices for axis in source.axes] == [(*range(9), NEW, NEW, NEW)]
    assert [warning.code for warning in revision.warnings] == ["unused_rows"]
    network = built(job, schema)
    assert largest_difference(network, mapped_network(network, revision.changes), ("words",)) == 0.0


@pytest.mark.parametrize(
    ("model", "inputs", "node"),
    [
        (IMAGES, ("image",), "head"),
        ([*IMAGES, "LogSoftmax"], ("image",), "head"),
        (
            [conv(4), conv(3, 1, name="head"), {"kind": "AdaptiveAvgPool2d", "output_size": 1}, "Flatten"],
            ("image",),
            "head",
        ),
        ([{"kind": "squeezenet1_1", "num_classes": 3, "id": "head"}], ("image",), "head"),
    ],
)
def test_classes_grow_by_outputs(model: Any, inputs: tuple[str, ...], node: str) -> None:
    job, schema = job_of(model, inputs), schema_of(inputs)
    if "squeezenet" in str(model):
        schema = schema.model_copy(
            update={"columns": (schema.columns[0].model_copy(update={"shape": (3, 32, 32)}), *schema.columns[1:])}
        )
    revision = revision_of(job, schema, {"op": "grow_classes", "node": node, "to": 5})
    before = built(job, schema).state_dict()
    (change,) = revision.changes
    grown = {name for name, source in change.tensors.items() if source.axes}
    assert {before[name].shape[0] for name in grown} == {3}
    assert all([axis.indices for axis in change.tensors[name].axes] == [(0, 1, 2, NEW, NEW)] for name in grown)
    if model is IMAGES:
        network = built(job, schema)
        wider = mapped_network(network, revision.changes)
        assert largest_difference(network, wider, inputs) <= 1e-6
        assert wider(batch(inputs))["output"].shape[1] == 5


@pytest.mark.parametrize(
    ("operation", "pointer", "hint"),
    [
        ({"op": "grow_classes", "node": "first", "to": 8}, "/node", 'use "op": "widen", or name the last layer'),
        ({"op": "grow_classes", "node": "head", "to": 3}, "/to", "use at least 4"),
        ({"op": "grow_vocabulary", "node": "head", "to": 8}, "/node", "name a node of kind Embedding or EmbeddingBag"),
    ],
)
def test_what_does_not_grow_is_refused(operation: dict[str, Any], pointer: str, hint: str) -> None:
    with pytest.raises(InvalidInput) as error:
        revision_of(job_of(IMAGES, ("image",)), schema_of(("image",)), operation)
    assert (error.value.pointer, error.value.hint) == (f"/operations/0{pointer}", hint)


def test_new_classes_get_the_mean_of_the_others() -> None:
    job, schema = job_of(IMAGES, ("image",)), schema_of(("image",))
    revision = revision_of(job, schema, {"op": "grow_classes", "node": "head", "to": 4, "init": "mean"})
    network = built(job, schema)
    weight = mapped_network(network, revision.changes).state_dict()["head.weight"]
    torch.testing.assert_close(weight[3], weight[:3].mean(0))


def test_a_backbone_whose_outputs_are_read_has_no_classes() -> None:
    model = [{"kind": "resnet18", "id": "net", "num_classes": 5}, "ReLU", linear(3, "head")]
    with pytest.raises(InvalidInput) as error:
        revision_of(job_of(model, ("image",)), schema_of(("image",)), {"op": "grow_classes", "node": "net", "to": 8})
    (problem,) = error.value.problems
    assert (problem.code, problem.pointer) == ("no_classes", "/operations/0/node")
    assert "head.weight reads them" in problem.detail
