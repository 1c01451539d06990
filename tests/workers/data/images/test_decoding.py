import random
import struct
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from app.errors import DataError
from workers.data.images.decoding import (
    MAX_PIXELS,
    ImageDecodeError,
    ZipImages,
    channel_count,
    decode_image,
    has_transparent_pixels,
    open_image,
    upright_size,
)


def encode_image(mode: str, size: tuple[int, int] = (4, 3), form: str = "PNG") -> bytes:
    values = np.arange(size[0] * size[1] * 4, dtype=np.uint8).reshape(size[1], size[0], 4)
    image = Image.fromarray(values, "RGBA") if mode == "RGBA" else Image.fromarray(values[..., :3]).convert(mode)
    file = BytesIO()
    image.save(file, form)
    return file.getvalue()


def write_archive(path: Path, *contents: bytes, method: int = zipfile.ZIP_DEFLATED) -> list[zipfile.ZipInfo]:
    with zipfile.ZipFile(path, "w", method) as file:
        for number, content in enumerate(contents):
            file.writestr(f"a/{number}.png", content)
    return zipfile.ZipFile(path).infolist()


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_images_are_read_one_by_one(tmp_path: Path, method: int) -> None:
    sizes = [(4, 3), (7, 2), (1, 1)]
    members = write_archive(tmp_path / "a.zip", *(encode_image("RGB", size) for size in sizes), method=method)
    images = ZipImages.from_members(tmp_path / "a.zip", members, 3)
    assert [tuple(images.read(row).shape) for row in range(len(images))] == [(3, 3, 4), (3, 2, 7), (3, 1, 1)]
    assert images.read(0)[:, 0, 1].tolist() == [4, 5, 6]
    assert images.take(torch.tensor([2, 1])).read(1).equal(images.read(1))
    with ThreadPoolExecutor(4) as pool:
        rows = [random.Random(0).randrange(3) for _ in range(50)]
        assert all(map(torch.equal, pool.map(images.read, rows), map(images.read, rows)))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_every_mode_is_brought_to_the_channels(mode: str, channels: int) -> None:
    content = encode_image(mode if mode != "I;16" else "L")
    if mode == "I;16":
        file = BytesIO()
        Image.fromarray(np.full((3, 4), 0x1234, np.uint16)).save(file, "PNG")
        content = file.getvalue()
    result = decode_image(open_image(content), channels)
    assert (tuple(result.shape), result.dtype) == ((channels, 3, 4), torch.uint8)
    if mode == "I;16":
        assert result[0].unique().tolist() == [0x12]


@pytest.mark.parametrize("form", ["PNG", "JPEG", "BMP", "GIF", "WEBP", "PPM"])
def test_every_format_is_read(form: str) -> None:
    assert decode_image(open_image(encode_image("RGB", form=form)), 3).shape == (3, 3, 4)


