"""Images in a zip archive, decoded one by one on demand."""

import struct
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from app.errors import DataError

MAX_PIXELS = 1 << 26  # of one image
IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".ppm", ".pgm", ".pbm", ".jfif"})
PILLOW_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "PPM")  # formats whose decoders are common and fuzzed
MODES_16_BIT = ("I", "I;16", "I;16B", "I;16L")
LOCAL_HEADER = struct.Struct("<26xHH")  # of a zip member; it ends with the lengths of the name and of the extra field

Image.MAX_IMAGE_PIXELS = None  # sizes are checked here, before anything is decoded: Pillow would warn first

# Mode of an image → channels; other modes have three. Alpha is no channel unless the user keeps it.
CHANNELS_BY_MODE = {"1": 1, "L": 1, "LA": 1, "La": 1, **dict.fromkeys(MODES_16_BIT, 1)}
MODE_BY_CHANNELS = {1: "L", 3: "RGB", 4: "RGBA"}
# EXIF orientation → how an image is turned to be upright.
ORIENTATION_TAG = 0x0112
TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
DEFAULT_BACKGROUND = "white"
DECODE_ERRORS = (OSError, ValueError, SyntaxError, EOFError, struct.error, IndexError, KeyError, TypeError, zlib.error)


class ImageDecodeError(ValueError):
    """The bytes are not an image, or an image that is too large."""


@dataclass(frozen=True)
class ZipImages:
    """Rows of a column of type image. Reading is safe in several threads and processes: nothing is kept open."""

    path: Path  # of the archive
    headers: (
        Tensor  # int64 (rows, 4): offset of a member's header, compressed and uncompressed size, compression method
    )
    channels: int  # of every decoded image: 1, 3 or 4
    background: str = DEFAULT_BACKGROUND  # a colour, which shows through transparent pixels

    @classmethod
    def from_members(
        cls, path: Path, members: Iterable[zipfile.ZipInfo], channels: int, background: str = DEFAULT_BACKGROUND
    ) -> "ZipImages":
        """Return the images of these members of an archive, which are stored or deflated."""
        headers = [(each.header_offset, each.compress_size, each.file_size, each.compress_type) for each in members]
        return cls(path, torch.tensor(headers, dtype=torch.int64).reshape(-1, 4), channels, background)

    def __len__(self) -> int:
        return len(self.headers)

    def take(self, indices: Tensor) -> "ZipImages":
        """Return the images at these rows."""
        return replace(self, headers=self.headers[indices])

    def read(self, row: int) -> Tensor:
        """Return an image: uint8 (channels, height, width), of its own size. Raises `DataError`."""
        try:
            return decode_image(open_image(self.content(row)), self.channels, self.background)
        except (ImageDecodeError, zlib.error, struct.error) as error:
            detail = f'image {row + 1}, "{self.name(row)}", cannot be decoded: {error}'
            raise DataError(detail, pointer="/data", hint="replace it, and upload the data set again") from None

    def name(self, row: int) -> str:
        """Return the name of an image's file in the archive."""
        with self.path.open("rb") as file:
            file.seek(int(self.headers[row, 0]))
            length, _ = LOCAL_HEADER.unpack(file.read(LOCAL_HEADER.size))
            return file.read(length).decode("utf-8", "replace")[:200]

    def content(self, row: int) -> bytes:
        """Return the bytes of an image's file."""
        offset, compressed, size, method = self.headers[row].tolist()
        with self.path.open("rb") as file:
            file.seek(offset)
            name, extra = LOCAL_HEADER.unpack(file.read(LOCAL_HEADER.size))
            file.seek(name + extra, 1)
            content = file.read(compressed)
        if method == zipfile.ZIP_STORED:
            return content
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(content, size)


def open_image(content: bytes) -> Image.Image:
    """Return an image of which only the header has been read. Raises `ImageDecodeError`."""
    try:
        image = Image.open(BytesIO(content), formats=PILLOW_FORMATS)
    except UnidentifiedImageError:
        raise ImageDecodeError(f"it is none of {', '.join(PILLOW_FORMATS)}") from None
    except (OSError, ValueError, SyntaxError, EOFError, struct.error, IndexError) as error:
        raise ImageDecodeError(str(error) or type(error).__name__) from None
    if image.width * image.height > MAX_PIXELS:
        raise ImageDecodeError(f"it has {image.width} x {image.height} pixels, at most {MAX_PIXELS:,} are allowed")
    return image


def upright_size(image: Image.Image) -> tuple[int, int]:
    """Return the height and the width of an image as it is shown, by its header."""
    turned = _orientation(image) >= 5
    return (image.width, image.height) if turned else (image.height, image.width)


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation of an image, 1 to 8; 1 if it says none, or is damaged."""
    if image.format == "PNG" and "exif" not in image.info:  # Pillow would decode all of it to look behind the pixels
        return 1
    try:
        orientation = image.getexif().get(ORIENTATION_TAG, 1)
    except DECODE_ERRORS:
        return 1
    return orientation if orientation in TRANSPOSITIONS else 1


def channel_count(image: Image.Image, keep_alpha: bool = False) -> int:
    """Return the number of channels of an image."""
    if keep_alpha and image.has_transparency_data:
        return 4
    return CHANNELS_BY_MODE.get(image.mode, 3)


def has_transparent_pixels(image: Image.Image) -> bool:
    """Return whether anything shows through a decoded image."""
    if not image.has_transparency_data or image.mode in MODES_16_BIT:
        return False
    least, _ = image.convert("RGBA").getchannel("A").getextrema()
    return isinstance(least, int) and least < 255


def decode_image(image: Image.Image, channels: int, background: str = DEFAULT_BACKGROUND) -> Tensor:
    """Return an upright image as uint8 (channels, height, width). Raises `ImageDecodeError`.

    Images are turned by their EXIF orientation. With 1 or 3 channels, transparent pixels are composed over a
    background; with 4, alpha is the fourth. Of 16 bits the upper eight are taken.
    """
    try:
        image.load()
        if (turn := TRANSPOSITIONS.get(_orientation(image))) is not None:
            image = image.transpose(turn)
        if image.mode in MODES_16_BIT:
            image = Image.fromarray((np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8))
        if channels < 4 and image.has_transparency_data:
            ground = Image.new("RGBA", image.size, background)
            image = Image.alpha_composite(ground, image.convert("RGBA"))
        values = np.array(image.convert(MODE_BY_CHANNELS[channels]))
    except DECODE_ERRORS as error:
        raise ImageDecodeError(str(error) or type(error).__name__) from None
    height, width = values.shape[:2]
    return torch.from_numpy(values.reshape(height, width, channels)).permute(2, 0, 1).contiguous()
