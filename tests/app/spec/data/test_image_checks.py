"""What is said of a job's images before any is read: their shapes, and what does not go together."""

from typing import Any

import pytest

from app.spec.data.columns import Column, DataSchema
from app.spec.data.images.shapes import infer_image_shape
from app.spec.data.images.transforms import COLOR_TRANSFORMS, DETERMINISTIC_TRANSFORMS, TRANSFORMS
from app.spec.data.images.transforms import TRANSFORM_CLASSES as CLASSES
from app.spec.job import parse_job, resolve_job_features
from app.spec.job_checks import check_job

IMAGE = Column(name="image", shape=(3, 20, 30), peak=255.0)
FILES = Column(name="image", type="image", shape=(3,), dtype="uint8", peak=255.0)
FLIP, MIX = {"kind": "RandomHorizontalFlip"}, {"kind": "MixUp"}
NORMALIZE = {"kind": "Normalize", "mean": [0.5], "std": [0.5]}
RESIZE = {"kind": "Resize", "size": [8, 9]}


def schema(*images: Column) -> DataSchema:
    label = Column(name="label", dtype="int64", classes=3)
    return DataSchema(
        columns=(*images, label), rows={"train": 9}, inputs=tuple(image.name for image in images), target="label"
    )


def job(loss: Any = "CrossEntropyLoss", **data: Any) -> Any:
    return parse_job(
        {
            "model": {"layers": [{"kind": "Flatten"}, {"kind": "Linear", "out_features": 3}]},
            "data": {"kind": "dataset", "id": "ds_" + "0" * 32, **data},
            "objective": {"loss": loss if isinstance(loss, dict) else {"kind": loss}},
        }
    )


def job_problems(stored: DataSchema, loss: Any = "CrossEntropyLoss", **data: Any) -> list[tuple[str, str]]:
    return [(problem.pointer, problem.code) for problem in check_job(job(loss, **data), stored, 100)]


def shape(stored: DataSchema, name: str = "image", **data: Any) -> tuple[int, ...] | None:
    column = resolve_job_features(job(**data), stored).schema.column(name)
    return column.shape if column is not None else None


@pytest.mark.parametrize(
    ("kind", "settings", "after"),
    [
        ("Resize", {"size": 10}, (3, 10, 15)),
        ("Resize", {"size": [7, 8]}, (3, 7, 8)),
        ("Resize", {"size": 10, "max_size": 12}, (3, 8, 12)),
        ("Resize", {"max_size": 15}, (3, 10, 15)),
        ("CenterCrop", {"size": 40}, (3, 40, 40)),
        ("Pad", {"padding": [1, 2]}, (3, 24, 32)),
        ("Pad", {"padding": [1, 2, 3, 4]}, (3, 26, 34)),
        ("RandomCrop", {"size": [24, 9], "padding": 2}, (3, 24, 9)),
        ("RandomCrop", {"size": 99, "pad_if_needed": True}, (3, 99, 99)),
        ("Grayscale", {}, (1, 20, 30)),
        ("RGB", {}, (3, 20, 30)),
        ("RandomResizedCrop", {"size": 9}, (3, 9, 9)),
        ("RandomZoomOut", {}, (3, None, None)),
        ("RandomRotation", {"degrees": 3}, (3, 20, 30)),
        ("RandomRotation", {"degrees": 3, "expand": True}, (3, None, None)),
    ],
)
def test_shapes(kind: str, settings: Any, after: Any) -> None:
    assert infer_image_shape([CLASSES[kind].model_validate({"kind": kind, **settings})], (3, 20, 30), "") == (after, [])


def test_the_kinds_that_are_told_apart_exist() -> None:
    assert TRANSFORMS.keys() >= DETERMINISTIC_TRANSFORMS | COLOR_TRANSFORMS


def test_a_network_sees_what_transforms_make() -> None:
    assert shape(schema(IMAGE)) == (3, 20, 30)
    assert shape(schema(IMAGE), transforms=[RESIZE, FLIP, {"kind": "Grayscale"}]) == (1, 8, 9)
    assert shape(schema(FILES), transforms=[{"kind": "Resize", "size": 9}, {"kind": "CenterCrop", "size": 9}]) == (
        3,
        9,
        9,
    )
    crop = {"kind": "RandomResizedCrop", "size": 8}
    assert shape(schema(FILES), transforms=[crop], evaluation_transforms=[{"kind": "CenterCrop", "size": 8}]) == (
        3,
        8,
        8,
    )


