"""Images in rows whose data set holds them as one array: files become arrays of its shape."""

import base64
import binascii

import numpy as np

from app.spec.data.columns import Column
from workers.data.images.decoding import MODE_BY_CHANNELS, ImageDecodeError, decode_image, open_image
from workers.data.types.images import image_background, image_channels
from workers.data.types.values import Values
from workers.prediction.inputs.problems import RowProblems

FILE_HINT = "send the bytes of a PNG or JPEG file in base64"


def is_image_column(column: Column) -> bool:
    """Return whether the values of a column are images: files, or arrays (channels, height, width) of bytes."""
    return column.type == "image" or (len(column.shape) == 3 and column.shape[0] in MODE_BY_CHANNELS)


def decode_files(values: Values, column: Column, problems: RowProblems) -> Values:
    """Return values in which the files of an array of images, in base64 or as bytes, are decoded.

    Raises `TooManyProblems`.
    """
    if column.type == "image" or not is_image_column(column) or isinstance(values, np.ndarray):
        return values
    return [
        _decode(row, value, column, problems) if isinstance(value, str | bytes) else value
        for row, value in enumerate(values)
    ]


def differ_in_size(values: Values, column: Column) -> bool:
    """Return whether decoded images have other sizes than those of the data set."""
    return not isinstance(values, np.ndarray) and any(
        isinstance(value, np.ndarray) and value.shape[1:] != column.shape[1:] for value in values
    )


def _decode(
    row: int, value: str | bytes, column: Column, problems: RowProblems
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    try:
        content = base64.b64decode(value, validate=True) if isinstance(value, str) else value
        return decode_image(open_image(content), image_channels(column), image_background(column)).numpy()
    except (ImageDecodeError, binascii.Error, ValueError) as error:
        problems.add_value(row, column.name, "not_an_image", f"the image cannot be decoded: {error}", FILE_HINT)
    return np.zeros(column.shape, np.uint8)
