"""Outputs that are images, as PNG files."""

import base64
from io import BytesIO

from PIL import Image
from torch import Tensor

PICTURE_MODES = {1: "L", 3: "RGB"}  # channels → Pillow's mode
MAX_BYTE = 255.0


def is_picture_output(output: Tensor) -> bool:
    """Return whether every row of an output (N, …) is an image: floats (1 or 3, height, width)."""
    return output.ndim == 4 and output.shape[1] in PICTURE_MODES and output.is_floating_point() and output.numel() > 0


def encode_pictures(values: Tensor, white: float) -> list[str]:
    """Return images (N, 1 or 3, height, width) as PNG files in base64.

    Zero is black and `white` is white; what lies outside is clipped, and NaN is black.
    """
    scaled = (values.double().nan_to_num(nan=0.0) * (MAX_BYTE / white)).clamp(0, MAX_BYTE).round().byte()
    return [_encode_png(row) for row in scaled.cpu()]


def _encode_png(picture: Tensor) -> str:
    array = picture.permute(1, 2, 0).contiguous().numpy()
    content = BytesIO()
    Image.fromarray(array[..., 0] if array.shape[2] == 1 else array, PICTURE_MODES[array.shape[2]]).save(content, "PNG")
    return base64.b64encode(content.getvalue()).decode()
