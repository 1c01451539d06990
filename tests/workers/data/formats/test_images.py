import base64
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from app.spec.data.sources import UploadSource
from tests.workers.data.formats.uploads import (
    column,
    content,
    describe_upload,
    make_upload,
    problem_codes,
    problem_text,
    schema,
    train,
    upload_problems,
    write_zip,
)
from tests.workers.data.images.test_decoding import decompression_bomb
from workers.data.files.content import Upload
from workers.data.formats.catalog import read_upload
from workers.data.formats.images import inspection
from workers.data.images.decoding import ZipImages, decode_image, open_image


def encode_image(value: int, size: tuple[int, int] = (4, 3), mode: str = "RGB", form: str = "PNG") -> bytes:
    file = BytesIO()
    Image.new("RGB", size, (value, 0, 255 - value)).convert(mode).save(file, form)
    return file.getvalue()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "images.zip"


def test_pictures_that_are_alike_and_small_are_one_array(path: Path) -> None:
    write_zip(
        path,
        {
            "dog/b.png": encode_image(2),
            "cat/a.png": encode_image(1),
            "dog/c.PNG": encode_image(3),
            "readme.txt": "about",
        },
    )
    file = make_upload(path)
    assert (describe_upload(file).format, schema(file).inputs, schema(file).target) == ("images", ("image",), "label")
    image = column(file, "image")
    assert (image.type, image.shape, image.dtype, image.peak) == ("tensor", (3, 3, 4), "float32", 255.0)
    assert column(file, "label").labels == ("cat", "dog")
    assert train(file)["image"].dtype == torch.uint8
    assert train(file)["image"][:, 0, 0, 0].tolist() == [1, 2, 3]
    assert train(file)["label"] == ["cat", "dog", "dog"]


def decode_thumbnail(url: str) -> torch.Tensor:
    return decode_image(open_image(base64.b64decode(url.partition(",")[2])), 3)


def test_pictures_that_are_unlike_are_read_when_needed(path: Path) -> None:
    write_zip(
        path,
        {
            "a/1.png": encode_image(1, (4, 3)),
            "a/2.jpg": encode_image(2, (2, 9), form="JPEG"),
            "b/3.png": encode_image(3, (5, 5), "L"),
        },
    )
    image = column(make_upload(path), "image")
    assert (image.type, image.shape, image.peak) == ("image", (3,), 255.0)
    pictures = train(make_upload(path))["image"]
    assert isinstance(pictures, ZipImages)
    assert [tuple(pictures.read(row).shape) for row in range(3)] == [(3, 3, 4), (3, 9, 2), (3, 5, 5)]
    shown = describe_upload(make_upload(path)).preview[2]
    assert (shown["image"]["shape"], shown["label"]) == ([3, 5, 5], "b")
    assert decode_thumbnail(shown["image"]["thumbnail"]).equal(pictures.read(2))


def test_large_pictures_are_read_when_needed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspection, "MAX_RESIDENT_BYTES", 3 * 3 * 4 * 2 - 1)
    write_zip(path, {"a/1.png": encode_image(1), "b/2.png": encode_image(2)})
    assert column(make_upload(path), "image").type == "image"


def test_what_is_known_is_not_looked_through_again(path: Path) -> None:
    write_zip(
        path,
        {
            "a/1.png": encode_image(1, (4, 3)),
            "b/2.png": encode_image(2, (9, 9), "L"),
            "b/3.png": encode_image(2, (9, 9), "L"),
        },
    )
    known = schema(make_upload(path))
    write_zip(
        path, {"a/1.png": encode_image(1, (4, 3)), "b/2.png": b"damaged since", "b/3.png": encode_image(2, (9, 9), "L")}
    )
    image = read_upload(Upload(path, UploadSource(kind="upload"), known_schema=known)).splits["train"]["image"]
    assert isinstance(image, ZipImages)
    assert (len(image), image.channels) == (3, 3)


