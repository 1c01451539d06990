"""Rows for people are JSON of bounded size; images are small pictures."""

import base64
import json
from io import BytesIO

import numpy as np
import torch
from PIL import Image

from tests.workers.data.schemas import series_column, stored_schema
from workers.data.images.thumbnails import thumbnail
from workers.data.preview import preview_rows


def picture(url: str) -> Image.Image:
    return Image.open(BytesIO(base64.b64decode(url.partition(",")[2])))


def test_rows_are_chosen_by_number() -> None:
    schema = stored_schema("y", x="number", t="text", when="datetime", s={"type": "series"}, y="category")
    split = {
        "x": torch.tensor([1.0, torch.nan, 3.0], dtype=torch.float64),
        "t": ["a", "b" * 300, None],
        "when": torch.tensor([0.0, 86_400.0, torch.nan], dtype=torch.float64),
        "s": series_column([1.0], [2.0, 3.0], list(range(100))),
        "y": ["u", "v", "w"],
    }
    second, third = preview_rows(split, schema, [1, 2])
    assert second == {"x": None, "t": "b" * 200, "when": "1970-01-02T00:00:00", "s": [2.0, 3.0], "y": "v"}
    assert (third["t"], third["when"], len(third["s"])) == (None, None, 64)
    json.dumps([second, third], allow_nan=False)


def test_images_of_bytes_are_pictures() -> None:
    images = torch.arange(2 * 3 * 20 * 30).remainder(251).to(torch.uint8).reshape(2, 3, 20, 30)
    (row,) = preview_rows({"image": images}, stored_schema("image", image={"shape": (3, 20, 30)}), [1])
    assert row["image"]["shape"] == [3, 20, 30]
    assert np.array_equal(np.asarray(picture(row["image"]["thumbnail"])).transpose(2, 0, 1), images[1].numpy())


def test_a_large_image_becomes_small_and_few_bytes() -> None:
    noise = torch.randint(0, 256, (3, 300, 500), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    url = thumbnail(noise)
    assert url.startswith("data:image/jpeg;base64,")
    assert max(picture(url).size) == 64
    assert len(url) < 8000


def test_the_peak_is_white() -> None:
    gray = torch.tensor([[[0, 8], [16, 4]]], dtype=torch.uint8)
    assert np.asarray(picture(thumbnail(gray, 16.0))).tolist() == [[0, 127], [255, 63]]
