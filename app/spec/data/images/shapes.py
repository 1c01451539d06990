"""The shapes of images after transforms, as far as they are known before any image is read."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from app.errors import Problem
from app.spec.data.images.transforms import COLOR_TRANSFORMS, BaseTransform

PER_CHANNEL_SETTINGS = frozenset({"mean", "std", "fill", "value"})  # settings that may be one number for each channel

ImageShape = tuple[int, int | None, int | None]  # channels, height, width; `None` if images differ in it


def stored_image_shape(shape: Sequence[int]) -> ImageShape:
    """Return the shape of a stored column of images: (channels), or (channels, height, width)."""
    channels, height, width = (*shape, None, None)[:3]
    return channels or 1, height, width


def infer_image_shape(
    transforms: Sequence[BaseTransform], shape: ImageShape, place: str
) -> tuple[ImageShape, list[Problem]]:
    """Return the shape after all transforms, and the problems of their order and sizes, from the pointer `place` on."""
    problems: list[Problem] = []
    normalised = False
    for position, each in enumerate(transforms):
        pointer = f"{place}/{position}"
        if normalised and each.kind in COLOR_TRANSFORMS:
            problems.append(
                Problem(
                    pointer,
                    "wrong_order",
                    f"{each.kind} needs values between black and white, which Normalize changes",
                    "put it before Normalize",
                )
            )
        normalised = normalised or each.kind == "Normalize"
        problems += _transform_problems(each, shape[0], pointer)
        if each.kind in IMAGE_SHAPE_RULES:
            try:
                shape = IMAGE_SHAPE_RULES[each.kind](each, shape)
            except ValueError as error:
                problems.append(Problem(pointer, "shape_mismatch", *error.args))
    return shape, problems


def _transform_problems(transform: BaseTransform, channels: int, pointer: str) -> Iterator[Problem]:
    if transform.kind in COLOR_TRANSFORMS and channels not in (1, 3):
        detail = f"{transform.kind} needs one channel or three, and there are {channels}"
        yield Problem(pointer, "shape_mismatch", detail, "remove it")
    settings = transform.settings()
    if transform.kind == "RandAugment" and settings["magnitude"] >= settings["num_magnitude_bins"]:
        detail = "magnitude must be less than num_magnitude_bins"
        hint = f"use less than {settings['num_magnitude_bins']}"
        yield Problem(f"{pointer}/magnitude", "out_of_range", detail, hint)
    for field in PER_CHANNEL_SETTINGS & settings.keys():
        values = settings[field]
        if isinstance(values, tuple) and len(values) not in (1, channels):
            detail = f"{field} has {len(values)} numbers, and there are {channels} channels"
            yield Problem(f"{pointer}/{field}", "shape_mismatch", detail, f"give one number or {channels}")


def _height_width(size: Any) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else size


def _added_padding(padding: Any) -> tuple[int, int]:
    """Return the number of pixels that padding adds to the height and to the width."""
    sides = (padding, padding) if isinstance(padding, int) else padding
    left, top, right, bottom = sides if len(sides) == 4 else (*sides, *sides)
    return top + bottom, left + right


def _fixed_shape(transform: Any, shape: ImageShape) -> ImageShape:
    return (shape[0], *_height_width(transform.size))


def _resize_shape(transform: Any, shape: ImageShape) -> ImageShape:
    channels, height, width = shape
    if transform.size is None and transform.max_size is None:
        raise ValueError("Resize needs a size", 'give "size", or "max_size" of the longer side')
    if isinstance(transform.size, tuple):
        if transform.max_size is not None:
            raise ValueError("max_size needs a single size", "remove max_size, or give size as one number")
        return channels, *transform.size
    if transform.size is not None and transform.max_size is not None and transform.max_size <= transform.size:
        detail = f"max_size {transform.max_size} must be greater than size {transform.size}"
        raise ValueError(detail, "give a larger max_size")
    if height is None or width is None:
        return channels, None, None
    short, long = min(height, width), max(height, width)
    if transform.size is None:
        sides = (int(transform.max_size * short / long), transform.max_size)
    else:
        sides = (transform.size, int(transform.size * long / short))
        if transform.max_size is not None and sides[1] > transform.max_size:
            sides = (int(transform.max_size * sides[0] / sides[1]), transform.max_size)
    return (channels, sides[1], sides[0]) if width <= height else (channels, sides[0], sides[1])


def _pad_shape(transform: Any, shape: ImageShape) -> ImageShape:
    channels, height, width = shape
    added = _added_padding(transform.padding)
    if height is None or width is None:
        return channels, None, None
    return channels, height + added[0], width + added[1]


def _crop_shape(transform: Any, shape: ImageShape) -> ImageShape:
    _, height, width = _pad_shape(transform, shape) if transform.padding is not None else shape
    size = _height_width(transform.size)
    small = [have for have, want in zip((height, width), size, strict=True) if have is not None and have < want]
    if small and not transform.pad_if_needed:
        raise ValueError(
            f"a crop of {size[0]} x {size[1]} does not fit into {height} x {width}",
            'use a smaller size, or set "padding" or "pad_if_needed"',
        )
    return (shape[0], *size)


def _grayscale_shape(transform: Any, shape: ImageShape) -> ImageShape:
    return (transform.num_output_channels, *shape[1:])


def _rgb_shape(transform: Any, shape: ImageShape) -> ImageShape:
    return (max(3, shape[0]), *shape[1:])


def _unknown_size(transform: Any, shape: ImageShape) -> ImageShape:
    return shape[0], None, None


def _rotation_shape(transform: Any, shape: ImageShape) -> ImageShape:
    return _unknown_size(transform, shape) if transform.expand else shape


# Kind → function from the shape before to the shape after; it raises `ValueError` with a detail and a hint.
IMAGE_SHAPE_RULES: Mapping[str, Callable[[Any, ImageShape], ImageShape]] = {
    "Resize": _resize_shape,
    "CenterCrop": _fixed_shape,
    "Pad": _pad_shape,
    "Grayscale": _grayscale_shape,
    "RGB": _rgb_shape,
    "RandomCrop": _crop_shape,
    "RandomResizedCrop": _fixed_shape,
    "RandomResize": _unknown_size,
    "RandomShortestSize": _unknown_size,
    "RandomRotation": _rotation_shape,
    "RandomZoomOut": _unknown_size,
}
