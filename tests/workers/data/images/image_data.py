"""Images to train on, in memory and in an archive."""

import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from app.spec.data.columns import Column, DataSchema
from app.spec.data.feature_schema import ResolvedFeatures, TargetRequest, resolve_features
from app.spec.data.sources import UploadedData
from workers.data.columns import SplitColumns
from workers.data.features.preparation import Preparation
from workers.data.images.column import ImageColumn
from workers.data.images.decoding import ZipImages
from workers.data.loading.examples import ExampleSet

CPU = torch.device("cpu")
ID = "ds_" + "0" * 32
LABEL = Column(name="label", dtype="int64", classes=3)


def random_pixels(count: int, *shape: int) -> torch.Tensor:
    """Return images of bytes."""
    return torch.randint(0, 256, (count, *shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(count))


def write_image_archive(path: Path, count: int = 22, unlike: bool = True, broken: int | None = None) -> ZipImages:
    """Write an archive of images, and return them as they are read; one of them may be broken."""
    random = np.random.default_rng(count)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for row in range(count):
            size = (12 + row % 5, 10 + row % 3) if unlike else (12, 10)
            buffer = BytesIO()
            Image.fromarray(random.integers(0, 256, (*size, 3), np.uint8)).save(buffer, "PNG")
            content = buffer.getvalue()
            file.writestr(f"c{row % 3}/{row}.png", content[:40] if row == broken else content)
    return ZipImages.from_members(path, zipfile.ZipFile(path).infolist(), 3)


def image_dataset_schema(image: Column, rows: int = 22) -> DataSchema:
    """Return a schema of images with labels."""
    return DataSchema(columns=(image, LABEL), rows={"train": rows}, inputs=("image",), target="label")


def image_column_schema(source: ZipImages | torch.Tensor) -> Column:
    """Return how a source describes its images."""
    if isinstance(source, ZipImages):
        return Column(name="image", type="image", shape=(3,), dtype="uint8", peak=255.0)
    peak = 255.0 if source.dtype == torch.uint8 else None
    return Column(name="image", shape=tuple(source.shape[1:]), dtype="float32", peak=peak)


def image_view(described: DataSchema, **data: Any) -> ResolvedFeatures:
    """Return what a job sees of images."""
    source = UploadedData.model_validate({"kind": "dataset", "id": ID, **data})
    return resolve_features(source, described, [TargetRequest("/data/target", "label")])


def image_examples(source: ZipImages | torch.Tensor, column: Column | None = None, **data: Any) -> ExampleSet:
    """Return rows of images with labels, as a job sees them."""
    described = image_dataset_schema(column or image_column_schema(source), len(source))
    result = image_view(described, **data)
    assert not result.problems
    split: SplitColumns = {"image": source, "label": torch.arange(len(source)) % 3}
    made = Preparation.fit(result, ("image", "label"), described, split).transform(split, ("image", "label"))
    return ExampleSet({"image": made["image"]}, {"label": made["label"]})


def image_column(given: ExampleSet) -> ImageColumn:
    """Return the column of images."""
    result = given.inputs["image"]
    assert isinstance(result, ImageColumn)
    return result
