"""What the images of an archive have in common: their channels and size, and whether they fit into memory."""

import zipfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image
from torch import Tensor

from app.errors import Problem
from app.spec.data.columns import Column
from app.spec.problems import json_pointer
from workers.data.files.archives import translate_archive_errors
from workers.data.files.problems import ProblemCollector, WarningCollector, format_count
from workers.data.formats.images.layout import ArchiveImage
from workers.data.images.decoding import (
    DEFAULT_BACKGROUND,
    MODES_16_BIT,
    ImageDecodeError,
    channel_count,
    decode_image,
    has_transparent_pixels,
    open_image,
    upright_size,
)

MAX_RESIDENT_BYTES = 256 << 20  # of all images, to be read as one array
MAX_DECODED_PIXELS = 10**9  # of new images that are decoded; of further ones, only the headers are read
IMAGE_COLUMN = "image"
POINTER = json_pointer(["columns", IMAGE_COLUMN])

ImageShape = tuple[int, int, int]  # channels, height, width


@dataclass
class _Findings:
    """What has been seen so far."""

    shapes: list[ImageShape] = field(default_factory=list)
    transparent: int = 0
    wide: int = 0  # with 16 bits

    def add(self, image: Image.Image, keep_alpha: bool) -> None:
        """Add an image, of which the header has been read."""
        self.shapes.append((channel_count(image, keep_alpha), *upright_size(image)))
        self.wide += image.mode in MODES_16_BIT

    @property
    def channels(self) -> int:
        """The channels that all images are brought to: as many as any of them has."""
        return max(shape[0] for shape in self.shapes)


def inspect_images(
    path: Path, images: Sequence[ArchiveImage], background: str | None, warnings: WarningCollector
) -> Column:
    """Describe the images of an archive: a tensor if they have one size and are small, else images of their own.

    `background` is the user's: a colour, "none" to keep alpha, or `None`. Raises `InvalidInput` with those that cannot
    be decoded.
    """
    problems, found, remaining = ProblemCollector(), _Findings(), MAX_DECODED_PIXELS
    with translate_archive_errors("zip"), zipfile.ZipFile(path) as archive:
        for each in images:
            try:
                image = open_image(archive.read(each.info))
                remaining -= image.height * image.width
                if remaining >= 0:
                    decode_image(image, 4)
                    found.transparent += has_transparent_pixels(image)
                found.add(image, background == "none")
            except ImageDecodeError as error:
                detail = f'"{each.name}" cannot be decoded: {error}'
                problems.add(Problem(json_pointer([each.name]), "not_a_picture", detail, "replace it"))
    problems.raise_if_any()
    _warn(found, background, warnings)
    ground = None if background == "none" else background or DEFAULT_BACKGROUND
    sizes = {shape[1:] for shape in found.shapes}
    shape = (found.channels, *sizes.pop()) if len(sizes) == 1 else (found.channels,)
    resident = len(shape) == 3 and shape[0] * shape[1] * shape[2] * len(images) <= MAX_RESIDENT_BYTES
    if resident and remaining >= 0:
        return Column(name=IMAGE_COLUMN, shape=shape, peak=255.0, background=ground)
    return Column(name=IMAGE_COLUMN, type="image", shape=shape, dtype="uint8", peak=255.0, background=ground)


def decode_images(path: Path, images: Sequence[ArchiveImage], column: Column) -> list[Tensor]:
    """Return the pixels of all images of a column of type tensor. Raises `InvalidInput`."""
    problems, pixels = ProblemCollector(), list[Tensor]()
    with translate_archive_errors("zip"), zipfile.ZipFile(path) as archive:
        for each in images:
            try:
                image = open_image(archive.read(each.info))
                pixels.append(decode_image(image, column.shape[0], column.background or DEFAULT_BACKGROUND))
            except ImageDecodeError as error:
                detail = f'"{each.name}" cannot be decoded: {error}'
                problems.add(Problem(json_pointer([each.name]), "not_a_picture", detail, "replace it"))
    problems.raise_if_any()
    return pixels


def _warn(found: _Findings, background: str | None, warnings: WarningCollector) -> None:
    """Say what the pixels of the images lose, and what they are brought to."""
    if found.transparent and background is None:
        detail = (
            f"{format_count(found.transparent, 'image')} with transparent pixels composed over {DEFAULT_BACKGROUND}"
        )
        hint = 'give "background": "white", "black", or "none" to keep alpha as a fourth channel'
        warnings.add(POINTER, "transparency", detail, hint)
    if found.wide:
        detail = f"of {format_count(found.wide, 'image')} with 16 bits the upper 8 bits were read"
        warnings.add(POINTER, "bit_depth", detail, "store them with 8 bits, or as numbers in NPZ")
    counts = Counter(shape[0] for shape in found.shapes)
    if len(counts) > 1:
        fewer = sum(count for channels, count in counts.items() if channels < found.channels)
        detail = f"{format_count(fewer, 'image')} with fewer channels brought to {found.channels}"
        warnings.add(POINTER, "channels", detail, "store all images in the same mode")