def decompression_bomb(width: int, height: int) -> bytes:
    """A PNG of some bytes whose header claims a size."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "none of"),
        (b"no image", "none of"),
        (encode_image("RGB", form="TIFF"), "none of"),
        (decompression_bomb(1 << 16, 1 << 16), f"at most {MAX_PIXELS:,}"),
        (decompression_bomb(1 << 30, 1), "at most"),
        (decompression_bomb(64, 64), "truncated"),
        (encode_image("RGB", (64, 64))[:-100], "truncated"),
        (encode_image("RGB", (64, 64), "JPEG")[:-200], "truncated"),
    ],
)
def test_what_is_no_image_is_refused(tmp_path: Path, content: bytes, why: str) -> None:
    with pytest.raises(ImageDecodeError, match=why):
        decode_image(open_image(content), 3)
    images = ZipImages.from_members(tmp_path / "a.zip", write_archive(tmp_path / "a.zip", content), 3)
    with pytest.raises(DataError, match=r'image 1, "a/0\.png", cannot be decoded'):
        images.read(0)


RANDOM = np.random.default_rng(0)
PIXELS = RANDOM.integers(0, 256, (6, 9, 3), np.uint8)
# EXIF orientation → what was done to the upright pixels before they were stored.
STORED = {
    1: PIXELS,
    2: PIXELS[:, ::-1],
    3: PIXELS[::-1, ::-1],
    4: PIXELS[::-1],
    5: PIXELS.transpose(1, 0, 2),
    6: np.rot90(PIXELS, 1),
    7: PIXELS[::-1, ::-1].transpose(1, 0, 2),
    8: np.rot90(PIXELS, -1),
}


def encoded(values: np.ndarray, mode: str | None = None, form: str = "PNG", **options: object) -> bytes:
    """Return the file of an image."""
    file = BytesIO()
    image = Image.fromarray(np.ascontiguousarray(values), mode)
    image.save(file, form, **options)
    return file.getvalue()


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize(("form", "options"), [("PNG", {}), ("WEBP", {"lossless": True})])
def test_images_are_upright(tmp_path: Path, orientation: int, form: str, options: dict[str, object]) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encoded(STORED[orientation], form=form, exif=exif, **options)
    assert upright_size(open_image(content)) == (6, 9)
    assert (decode_image(open_image(content), 3).permute(1, 2, 0).numpy() == PIXELS).all()
    lazy = ZipImages.from_members(tmp_path / "a.zip", write_archive(tmp_path / "a.zip", content), 3)
    assert (lazy.read(0).permute(1, 2, 0).numpy() == PIXELS).all()


def test_a_photograph_is_upright_and_a_damaged_orientation_says_nothing() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    photograph = decode_image(open_image(encoded(STORED[6], form="JPEG", quality=100, subsampling=0, exif=exif)), 3)
    assert np.abs(photograph.permute(1, 2, 0).numpy().astype(int) - PIXELS).max() < 12
    assert decode_image(open_image(encoded(PIXELS, form="JPEG", exif=b"Exif\0\0garbage")), 3).shape == (3, 6, 9)


@pytest.mark.parametrize(("background", "value"), [("white", 255), ("black", 0)])
def test_transparent_pixels_show_the_background(background: str, value: int) -> None:
    values = RANDOM.integers(0, 256, (5, 4, 4), np.uint8)
    values[0, :, 3] = 0
    alpha = values[..., 3:] / 255
    expected = values[..., :3] * alpha + value * (1 - alpha)
    result = decode_image(open_image(encoded(values, "RGBA")), 3, background).permute(1, 2, 0).numpy()
    assert np.abs(result - expected).max() <= 0.5
    assert (result[0] == value).all()
    grey = RANDOM.integers(0, 256, (5, 4, 2), np.uint8)
    expected = grey[..., 0] * (grey[..., 1] / 255) + value * (1 - grey[..., 1] / 255)
    image = open_image(encoded(grey, "LA"))
    assert channel_count(image) == 1
    assert np.abs(decode_image(image, 1, background)[0].numpy() - expected).max() <= 0.5


def test_what_lies_under_transparent_pixels_does_not_matter() -> None:
    first, second = np.zeros((2, 4, 4, 4), np.uint8)
    second[..., :3] = 255
    first[1:, 1:], second[1:, 1:] = (9, 8, 7, 255), (9, 8, 7, 255)
    images = [decode_image(open_image(encoded(values, "RGBA")), 3) for values in (first, second)]
    assert images[0].equal(images[1])
    assert images[0][:, 0, 0].tolist() == [255, 255, 255]


def test_a_transparent_colour_shows_the_background_too() -> None:
    colour = tuple(PIXELS[0, 0].tolist())
    for content in (
        encoded(PIXELS, transparency=colour),
        encoded(PIXELS[..., 0], transparency=colour[0]),
        encoded(np.zeros((6, 9), np.uint8), "P", transparency=0),
    ):
        image = open_image(content)
        assert decode_image(image, 3)[:, 0, 0].tolist() == [255, 255, 255]
        assert has_transparent_pixels(image)
    opaque = open_image(encoded(np.full((2, 2, 4), 255, np.uint8), "RGBA"))
    decode_image(opaque, 3)
    assert not has_transparent_pixels(opaque)


def test_alpha_is_kept_where_it_is_a_channel() -> None:
    values = RANDOM.integers(0, 256, (5, 4, 4), np.uint8)
    image = open_image(encoded(values, "RGBA"))
    assert (channel_count(image), channel_count(image, keep_alpha=True)) == (3, 4)
    assert (decode_image(image, 4).permute(1, 2, 0).numpy() == values).all()


def test_inks_and_sixteen_bits_keep_their_brightness() -> None:
    inks = open_image(encoded(RANDOM.integers(0, 256, (8, 8, 4), np.uint8), "CMYK", "JPEG", quality=100))
    raw = np.array(inks).astype(float) / 255
    expected = 255 * (1 - raw[..., :3]) * (1 - raw[..., 3:])
    assert np.abs(decode_image(inks, 3).permute(1, 2, 0).numpy() - expected).max() <= 1
    deep = RANDOM.integers(0, 65536, (5, 4), np.uint16)
    for content in (encoded(deep), b"P5 4 5 65535\n" + deep.astype(">u2").tobytes()):
        assert np.abs(decode_image(open_image(content), 1)[0].numpy() - deep / 257).max() < 1