@pytest.mark.parametrize("around", ["", "flowers/", "a/b/"])
@pytest.mark.parametrize(("held", "split"), [("test", "test"), ("val", "validation"), ("Valid", "validation")])
def test_folders_may_be_splits(path: Path, around: str, held: str, split: str) -> None:
    files = {
        f"{around}train/x/1.png": encode_image(1),
        f"{around}train/y/2.png": encode_image(2),
        f"{around}{held}/y/3.png": encode_image(3),
    }
    write_zip(path, files | {"__MACOSX/._1.png": b"x", f"{around}.DS_Store": b"x"})
    assert schema(make_upload(path)).rows == {"train": 2, split: 1}
    assert content(make_upload(path)).splits[split]["label"] == ["y"]


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({"1.png": encode_image(1)}, "no_class"),
        ({"train/1.png": encode_image(1), "test/2.png": encode_image(2)}, "no_class"),
        ({"a/1.png": encode_image(1), "a/2.tiff": b"x"}, "unknown_file"),
        ({"test/a/1.png": encode_image(1)}, "no_rows"),
        (
            {"train/a/1.png": encode_image(1), "dev/a/1.png": encode_image(1), "val/a/1.png": encode_image(1)},
            "duplicate_name",
        ),
        ({f"{number}/1.png": encode_image(1) for number in range(1001)}, "too_many_labels"),
        ({"a/1.png": b"no picture"}, "not_a_picture"),
        ({"a/1.png": encode_image(1)[:40]}, "not_a_picture"),
        ({"a/1.jpg": encode_image(1, (64, 64), form="JPEG")[:-100]}, "not_a_picture"),
        ({"a/1.png": decompression_bomb(1 << 16, 1 << 16)}, "not_a_picture"),
        ({"a/1.png": encode_image(1, form="TIFF")}, "not_a_picture"),
    ],
)
def test_what_is_no_data_set_is_a_problem(path: Path, files: dict[str, str | bytes], code: str) -> None:
    write_zip(path, files)
    assert problem_codes(make_upload(path)) == {code}
    assert problem_text(make_upload(path))


def test_every_bad_picture_is_named(path: Path) -> None:
    write_zip(path, {"a/1.png": b"x", "a/2.png": encode_image(1), "b/3.png": b"y"})
    assert upload_problems(make_upload(path)) == [("not_a_picture", "/a~11.png"), ("not_a_picture", "/b~13.png")]
    assert '"b/3.png" cannot be decoded' in problem_text(make_upload(path))


def test_images_get_the_channels_of_the_one_that_has_most(path: Path) -> None:
    write_zip(
        path, {"a/1.png": encode_image(1, mode="L"), "a/2.png": encode_image(2, mode="L"), "a/3.png": encode_image(3)}
    )
    assert column(make_upload(path), "image").shape == (3, 3, 4)
    assert [warning.code for warning in content(make_upload(path)).warnings] == ["channels"]
    assert train(make_upload(path))["image"][2, :, 0, 0].tolist() == [3, 0, 252]


@pytest.mark.parametrize(
    ("source", "shape", "said", "corner"),
    [
        ({}, (3, 3, 4), ["transparency"], [255, 255, 255]),
        ({"background": "white"}, (3, 3, 4), [], [255, 255, 255]),
        ({"background": "black"}, (3, 3, 4), [], [0, 0, 0]),
        ({"background": "none"}, (4, 3, 4), ["channels"], [9, 9, 9, 0]),
    ],
)
def test_what_shows_through_transparent_pixels_is_said(
    path: Path, source: dict[str, str], shape: tuple[int, ...], said: list[str], corner: list[int]
) -> None:
    file = BytesIO()
    Image.new("RGBA", (4, 3), (9, 9, 9, 0)).save(file, "PNG")
    write_zip(path, {"a/1.png": file.getvalue(), "b/2.png": encode_image(2)})
    upload = make_upload(path, **source)
    assert column(upload, "image").shape == shape
    assert [warning.code for warning in content(upload).warnings] == said
    assert train(upload)["image"][0, :, 0, 0].tolist() == corner
    write_zip(path, {"a/1.png": file.getvalue(), "b/2.png": encode_image(2, (5, 5))})
    upload = make_upload(path, **source)
    assert train(upload)["image"].read(0)[:, 0, 0].tolist() == corner


def test_sixteen_bits_are_said(path: Path) -> None:
    file = BytesIO()
    Image.fromarray(np.full((3, 4), 1000, np.uint16)).save(file, "PNG")
    write_zip(path, {"a/1.png": file.getvalue(), "b/2.png": encode_image(2, mode="L")})
    assert [warning.code for warning in content(make_upload(path)).warnings] == ["bit_depth"]


def test_arrays_and_folders_agree(path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 256, (5, 6, 3), np.uint8)
    file = BytesIO()
    Image.fromarray(values).save(file, "PNG")
    write_zip(path, {"a/1.png": file.getvalue()})
    assert train(make_upload(path))["image"][0].permute(1, 2, 0).tolist() == values.tolist()