def test_a_feature_has_transforms_of_its_own() -> None:
    stored = schema(IMAGE, IMAGE.model_copy(update={"name": "other"}), IMAGE.model_copy(update={"name": "plain"}))
    features = {
        "image": {"kind": "image", "column": "image", "transforms": [RESIZE]},
        "plain": {"kind": "tensor", "column": "plain"},
    }
    result = resolve_job_features(job(features=features, transforms=[{"kind": "Pad", "padding": 1}]), stored)
    assert [result.schema.column(name).shape for name in ("image", "other", "plain")] == [  # type: ignore[union-attr]
        (3, 8, 9),
        (3, 22, 32),
        (3, 20, 30),
    ]


@pytest.mark.parametrize(
    ("data", "problems"),
    [
        ({"transforms": [FLIP, NORMALIZE, MIX]}, []),
        ({"transforms": [MIX, FLIP]}, [("/data/transforms/0", "wrong_order")]),
        ({"transforms": [NORMALIZE, {"kind": "RandomInvert"}]}, [("/data/transforms/1", "wrong_order")]),
        ({"transforms": [{"kind": "RandomCrop", "size": 31}]}, [("/data/transforms/0", "shape_mismatch")]),
        (
            {"transforms": [{"kind": "RandomResizedCrop", "size": 9}]},
            [("/data/evaluation_transforms", "shape_mismatch")],
        ),
        ({"evaluation_transforms": [FLIP]}, [("/data/evaluation_transforms/0", "contradiction")]),
        ({"transforms": [{"kind": "RandomZoomOut"}]}, [("/data/transforms", "unlike_sizes")]),
        ({"transforms": [{"kind": "Resize"}]}, [("/data/transforms/0", "shape_mismatch")]),
        ({"transforms": [{**NORMALIZE, "mean": [1, 2]}]}, [("/data/transforms/0/mean", "shape_mismatch")]),
        ({"transforms": [FLIP], "scale": "standard"}, [("/data/scale", "contradiction")]),
        (
            {"transforms": [{"kind": "RandAugment", "magnitude": 31}]},
            [("/data/transforms/0/magnitude", "out_of_range")],
        ),
        (
            {
                "features": {
                    "image": {
                        "kind": "image",
                        "column": "image",
                        "transforms": [{"kind": "Pad", "padding": 1}],
                        "evaluation_transforms": [],
                    }
                }
            },
            [("/data/features/image/evaluation_transforms", "shape_mismatch")],
        ),
    ],
)
def test_what_does_not_go_together(data: Any, problems: Any) -> None:
    assert job_problems(schema(IMAGE), **data) == problems


def test_images_of_unlike_sizes_must_be_brought_to_one() -> None:
    assert (
        job_problems(schema(FILES))
        == job_problems(schema(FILES), transforms=[FLIP])
        == [("/data/transforms", "unlike_sizes")]
    )
    assert job_problems(schema(FILES), transforms=[RESIZE, FLIP], loading="resident") == []
    crops = {
        "transforms": [{"kind": "RandomCrop", "size": 4}],
        "evaluation_transforms": [{"kind": "CenterCrop", "size": 4}],
    }
    assert job_problems(schema(FILES), **crops) == []
    assert job_problems(schema(FILES), loading="resident", **crops) == [("/data/loading", "unlike_sizes")]


def test_data_without_images_has_nothing_to_transform() -> None:
    table = schema(Column(name="image", shape=(4,)))
    assert job_problems(table, transforms=[FLIP]) == [("/data/transforms", "no_pictures")]
    assert job_problems(table, loading="streamed") == [("/data/loading", "no_pictures")]


def test_channels_that_colours_cannot_be_made_of() -> None:
    four = IMAGE.model_copy(update={"shape": (4, 20, 30)})
    assert job_problems(schema(four), transforms=[{"kind": "ColorJitter", "hue": 0.1}]) == [
        ("/data/transforms/0", "shape_mismatch")
    ]


@pytest.mark.parametrize(
    ("loss", "place"),
    [("NLLLoss", "/objective/loss"), ({"kind": "CrossEntropyLoss", "ignore_index": 2}, "/objective/loss/ignore_index")],
)
def test_mixed_labels_are_for_cross_entropy(loss: Any, place: str) -> None:
    assert job_problems(schema(IMAGE), loss, transforms=[MIX]) == [(place, "contradiction")]
    assert job_problems(schema(IMAGE), loss) == []


def test_mixed_labels_are_classes() -> None:
    stored = schema(IMAGE, Column(name="target", shape=(3,)))
    assert ("/data/transforms", "contradiction") in job_problems(stored, transforms=[MIX], target="target")


def test_images_of_several_sizes_are_not_mixed_alike() -> None:
    stored = schema(IMAGE, IMAGE.model_copy(update={"name": "other", "shape": (3, 9, 9)}))
    assert job_problems(stored, transforms=[MIX], inputs=["image"]) == [("/data/transforms", "contradiction")]
