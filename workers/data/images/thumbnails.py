"""Small pictures of images, for people: in previews and in reports."""

import base64
from io import BytesIO

from PIL import Image
from torch import Tensor

from workers.data.images.decoding import MODE_BY_CHANNELS

MAX_SIDE = 64  # pixels of a thumbnail
MAX_LOSSLESS_SIDE = 32  # larger images are JPEG, unless they have alpha
JPEG_QUALITY = 80
MAX_BYTE = 255.0


def is_picture(value: Tensor) -> bool:
    """Return whether a tensor is an image of bytes that can be shown: uint8 (1, 3 or 4 channels, height, width)."""
    return value.ndim == 3 and str(value.dtype) == "torch.uint8" and value.shape[0] in MODE_BY_CHANNELS


def thumbnail(image: Tensor, peak: float | None = None) -> str:
    """Return an image, uint8 (channels, height, width), as a data URL: PNG or JPEG, at most 64 pixels a side.

    `peak` is the value that is shown as white, 255 unless it is given.
    """
    channels = image.shape[0]
    if peak is not None and 0 < peak < MAX_BYTE:
        image = (image.float() * (MAX_BYTE / peak)).clamp(0, MAX_BYTE).byte()
    values = image.permute(1, 2, 0).contiguous().cpu().numpy()
    picture = Image.fromarray(values[..., 0] if channels == 1 else values, MODE_BY_CHANNELS[channels])
    picture.thumbnail((MAX_SIDE, MAX_SIDE))
    lossless = channels == 4 or max(picture.size) <= MAX_LOSSLESS_SIDE
    content = BytesIO()
    if lossless:
        picture.save(content, "PNG")
    else:
        picture.save(content, "JPEG", quality=JPEG_QUALITY)
    return f"data:image/{'png' if lossless else 'jpeg'};base64,{base64.b64encode(content.getvalue()).decode()}"
