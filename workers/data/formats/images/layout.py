"""Where the images of an archive lie: in folders of splits and of classes, with tables of labels among them."""

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import NoReturn

from app.errors import InvalidInput, Problem
from app.spec.problems import json_pointer
from workers.data.files.problems import ProblemCollector, WarningCollector, format_count, refuse
from workers.data.files.split_files import SPLIT_BY_NAME, SPLITS
from workers.data.images.decoding import IMAGE_SUFFIXES

TABLE_SUFFIXES = frozenset({".csv", ".tsv", ".tab", ".jsonl", ".ndjson"})
# Endings of images that are not read: an archive that has some would otherwise lose rows.
FOREIGN_IMAGE_SUFFIXES = frozenset(
    {".tif", ".tiff", ".heic", ".heif", ".avif", ".svg", ".ico", ".jp2", ".psd", ".dng", ".cr2", ".nef", ".dcm", ".eps"}
)
LAYOUT_HINT = (
    "put every image into a folder named like its class: CLASS/name.png, or train/CLASS/… and test/CLASS/…; "
    "or add a table with their names and labels; pictures without classes go into one folder"
)


@dataclass(frozen=True)
class ArchiveImage:
    """An image in the archive. Its folders are those below the ones that all images share."""

    info: zipfile.ZipInfo
    folders: tuple[str, ...]
    split: str | None = None  # by the name of a folder

    @property
    def name(self) -> str:
        """The name of the file in the archive, for problems."""
        return self.info.filename[:200]


@dataclass(frozen=True)
class Layout:
    """The files of an archive."""

    images: Sequence[ArchiveImage]  # in the order of their names
    tables: Sequence[zipfile.ZipInfo]


def read_layout(infos: Sequence[zipfile.ZipInfo], warnings: WarningCollector) -> Layout:
    """Sort the files of an archive into images, tables and others, which are left out. Raises `InvalidInput`."""
    images, tables, others = [], [], []
    problems = ProblemCollector()
    for info in sorted(infos, key=lambda each: each.filename):
        path = PurePosixPath(info.filename)
        suffix = path.suffix.lower()
        if suffix in IMAGE_SUFFIXES:
            images.append(ArchiveImage(info, path.parts[:-1]))
        elif suffix in FOREIGN_IMAGE_SUFFIXES:
            detail = f'"{info.filename[:200]}" is an image of a format that is not read'
            problems.add(Problem(json_pointer([info.filename[:200]]), "unknown_file", detail, "convert it to PNG"))
        elif suffix in TABLE_SUFFIXES:
            tables.append(info)
        else:
            others.append(info)
    problems.raise_if_any()
    warn_of_files(others, "no images", "remove them", warnings)
    if not images:
        refuse("no_rows", "there are no images in the archive", LAYOUT_HINT)
    return Layout(_split_by_folder(_without_common_folders(images)), tables)


def warn_of_files(infos: Sequence[zipfile.ZipInfo], which: str, hint: str, warnings: WarningCollector) -> None:
    """Say which files of the archive were left out."""
    if infos:
        names = ", ".join(f'"{info.filename[:80]}"' for info in infos[:3]) + (", …" if len(infos) > 3 else "")
        warnings.add("", "files", f"{format_count(len(infos), 'file')} left out, {which}: {names}", hint)


def _without_common_folders(images: Sequence[ArchiveImage]) -> Sequence[ArchiveImage]:
    """Leave out folders around all others, such as that of the archive's own name; those of splits stay."""
    while (
        len(first := {image.folders[:1] for image in images}) == 1
        and max(len(image.folders) for image in images) > 1
        and next(iter(first))[0].lower() not in SPLIT_BY_NAME
    ):
        images = [replace(image, folders=image.folders[1:]) for image in images]
    return images


def _split_by_folder(images: Sequence[ArchiveImage]) -> Sequence[ArchiveImage]:
    """Return the images with the splits that folders at the top, or below those of the classes, stand for."""
    tops = {image.folders[0].lower() for image in images if image.folders}
    if all(image.folders for image in images) and tops <= SPLIT_BY_NAME.keys():
        _check_splits(tops)
        return [
            replace(image, split=SPLIT_BY_NAME[image.folders[0].lower()], folders=image.folders[1:]) for image in images
        ]
    deep = sorted(
        image.folders[0] for image in images if len(image.folders) > 1 and image.folders[0].lower() in SPLIT_BY_NAME
    )
    if deep:
        others = sorted(name for name in tops if name not in SPLIT_BY_NAME) or ["the top"]
        detail = f'the folder "{deep[0]}" is named like a split, and {others[0]} has images too'
        refuse("mixed_folders", detail, LAYOUT_HINT)
    seconds = {image.folders[1].lower() if len(image.folders) > 1 else "" for image in images}
    if seconds <= SPLIT_BY_NAME.keys():
        _check_splits(seconds)
        return [
            replace(
                image, split=SPLIT_BY_NAME[image.folders[1].lower()], folders=(image.folders[0], *image.folders[2:])
            )
            for image in images
        ]
    return images


def _check_splits(folders: set[str]) -> None:
    """Refuse two folders that are for the same split: one of them would be left out silently."""
    for split in SPLITS:
        same = sorted(name for name in folders if SPLIT_BY_NAME[name] == split)
        if len(same) > 1:
            detail = f"the folders {' and '.join(same)} are both for the split {split}"
            refuse("duplicate_name", detail, "leave one of them out, or put it into train")


def class_of_images(images: Sequence[ArchiveImage], warnings: WarningCollector) -> list[str]:
    """Return the class of every image, the name of its folder. Raises `InvalidInput` for images without one."""
    without = [image for image in images if not image.folders]
    if without:
        _refuse_without_class(without)
    nested = sorted({"/".join(image.folders) for image in images if len(image.folders) > 1})
    if nested:
        detail = (
            f"{format_count(len(nested), 'folder')} within those of classes read as part of their class: {nested[0]}"
        )
        warnings.add("/columns/label", "nested_folders", detail, "put images directly into the folder of their class")
    return [image.folders[0] for image in images]


def _refuse_without_class(images: Sequence[ArchiveImage]) -> NoReturn:
    problems = ProblemCollector()
    for image in images:
        problems.add(Problem(json_pointer([image.name]), "no_class", f'"{image.name}" has no class', LAYOUT_HINT))
    problems.raise_if_any()
    raise InvalidInput([])
