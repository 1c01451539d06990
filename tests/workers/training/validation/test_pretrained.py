"""Trained weights of torchvision are looked at before a job begins: by their names and transforms, without a file."""

from typing import Any

import pytest

from app.errors import InvalidInput
from app.spec.data.sources import DATASET_SCHEMAS
from app.spec.edits.edit import Edit
from workers.children.inspect import inspect_job
from workers.protocol.child_requests import InspectionLimits
from workers.surgery.revise import revise

LIMITS = InspectionLimits(100, 10**9, 1 << 40)
IMAGENET = {"kind": "Normalize", "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
RGB = [{"kind": "Resize", "size": [32, 32]}, {"kind": "RGB"}]


def job(node: dict[str, Any], *transforms: dict[str, Any]) -> dict[str, Any]:
    return {
        "model": {"layers": [{"id": "net", "weights": "IMAGENET1K_V1", "num_classes": 10, **node}]},
        "data": {"kind": "torchvision", "name": "CIFAR10", "transforms": list(transforms)},
        "objective": {"loss": "CrossEntropyLoss"},
    }


def warnings_of(document: dict[str, Any]) -> dict[str, str]:
    response = inspect_job(document, None, LIMITS)
    assert response.problems == ()
    found = [each for each in response.warnings if each.pointer == "/model/layers/0/weights"]
    return {each.code: f"{each.detail}; {each.hint}" for each in found}


@pytest.mark.parametrize(
    ("transforms", "words"),
    [
        ([IMAGENET], None),
        ([{**IMAGENET, "mean": [0.485, 0.456, 0.41]}], None),
        ([], "these are not normalised"),
        ([{**IMAGENET, "mean": [0.5]}], "normalised by [0.5]"),
        ([IMAGENET, {**IMAGENET, "std": [1.0]}], "and [1.0]"),
    ],
)
def test_images_are_to_be_normalised_as_those_of_the_weights(transforms: list[Any], words: str | None) -> None:
    found = warnings_of(job({"kind": "squeezenet1_1"}, *transforms))
    assert ("other_normalization" in found) == (words is not None)
    if words is not None:
        assert words in found["other_normalization"]
        assert '"mean": [0.485, 0.456, 0.406]' in found["other_normalization"]


def test_what_begins_anew_is_known_before() -> None:
    found = warnings_of(job({"kind": "resnet18"}, IMAGENET))
    assert found["begun_anew"].startswith("IMAGENET1K_V1 has other shapes: net.fc.weight, net.fc.bias begin anew")
    assert "begun_anew" not in warnings_of(job({"kind": "resnet18", "num_classes": 1000}, IMAGENET))
    grey = {"kind": "Grayscale"}
    assert "net.conv1.weight, net.fc.weight" in warnings_of(job({"kind": "resnet18"}, grey))["begun_anew"]
    size = {"kind": "Resize", "size": [64, 64]}
    found = warnings_of(job({"kind": "vit_b_32", "image_size": 64}, size, IMAGENET))
    assert "net.encoder.pos_embedding" in found["begun_anew"]


def test_networks_that_transform_their_input_say_so() -> None:
    size = {"kind": "Resize", "size": [96, 96]}
    assert "transform_input" in warnings_of(job({"kind": "googlenet"}, size, IMAGENET))["other_normalization"]
    asked = warnings_of(job({"kind": "googlenet", "transform_input": True}, size, IMAGENET))
    assert "other_normalization" not in asked


@pytest.mark.parametrize(("name", "words"), [("IMAGENET1K_V2", "IMAGENET1K_V1"), ("DEFAULT", "IMAGENET1K_V1")])
def test_a_name_that_is_none_is_refused(name: str, words: str) -> None:
    [problem] = inspect_job(job({"kind": "resnet18", "weights": name}), None, LIMITS).problems
    assert problem.pointer == "/model/layers/0/weights"
    assert words in problem.hint


def test_an_edit_adds_no_trained_weights() -> None:
    document = job({"kind": "Conv2d", "out_channels": 3, "kernel_size": 1})
    first = {"id": "first", "kind": "Conv2d", "out_channels": 3, "kernel_size": 1}
    document["model"]["layers"] = [first, {"kind": "squeezenet1_1", "id": "net", "num_classes": 10}]
    node = {"kind": "squeezenet1_1", "id": "net", "num_classes": 10, "weights": "IMAGENET1K_V1"}
    edit = Edit.model_validate({"operations": [{"op": "replace", "node": "net", "with": node}]})
    schema = DATASET_SCHEMAS["torchvision"]["CIFAR10"]
    with pytest.raises(InvalidInput) as caught:
        revise(document, schema, edit.operations)
    [problem] = caught.value.problems
    assert (problem.code, problem.pointer) == ("unsupported", "/operations/0/with/weights")
