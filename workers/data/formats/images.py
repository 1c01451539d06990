"""Images in folders that are named like their classes, in a zip archive."""

import zipfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import torch
from torch import Tensor

from app.errors import Problem
from app.spec.data.columns import MAX_LABELS, Column
from app.spec.problems import json_pointer
from workers.data.columns import ParsedColumn
from workers.data.files.archives import archive_members, translate_archive_errors
from workers.data.files.content import Content, Upload
from workers.data.files.problems import ProblemCollector, refuse
from workers.data.files.split_files import SPLIT_BY_NAME, SPLITS
from workers.data.images.decoding import (
    IMAGE_SUFFIXES,
    ImageDecodeError,
    ZipImages,
    channel_count,
    decode_image,
    open_image,
)
from workers.data.types.statistics import MAX_LABEL_LENGTH, unique_words

MAX_RESIDENT_BYTES = 256 << 20  # of all images, to be read as one array
MAX_DECODED_PIXELS = 10**9  # of new images that are decoded; of further ones, only the headers are read
LAYOUT_HINT = "put every image into a folder named like its class: CLASS/name.png, or train/CLASS/… and test/CLASS/…"

ImageShape = tuple[int, int, int]  # channels, height, width


@dataclass(frozen=True)
class ArchiveImage:
    """An image in the archive."""

    info: zipfile.ZipInfo
    split: str
    label: str


def read_images(upload: Upload) -> Content:
    """Read an archive of images: as one array if they have one size and are small, else lazily.

    Raises `InvalidInput` with every problem.
    """
    images = _collect_images(archive_members(upload.path, upload.limit))
    labels = unique_words(each.label for each in images)
    if labels is None:
        refuse(
            "too_many_labels",
            f"there are more than {MAX_LABELS:,} classes, or one with a name of over {MAX_LABEL_LENGTH} characters",
            LAYOUT_HINT,
        )
    if all(each.split != "train" for each in images):
        refuse("no_rows", "there are no images to train on", LAYOUT_HINT)
    known = upload.known_schema.column("image") if upload.known_schema is not None else None
    if known is not None and known.type == "image":  # they were inspected when they were uploaded
        column, values = known, None
    else:
        column, values = _inspect_images(upload, images)
    splits: dict[str, dict[str, ParsedColumn]] = {}
    for split in SPLITS:
        rows = [row for row, each in enumerate(images) if each.split == split]
        if rows:
            lazy = ZipImages.from_members(upload.path, (images[row].info for row in rows), column.shape[0])
            pixels = lazy if values is None else torch.stack([values[row] for row in rows])
            splits[split] = {"image": pixels, "label": [images[row].label for row in rows]}
    label = Column(name="label", type="category", labels=labels, classes=len(labels))
    return Content((column, label), splits, ("image",), "label")


def _collect_images(infos: Sequence[zipfile.ZipInfo]) -> list[ArchiveImage]:
    """Return the images in the order of their names. Raises `InvalidInput`."""
    problems = ProblemCollector()
    images = []
    for info in infos:
        path = PurePosixPath(info.filename)
        if path.suffix.lower() in IMAGE_SUFFIXES:
            images.append((info, path.parts))
        elif len(path.parts) > 1:  # a readme may lie at the top
            detail = f'"{info.filename[:200]}" is not an image'
            problems.add(Problem(json_pointer([info.filename[:200]]), "unknown_file", detail, "leave it out"))
    problems.raise_if_any()
    while (
        images
        and len({parts[0] for _, parts in images}) == 1
        and min(len(parts) for _, parts in images) > 2
        and images[0][1][0].lower() not in SPLIT_BY_NAME
    ):
        images = [(info, parts[1:]) for info, parts in images]  # one folder around all others
    split = all(parts[0].lower() in SPLIT_BY_NAME for _, parts in images)
    _check_splits({parts[0].lower() for _, parts in images} if split else set())
    labelled = []
    for info, parts in sorted(images, key=lambda each: each[0].filename):
        inner = parts[1:] if split else parts
        if len(inner) < 2:
            problems.add(
                Problem(
                    json_pointer([info.filename[:200]]),
                    "no_class",
                    f'"{info.filename[:200]}" has no class',
                    LAYOUT_HINT,
                )
            )
        else:
            labelled.append(ArchiveImage(info, SPLIT_BY_NAME[parts[0].lower()] if split else "train", inner[0]))
    problems.raise_if_any()
    if not labelled:
        refuse("no_rows", "there are no images in the archive", LAYOUT_HINT)
    return labelled


def _check_splits(folders: set[str]) -> None:
    """Refuse two folders that are for the same split: one of them would be left out silently."""
    for split in SPLITS:
        names = sorted(name for name in folders if SPLIT_BY_NAME[name] == split)
        if len(names) > 1:
            detail = f"the folders {' and '.join(names)} are both for the split {split}"
            refuse("duplicate_name", detail, "leave one of them out, or put it into train")


def _inspect_images(upload: Upload, images: Sequence[ArchiveImage]) -> tuple[Column, list[Tensor] | None]:
    """Return the description of all images, and their pixels if they have one size and are small.

    Raises `InvalidInput` with those that cannot be decoded.
    """
    problems, shapes, remaining = ProblemCollector(), list[ImageShape](), MAX_DECODED_PIXELS
    kept: list[Tensor] | None = []
    with translate_archive_errors("zip"), zipfile.ZipFile(upload.path) as archive:
        for each in images:
            try:
                image = open_image(archive.read(each.info))
                shapes.append((channel_count(image), image.height, image.width))
                remaining -= image.height * image.width
                values = decode_image(image, shapes[-1][0]) if remaining >= 0 else None
            except ImageDecodeError as error:
                name = each.info.filename[:200]
                problems.add(
                    Problem(json_pointer([name]), "not_a_picture", f'"{name}" cannot be decoded: {error}', "replace it")
                )
                continue
            fits = (
                values is not None and values.shape == shapes[0] and values.nbytes * len(images) <= MAX_RESIDENT_BYTES
            )
            if kept is not None and values is not None and fits:
                kept.append(values)
            else:
                kept = None
    problems.raise_if_any()
    channels = Counter(shape[0] for shape in shapes).most_common(1)[0][0]
    sizes = {shape[1:] for shape in shapes}
    shape = (channels, *sizes.pop()) if len(sizes) == 1 else (channels,)
    if kept is not None:
        return Column(name="image", shape=shape, peak=255.0), kept
    return Column(name="image", type="image", shape=shape, dtype="uint8", peak=255.0), None
