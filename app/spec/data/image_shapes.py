"""The shapes of pictures: what transforms make of them, as far as it can be said before any picture is read."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from app.errors import Problem
from app.spec.data.transforms import COLOR_TRANSFORMS, BaseTransform

PER_CHANNEL_SETTINGS = frozenset({"mean", "std", "fill", "value"})  # settings that may be one number for each channel

ImageShape = tuple[int, int | None, int | None]  # channels, height, width; `None`: of every picture its own


def stored_image_shape(shape: Sequence[int]) -> ImageShape:
    """Return the shape of a stored column of pictures, which may leave their size out."""
    channels, height, width = (*shape, None, None)[:3]
    return channels or 1, height, width


def infer_image_shape(
    transforms: Sequence[BaseTransform], shape: ImageShape, place: str
) -> tuple[ImageShape, list[Problem]]:
    """Return the shape after all transforms, and what is wrong with their order and their sizes."""
    problems: list[Problem] = []
    normalised = False
    for position, each in enumerate(transforms):
        pointer = f"{place}/{position}"
        if normalised and each.kind in COLOR_TRANSFORMS:
            problems.append(
                Problem(
                    pointer,
                    "wrong_order",
                    f"{each.kind} reads shades, which Normalize changes",
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


def _transform_problems(part: BaseTransform, channels: int, pointer: str) -> Iterator[Problem]:
    if part.kind in COLOR_TRANSFORMS and channels not in (1, 3):
        yield Problem(
            pointer,
            "shape_mismatch",
            f"{part.kind} reads one channel or three, and there are {channels}",
            "leave it out",
        )
    if part.kind == "RandAugment" and part.settings()["magnitude"] >= part.settings()["num_magnitude_bins"]:
        yield Problem(
            f"{pointer}/magnitude",
            "out_of_range",
            "there is no such magnitude among its bins",
            f"use less than {part.settings()['num_magnitude_bins']}",
        )
    for field in PER_CHANNEL_SETTINGS & part.settings().keys():
        values = part.settings()[field]
        if isinstance(values, tuple) and len(values) not in (1, channels):
            detail = f"{field} has {len(values)} numbers, and there are {channels} channels"
            yield Problem(f"{pointer}/{field}", "shape_mismatch", detail, f"give one number, or {channels}")


def _height_width(size: Any) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else size


def _added_padding(padding: Any) -> tuple[int, int]:
    """Return what padding adds to the height and to the width."""
    sides = (padding, padding) if isinstance(padding, int) else padding
    left, top, right, bottom = sides if len(sides) == 4 else (*sides, *sides)
    return top + bottom, left + right


def _fixed_shape(part: Any, shape: ImageShape) -> ImageShape:
    return (shape[0], *_height_width(part.size))


def _resize_shape(part: Any, shape: ImageShape) -> ImageShape:
    channels, height, width = shape
    if part.size is None and part.max_size is None:
        raise ValueError("Resize needs a size", 'give "size", or "max_size" for the longer side')
    if isinstance(part.size, tuple):
        if part.max_size is not None:
            raise ValueError("max_size goes with one size alone", "remove max_size, or give size as one number")
        return channels, *part.size
    if part.size is not None and part.max_size is not None and part.max_size <= part.size:
        raise ValueError(f"max_size {part.max_size} is not above size {part.size}", "give a larger max_size")
    if height is None or width is None:
        return channels, None, None
    short, long = min(height, width), max(height, width)
    if part.size is None:
        sides = (int(part.max_size * short / long), part.max_size)
    else:
        sides = (part.size, int(part.size * long / short))
        if part.max_size is not None and sides[1] > part.max_size:
            sides = (int(part.max_size * sides[0] / sides[1]), part.max_size)
    return (channels, sides[1], sides[0]) if width <= height else (channels, sides[0], sides[1])


def _pad_shape(part: Any, shape: ImageShape) -> ImageShape:
    channels, height, width = shape
    added = _added_padding(part.padding)
    if height is None or width is None:
        return channels, None, None
    return channels, height + added[0], width + added[1]


def _crop_shape(part: Any, shape: ImageShape) -> ImageShape:
    _, height, width = _pad_shape(part, shape) if part.padding is not None else shape
    wanted = _height_width(part.size)
    small = [have for have, want in zip((height, width), wanted, strict=True) if have is not None and have < want]
    if small and not part.pad_if_needed:
        raise ValueError(
            f"a crop of {wanted[0]} x {wanted[1]} does not fit into {height} x {width}",
            'take a smaller one, or set "padding" or "pad_if_needed"',
        )
    return (shape[0], *wanted)


def _grayscale_shape(part: Any, shape: ImageShape) -> ImageShape:
    return (part.num_output_channels, *shape[1:])


def _rgb_shape(part: Any, shape: ImageShape) -> ImageShape:
    return (max(3, shape[0]), *shape[1:])


def _unknown_size(part: Any, shape: ImageShape) -> ImageShape:
    return shape[0], None, None


def _rotation_shape(part: Any, shape: ImageShape) -> ImageShape:
    return _unknown_size(part, shape) if part.expand else shape


# Kind → the shape that it makes of another; raises `ValueError` with a detail and a hint.
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
