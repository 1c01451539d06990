"""Random image transforms: the same training wherever images are decoded, with and without interruptions."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.errors import DataError
from app.spec.data.columns import DataSchema
from app.spec.data.sources import UploadSource
from app.spec.data.torchvision_datasets import TORCHVISION_SCHEMAS
from tests.full import choose
from tests.workers.data.images.image_data import ID, write_image_archive
from tests.workers.data.torchvision_datasets.synthetic import WRITERS, write_mnist
from tests.workers.training.harness import TrainingHarness, digits_job, rows_of
from tests.workers.training.test_resume import assert_same
from workers.data.files.content import Upload
from workers.data.formats.catalog import read_upload
from workers.data.loading.batches import InMemoryBatches
from workers.data.loading.streaming import StreamedBatches, StreamedExamples
from workers.protocol.assignment import DatasetRef
from workers.protocol.messages import Ending

EXAMPLES = Path(__file__).parents[3] / "examples"
AUGMENTATIONS = [
    {"kind": "RandomCrop", "size": 8, "padding": 1},
    {"kind": "RandomRotation", "degrees": 15},
    {"kind": "Normalize", "mean": [0.3], "std": [0.4]},
    {"kind": "RandomErasing"},
]
POLICY = [{"kind": "Pad", "padding": 1}, {"kind": "RandAugment"}, {"kind": "RandomResizedCrop", "size": 8}]
MIXED = [*AUGMENTATIONS, {"kind": "MixUp"}, {"kind": "CutMix"}]


def image_job(transforms: list[Any], **data: Any) -> dict[str, Any]:
    """Return a job on digits that are changed; its network draws random numbers of its own."""
    spec = digits_job(training={"accumulate": 2, "steps": 7})
    return spec | {"data": {**spec["data"], "transforms": transforms, **data}}


TRANSFORMS = {"plain": AUGMENTATIONS, "policy": POLICY, "mixed": MIXED}
TRAININGS = [f"{name} {loading}" for name in TRANSFORMS for loading in ("resident", "streamed")]


@pytest.mark.parametrize(
    "training", choose(TRAININGS, "plain resident", "policy resident", "mixed resident", "mixed streamed")
)
def test_it_goes_on_bit_by_bit_in_the_middle_of_an_epoch(laboratory: TrainingHarness, training: str) -> None:
    name, loading = training.split()
    transforms = TRANSFORMS[name]
    data = {"evaluation_transforms": []} if transforms is POLICY else {}
    attempt = assert_same(laboratory, image_job(transforms, loading=loading, **data), 2, 3, loaders=2)
    aside = loading == "streamed"
    assert isinstance(attempt.prepared.state.source, StreamedBatches if aside else InMemoryBatches)
    assert isinstance(rows_of(attempt.prepared).validation, StreamedExamples) is aside
    other = laboratory.run(image_job(transforms, loading="auto", **data), loaders=1)
    assert other.weights() == attempt.weights()
    assert laboratory.run(image_job([], **data)).weights() != attempt.weights()


def test_a_network_learns_from_mixed_pictures(laboratory: TrainingHarness) -> None:
    spec = image_job([{"kind": "MixUp", "alpha": 0.2}])
    spec["training"] |= {"accumulate": 1, "steps": 120, "optimizer": {"kind": "Adam", "lr": 0.01}}
    attempt = laboratory.run(spec)
    assert attempt.outcome.ending is Ending.SUCCEEDED
    assert attempt.points("val/accuracy")[-1][1] > 0.85


def test_an_autoencoder_learns_changed_pictures(laboratory: TrainingHarness) -> None:
    layers = [{"kind": "Conv2d", "out_channels": 1, "kernel_size": 3, "padding": 1}]
    spec = digits_job(layers, objective={"loss": {"kind": "MSELoss"}}, training={"steps": 3})
    spec["data"] |= {"target": "image", "transforms": AUGMENTATIONS[:1]}
    assert laboratory.run(spec).outcome.ending is Ending.SUCCEEDED


COLOURS = [{"kind": "Resize", "size": [9, 9]}, {"kind": "RandomCrop", "size": 8}, {"kind": "ColorJitter", "hue": 0.2}]
CROPS = {"transforms": COLOURS, "evaluation_transforms": [{"kind": "Resize", "size": [8, 8]}]}
SMALL = [
    {"kind": "Conv2d", "out_channels": 2, "kernel_size": 3},
    {"kind": "Flatten"},
    {"kind": "Dropout", "p": 0.2},
    {"kind": "Linear", "out_features": 10},
]
FILES = {"kind": "torchvision", "name": "EuroSAT", "validation": {"fraction": 0.3}, **CROPS}


def upload_images(laboratory: TrainingHarness, broken: int | None = None) -> tuple[DatasetRef, DataSchema]:
    """Store an archive of pictures of unlike sizes; return how it is registered, and its schema."""
    path = laboratory.folder / "pictures.zip"
    write_image_archive(path)
    schema = read_upload(Upload(path, UploadSource(kind="upload"))).schema()
    write_image_archive(path, broken=broken)
    return DatasetRef({"kind": "upload"}, laboratory.store.put_file("pictures.zip", path).key), schema


@pytest.mark.parametrize("limit", [0, 1 << 20])
def test_an_uploaded_archive_is_streamed_where_it_does_not_fit(laboratory: TrainingHarness, limit: int) -> None:
    registered, schema = upload_images(laboratory)
    data = {"kind": "dataset", "id": ID, "validation": {"fraction": 0.3}, **CROPS}
    spec = digits_job(SMALL, data=data, training={"batch_size": 4, "steps": 9})
    options: dict[str, Any] = {"dataset": registered, "schema": schema, "loaders": 2}
    attempt = assert_same(laboratory, spec, 3, 4, **options, resident_limit=limit)
    assert isinstance(attempt.prepared.state.source, InMemoryBatches if limit else StreamedBatches)
    other = laboratory.run(spec, **options | {"loaders": 0}, resident_limit=(1 << 20) - limit)
    assert other.weights() == attempt.weights()


@pytest.mark.parametrize("loaders", [0, 2])
def test_a_picture_that_is_spoilt_later_ends_the_job_with_its_name(laboratory: TrainingHarness, loaders: int) -> None:
    registered, schema = upload_images(laboratory, broken=13)
    spec = digits_job(SMALL, data={"kind": "dataset", "id": ID, "loading": "streamed", **CROPS})
    with pytest.raises(DataError, match=r'"c1/13\.png", cannot be decoded'):
        laboratory.run(spec, dataset=registered, schema=schema, loaders=loaders)


@pytest.mark.parametrize("limit", [0, 1 << 20])
def test_a_data_set_of_files_is_trained_on(
    laboratory: TrainingHarness, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    WRITERS["EuroSAT"](laboratory.folder)
    monkeypatch.setitem(
        TORCHVISION_SCHEMAS, "EuroSAT", TORCHVISION_SCHEMAS["EuroSAT"].model_copy(update={"rows": {"train": 12}})
    )
    spec = digits_job(SMALL, data=FILES, training={"batch_size": 4, "steps": 6})
    assert laboratory.run(spec, loaders=1, resident_limit=limit).outcome.ending is Ending.SUCCEEDED


def test_the_example_on_streamed_pictures_goes_on_bit_by_bit(
    laboratory: TrainingHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = {"train": 40, "test": 20}
    monkeypatch.setitem(
        TORCHVISION_SCHEMAS, "FashionMNIST", TORCHVISION_SCHEMAS["FashionMNIST"].model_copy(update={"rows": rows})
    )
    write_mnist(laboratory.folder, "FashionMNIST", rows=(40, 20))
    spec = json.loads((EXAMPLES / "real" / "fashion-resnet18.json").read_text())
    plan = {"steps": 4, "batch_size": 4, "device": "cpu", "checkpoint": {"every_seconds": None, "keep_best": 0}}
    spec["training"] = {key: value for key, value in spec["training"].items() if key != "epochs"} | plan
    spec["data"]["validation"] = {"split": "test"}
    attempt = assert_same(laboratory, spec, 2, loaders=2)
    assert isinstance(attempt.prepared.state.source, StreamedBatches)
