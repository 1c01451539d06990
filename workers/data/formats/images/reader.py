"""Images in a zip archive, with their labels: names of folders, or columns of a table."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch

from app.spec.data.columns import MAX_LABELS, Column, DataSchema
from workers.data.columns import ParsedColumn
from workers.data.files.archives import archive_members
from workers.data.files.content import Content, Upload
from workers.data.files.problems import WarningCollector, refuse
from workers.data.files.split_files import SPLITS
from workers.data.formats.images.inspection import IMAGE_COLUMN, decode_images, inspect_images
from workers.data.formats.images.label_table import LabelledImages, read_labels
from workers.data.formats.images.layout import LAYOUT_HINT, ArchiveImage, class_of_images, read_layout
from workers.data.images.decoding import ZipImages
from workers.data.types.images import image_background
from workers.data.types.statistics import MAX_LABEL_LENGTH, unique_words
from workers.data.types.table import TARGET_NAMES, build_content

PixelsBySplit = Mapping[str, ParsedColumn]


def read_images(upload: Upload) -> Content:
    """Read an archive of images: as one array if they have one size and are small, else lazily.

    Raises `InvalidInput` with every problem.
    """
    warnings = WarningCollector()
    layout = read_layout(archive_members(upload.path, upload.limit), warnings)
    labelled = read_labels(upload, layout.images, layout.tables, warnings)
    if labelled is not None:
        return _read_labelled(upload, labelled, warnings)
    images = sorted(layout.images, key=lambda image: SPLITS.index(image.split or "train"))
    classes = class_of_images(images, warnings)
    labels = unique_words(classes)
    if labels is not None and len(labels) == 1 and layout.tables:
        table, example = layout.tables[0].filename[:80], images[0].info.filename[:80]
        detail = f'all images are in the folder "{labels[0]}", and "{table}" names none of them'
        refuse("no_class", detail, f'let a column of it name the images, such as "{example}"')
    if labels is None:
        refuse(
            "too_many_labels",
            f"there are more than {MAX_LABELS:,} classes, or one with a name of over {MAX_LABEL_LENGTH} characters",
            LAYOUT_HINT,
        )
    column, pixels = _read_pixels(upload, images, [image.split or "train" for image in images], warnings)
    by_split: dict[str, dict[str, ParsedColumn]] = {}
    for split, values in pixels.items():
        own = [label for image, label in zip(images, classes, strict=True) if (image.split or "train") == split]
        by_split[split] = {IMAGE_COLUMN: values, "label": own}
    label = Column(name="label", type="category", labels=labels, classes=len(labels), decided_by="metadata")
    return Content((column, label), by_split, (IMAGE_COLUMN,), "label", warnings=warnings.warnings)


def _read_pixels(
    upload: Upload, images: Sequence[ArchiveImage], splits: Sequence[str], warnings: WarningCollector
) -> tuple[Column, PixelsBySplit]:
    """Return the description of images, and their pixels or files by split; `images` are in the order of splits."""
    if "train" not in splits:
        refuse("no_rows", "there are no images to train on", LAYOUT_HINT)
    known = upload.known_schema.column(IMAGE_COLUMN) if upload.known_schema is not None else None
    column = known or inspect_images(upload.path, images, upload.source.background, warnings)
    pixels = decode_images(upload.path, images, column) if column.type == "tensor" else None
    by_split: dict[str, ParsedColumn] = {}
    for split in dict.fromkeys(splits):
        rows = [row for row, each in enumerate(splits) if each == split]
        members = [images[row].info for row in rows]
        by_split[split] = (
            ZipImages.from_members(upload.path, members, column.shape[0], image_background(column))
            if pixels is None
            else torch.stack([pixels[row] for row in rows])
        )
    return column, by_split


def _read_labelled(upload: Upload, labelled: LabelledImages, warnings: WarningCollector) -> Content:
    """Return images with the columns of their table, of which one is learned and the others are inputs."""
    table = labelled.table
    if IMAGE_COLUMN in table.names:
        hint = f'rename it: "{IMAGE_COLUMN}" are the pixels'
        refuse("duplicate_name", f'the table of labels has another column "{IMAGE_COLUMN}"', hint)
    if not table.names:
        refuse("no_columns", "the table of images has no column beside their names", "add their labels")
    column, pixels = _read_pixels(upload, labelled.images, labelled.splits, warnings)
    target = upload.source.target or _default_target(table.names)
    rest = build_content(replace(table, warnings=()), _table_upload(upload, target))
    splits = {split: {IMAGE_COLUMN: values, **rest.splits[split]} for split, values in pixels.items()}
    inputs = (IMAGE_COLUMN, *(name for name in rest.inputs if name != target))
    is_guessed = target not in (upload.source.target, *TARGET_NAMES)
    everything = (*warnings.warnings, *rest.warnings)
    return Content((column, *rest.columns), splits, inputs, target, is_guessed, everything)


def _default_target(names: Sequence[str]) -> str:
    return next((name for name in TARGET_NAMES if name in names), names[-1])


def _table_upload(upload: Upload, target: str) -> Upload:
    """Return the upload as its table of labels alone."""
    known = upload.known_schema
    schema = (
        None
        if known is None
        else DataSchema(
            columns=tuple(column for column in known.columns if column.name != IMAGE_COLUMN),
            rows=known.rows,
            inputs=tuple(name for name in known.inputs if name != IMAGE_COLUMN),
            target=known.target,
        )
    )
    return replace(upload, source=upload.source.model_copy(update={"target": target}), known_schema=schema)
