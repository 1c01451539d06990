"""Images in rows: files in base64, bytes of files, or numbers."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from app.spec.data.columns import Column, ColumnType
from workers.data.files.problems import format_value, refuse
from workers.data.images.decoding import DEFAULT_BACKGROUND, ImageDecodeError, decode_image, open_image
from workers.data.types.base import JsonColumnType, ProblemSink, Statistics, ValueLimits
from workers.data.types.values import Values, as_array, as_list

DEFAULT_CHANNELS = 3


@dataclass(frozen=True)
class InMemoryImages:
    """Decoded images."""

    images: Sequence[Tensor]  # uint8 (channels, height, width), each of its own size

    def __len__(self) -> int:
        return len(self.images)

    def take(self, indices: Tensor) -> "InMemoryImages":
        """Return the images of some rows."""
        return InMemoryImages([self.images[row] for row in indices.tolist()])

    def read(self, row: int) -> Tensor:
        """Return an image: uint8 (channels, height, width)."""
        return self.images[row]


class ImageType(JsonColumnType):
    """An image per row, each of its own size. Data sets hold them as files, requests may send them in rows."""

    families = frozenset({bytes})
    nullable = False

    @classmethod
    def draft(cls, name: str, kind: ColumnType, values: Values, cell_format: str | None = None) -> Column:
        """Refuse: images of a data set are files in an archive. Raises `InvalidInput`."""
        hint = "upload a zip archive of image files in one folder per class"
        refuse("wrong_type", f'column "{name}": a table holds no images', hint, name)

    @classmethod
    def parse(
        cls, values: Values, column: Column, problems: ProblemSink, limits: ValueLimits | None = None
    ) -> InMemoryImages:
        """Return N images of uint8 (channels, height, width)."""
        return InMemoryImages([_parse_image(row, value, column, problems) for row, value in enumerate(as_list(values))])

    @classmethod
    def decode(cls, text: str) -> object:
        """Return nested lists of a cell of JSON; base64 as it is."""
        return super().decode(text) if text.lstrip().startswith("[") else text.strip() or None

    @classmethod
    def statistics(cls, stored: Any) -> Statistics | None:
        """Return None: images are not read to be counted."""
        return None


def image_channels(column: Column) -> int:
    """Return how many channels the images of a column have."""
    return column.shape[0] if column.shape else DEFAULT_CHANNELS


def image_background(column: Column) -> str:
    """Return what shows through the transparent pixels of the images of a column."""
    return column.background or DEFAULT_BACKGROUND


def _parse_image(row: int, value: object, column: Column, problems: ProblemSink) -> Tensor:
    channels = image_channels(column)
    placeholder = torch.zeros(channels, 1, 1, dtype=torch.uint8)
    try:
        if isinstance(value, str | bytes):
            content = base64.b64decode(value, validate=True) if isinstance(value, str) else value
            return decode_image(open_image(content), channels, image_background(column))
    except (ImageDecodeError, binascii.Error, ValueError) as error:
        detail = f"the image cannot be decoded: {error}"
        problems.add_value(row, column.name, "not_an_image", detail, "send the bytes of a PNG or JPEG file in base64")
        return placeholder
    array = as_array(value)
    if array is None or array.ndim != 3 or len(array) != channels or not array.size or array.dtype.kind not in "iu":
        shape = format_value(value) if array is None else f"numbers of shape {list(array.shape)}"
        detail = f"expected a file in base64, or integers of shape [{channels}, height, width], got {shape}"
        problems.add_value(row, column.name, "not_an_image", detail)
        return placeholder
    if array.min() < 0 or array.max() > 255:
        problems.add_value(row, column.name, "out_of_range", "has a number outside of 0..255", "pixels are bytes")
        return placeholder
    return torch.from_numpy(array.astype(np.uint8))
