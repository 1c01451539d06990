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
from workers.data.images.decoding import MAX_PIXELS, ImageDecodeError, ZipImages, decode_image, open_image


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
