"""Pictures to train on, in memory and in an archive."""

import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from app.spec.data.columns import Column, DataSchema
from app.spec.data.feature_schema import View, view
from app.spec.data.sources import UploadedData
from workers.data.columns import Split
from workers.data.features.preparation import Preparation
from workers.data.images.column import Images
from workers.data.images.decoding import Pictures
from workers.data.loading.tensors import Rows

CPU = torch.device("cpu")
ID = "ds_" + "0" * 32
LABEL = Column(name="label", dtype="int64", classes=3)


def pixels(count: int, *shape: int) -> torch.Tensor:
    """Return pictures of bytes."""
    return torch.randint(0, 256, (count, *shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(count))


def archive(path: Path, count: int = 22, unlike: bool = True, broken: int | None = None) -> Pictures:
    """Write an archive of pictures, and return them as they are read; one of them may be broken."""
    random = np.random.default_rng(count)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for row in range(count):
            size = (12 + row % 5, 10 + row % 3) if unlike else (12, 10)
            buffer = BytesIO()
            Image.fromarray(random.integers(0, 256, (*size, 3), np.uint8)).save(buffer, "PNG")
            content = buffer.getvalue()
            file.writestr(f"c{row % 3}/{row}.png", content[:40] if row == broken else content)
    return Pictures.of(path, zipfile.ZipFile(path).infolist(), 3)


def schema(image: Column, rows: int = 22) -> DataSchema:
    """Return a schema of pictures with labels."""
    return DataSchema(columns=(image, LABEL), rows={"train": rows}, inputs=("image",), target="label")


def stored(source: Pictures | torch.Tensor) -> Column:
    """Return how a source describes its pictures."""
    if isinstance(source, Pictures):
        return Column(name="image", type="image", shape=(3,), dtype="uint8", peak=255.0)
    peak = 255.0 if source.dtype == torch.uint8 else None
    return Column(name="image", shape=tuple(source.shape[1:]), dtype="float32", peak=peak)


def seen(described: DataSchema, **data: Any) -> View:
    """Return what a job sees of pictures."""
    source = UploadedData.model_validate({"kind": "dataset", "id": ID, **data})
    return view(source, described, [("/data/target", "label")])


def rows(source: Pictures | torch.Tensor, column: Column | None = None, **data: Any) -> Rows:
    """Return rows of pictures with labels, as a job sees them."""
    described = schema(column or stored(source), len(source))
    found = seen(described, **data)
    assert not found.problems
    split: Split = {"image": source, "label": torch.arange(len(source)) % 3}
    made = Preparation.fit(found, ("image", "label"), described, split).apply(split, ("image", "label"))
    return Rows({"image": made["image"]}, {"label": made["label"]})


def images(given: Rows) -> Images:
    """Return the column of pictures."""
    found = given.inputs["image"]
    assert isinstance(found, Images)
    return found
