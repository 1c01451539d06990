"""Pictures in folders that are named like their classes, in a zip archive."""

import zipfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import torch
from torch import Tensor

from app.errors import Problem
from app.spec.data.columns import Column
from app.spec.problems import pointer
from workers.data.columns import Stored
from workers.data.files.archives import members, unpacking
from workers.data.files.content import Content, Upload
from workers.data.files.parts import SPLITS
from workers.data.files.problems import Findings, refuse
from workers.data.images.decoding import Pictures, Undecodable, channels_of, decoded, opened
from workers.data.types.inference import different_words

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".ppm", ".pgm", ".pbm"})
RESIDENT = 256 << 20  # bytes that all pictures may have to be read as one array
MOST_DECODED = 10**9  # pixels that are decoded when they are looked through; of the others, the headers are read
LAYOUT = "put every picture into a folder named like its class: CLASS/name.png, or train/CLASS/… and test/CLASS/…"

Shape = tuple[int, int, int]  # channels, height, width


@dataclass(frozen=True)
class Found:
    """A picture in the archive."""

    info: zipfile.ZipInfo
    split: str
    label: str


def read_images(upload: Upload) -> Content:
    """Read an archive of pictures: as one array if they are alike and small, else each when it is needed.

    Raises `InvalidInput` with every problem found.
    """
    found = _sorted(members(upload.path, upload.limit))
    labels = different_words(each.label for each in found)
    if labels is None:
        refuse(
            "too_many_labels", "there are more than 1,000 classes, or one with a name of over 200 characters", LAYOUT
        )
    if all(each.split != "train" for each in found):
        refuse("no_rows", "there are no pictures to train on", LAYOUT)
    known = upload.known.column("image") if upload.known is not None else None
    if known is not None and known.type == "image":  # all of them were looked through when they came
        column, values = known, None
    else:
        column, values = _looked_through(upload, found)
    splits: dict[str, dict[str, Stored]] = {}
    for split in ("train", "test"):
        rows = [row for row, each in enumerate(found) if each.split == split]
        if rows:
            pictures = Pictures.of(upload.path, (found[row].info for row in rows), column.shape[0])
            image = pictures if values is None else torch.stack([values[row] for row in rows])
            splits[split] = {"image": image, "label": [found[row].label for row in rows]}
    label = Column(name="label", type="category", labels=labels, classes=len(labels))
    return Content((column, label), splits, ("image",), "label")


def _sorted(infos: Sequence[zipfile.ZipInfo]) -> list[Found]:
    """Return the pictures in order of their names. Raises `InvalidInput`."""
    findings = Findings()
    pictures = []
    for info in infos:
        path = PurePosixPath(info.filename)
        if path.suffix.lower() in SUFFIXES:
            pictures.append((info, path.parts))
        elif len(path.parts) > 1:  # a readme may lie on top
            detail = f'"{info.filename[:200]}" is no picture'
            findings.add(Problem(pointer([info.filename[:200]]), "unknown_file", detail, "leave it out"))
    findings.end()
    while pictures and len({parts[0] for _, parts in pictures}) == 1 and min(len(parts) for _, parts in pictures) > 2 \
            and pictures[0][1][0].lower() not in SPLITS:  # fmt: skip
        pictures = [(info, parts[1:]) for info, parts in pictures]  # one folder around all others
    split = all(parts[0].lower() in SPLITS for _, parts in pictures)
    _check_splits({parts[0].lower() for _, parts in pictures} if split else set())
    found = []
    for info, parts in sorted(pictures, key=lambda each: each[0].filename):
        inner = parts[1:] if split else parts
        if len(inner) < 2:
            findings.add(
                Problem(pointer([info.filename[:200]]), "no_class", f'"{info.filename[:200]}" has no class', LAYOUT)
            )
        else:
            found.append(Found(info, SPLITS[parts[0].lower()] if split else "train", inner[0]))
    findings.end()
    if not found:
        refuse("no_rows", "there are no pictures in the archive", LAYOUT)
    return found


def _check_splits(folders: set[str]) -> None:
    """Refuse two folders that are for the same split: one of them would be left out silently."""
    held = sorted(folders - {"train"})
    if len(held) > 1:
        detail = f"the folders {' and '.join(held)} are both for the split test"
        refuse("duplicate_name", detail, "leave one of them out, or put it into train")


def _looked_through(upload: Upload, found: Sequence[Found]) -> tuple[Column, list[Tensor] | None]:
    """Return the description of all pictures, and they themselves if they are alike and small.

    Raises `InvalidInput` with those that cannot be read.
    """
    findings, shapes, left = Findings(), list[Shape](), MOST_DECODED
    kept: list[Tensor] | None = []
    with unpacking("zip"), zipfile.ZipFile(upload.path) as archive:
        for each in found:
            try:
                image = opened(archive.read(each.info))
                shapes.append((channels_of(image), image.height, image.width))
                left -= image.height * image.width
                values = decoded(image, shapes[-1][0]) if left >= 0 else None
            except Undecodable as error:
                name = each.info.filename[:200]
                findings.add(
                    Problem(pointer([name]), "not_a_picture", f'"{name}" cannot be read: {error}', "replace it")
                )
                continue
            fits = values is not None and values.shape == shapes[0] and values.nbytes * len(found) <= RESIDENT
            if kept is not None and values is not None and fits:
                kept.append(values)
            else:
                kept = None
    findings.end()
    channels = Counter(shape[0] for shape in shapes).most_common(1)[0][0]
    sizes = {shape[1:] for shape in shapes}
    shape = (channels, *sizes.pop()) if len(sizes) == 1 else (channels,)
    if kept is not None:
        return Column(name="image", shape=shape, peak=255.0), kept
    return Column(name="image", type="image", shape=shape, dtype="uint8", peak=255.0), None
