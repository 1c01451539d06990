"""The rows of a request in a file: tables, arrays, images, and texts of other forms."""

import zipfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from torch import Tensor

from app.errors import InvalidInput, Problem
from app.spec.data.columns import DataSchema
from app.spec.data.sources import UploadSource
from app.spec.problems import json_pointer
from workers.data.columns import SplitColumns
from workers.data.files.archives import archive_members, is_archive, translate_archive_errors
from workers.data.files.content import Upload
from workers.data.files.problems import ProblemCollector, WarningCollector, refuse
from workers.data.files.split_files import SplitFile, split_files
from workers.data.formats.arrays import MAX_DEFLATE_RATIO, arrays_by_split, read_npz_arrays, read_tensors
from workers.data.formats.delimited import read_csv_table, read_tsv_table
from workers.data.formats.detection import detect_binary, detect_format, detect_text
from workers.data.formats.idx import read_idx_arrays
from workers.data.formats.images.label_table import read_labels
from workers.data.formats.images.layout import ArchiveImage, read_layout
from workers.data.formats.jsonl import read_jsonl_table
from workers.data.formats.parquet import read_parquet_table
from workers.data.formats.texts.conll import read_conll_table
from workers.data.formats.texts.trees import read_trees_table
from workers.data.images.decoding import ImageDecodeError, ZipImages, decode_image, open_image
from workers.data.types.images import image_background, image_channels
from workers.data.types.table import Table, TableOptions
from workers.data.types.values import Values
from workers.prediction.inputs.images import is_image_column
from workers.prediction.inputs.problems import RowProblems, TooManyProblems
from workers.prediction.inputs.requests import RequestBody
from workers.prediction.inputs.rows import RequiredColumn, check_columns, parse_columns
from workers.prediction.network import TrainedNetwork

MAX_UNPACKED_BYTES = 1 << 30  # bytes of a packed file

TableReader = Callable[[Sequence[SplitFile], TableOptions], Table]


@dataclass(frozen=True)
class InputRows:
    """The rows of a request."""

    split: SplitColumns
    count: int
    files: Sequence[str] = ()  # their names, where each row is a file
    warnings: Sequence[Problem] = ()  # what reading them left out, guessed or converted


def read_rows(form: str, body: RequestBody, trained: TrainedNetwork) -> InputRows:
    """Read a file. Raises `InvalidInput` with every problem, and `ContentTooLarge` for too many rows."""
    if form in FILE_READERS:
        return FILE_READERS[form](body, trained)
    return _parse_table(_read_table(TABLE_READERS[form], body, trained), body, trained)


def _upload(body: RequestBody) -> Upload:
    return Upload(body.path, UploadSource(kind="upload", encoding=body.encoding), MAX_UNPACKED_BYTES)


def _read_table(reader: TableReader, body: RequestBody, trained: TrainedNetwork) -> Table:
    columns = (each.column for each in trained.required_columns)
    options = TableOptions.for_columns(columns, MAX_UNPACKED_BYTES, body.check_row_count)
    options = replace(options, drop_empty_rows=False)  # every row has a prediction
    files = split_files(_upload(body))
    _check_one_split([part.split for part in files])
    return reader(files, options)


def _check_one_split(splits: Sequence[str]) -> None:
    """Refuse the rows of several splits, since predictions do not say of which split they are."""
    if len(set(splits)) > 1:
        refuse("several_splits", f"there are rows of {' and '.join(splits)}", "send those of one split")


def _parse_table(table: Table, body: RequestBody, trained: TrainedNetwork) -> InputRows:
    count = len(table.locations)
    body.check_row_count(count)
    check_columns(table.names, trained.dataset_columns, trained.required_columns)
    problems = RowProblems()
    with suppress(TooManyProblems):
        table.add_unreadable(problems)
    absent = {each.name: [None] * count for each in trained.required_columns if each.is_optional}
    columns = parse_columns({**absent, **table.columns}, trained.required_columns, problems)
    return InputRows(columns, count, warnings=table.warnings)


def _read_text(body: RequestBody, trained: TrainedNetwork) -> InputRows:
    """Read trees, or tokens with or without tags, as the data set's columns say; else a table."""
    if detect_text(_upload(body)) == "jsonl":
        return read_rows("jsonl", body, trained)
    for name, kind, reader in (("tree", "tree", read_trees_table), ("tokens", "words", read_conll_table)):
        column = trained.dataset_columns.get(name)
        if column is not None and column.type == kind:
            table = _read_table(reader, body, trained)
            only = replace(table, names=[name])
            return _parse_table(only, body, trained)
    return read_rows("csv", body, trained)


def _read_npz(body: RequestBody, trained: TrainedNetwork) -> InputRows:
    problems = ProblemCollector()
    arrays, _ = read_npz_arrays(_upload(body), problems)
    problems.raise_if_any()
    return _rows_of_arrays(arrays, body, trained)


def _read_safetensors(body: RequestBody, trained: TrainedNetwork) -> InputRows:
    return _rows_of_arrays(read_tensors(_upload(body)), body, trained)


def _read_idx(body: RequestBody, trained: TrainedNetwork) -> InputRows:
    """Read IDX; an array without a name is the only column that the network reads."""
    arrays = read_idx_arrays(_upload(body))
    if len(arrays) == 1 and len(trained.required_columns) == 1:
        arrays = {trained.required_columns[0].name: next(iter(arrays.values()))}
    return _rows_of_arrays(arrays, body, trained)


def _rows_of_arrays(arrays: Mapping[str, Tensor], body: RequestBody, trained: TrainedNetwork) -> InputRows:
    """Return the rows of arrays, which are all of one split."""
    splits = arrays_by_split(arrays)
    _check_one_split(list(splits))
    columns = next(iter(splits.values()), {})
    check_columns(list(columns), trained.dataset_columns, trained.required_columns)
    counts = {name: len(array) if array.ndim else 0 for name, array in columns.items()}
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{name} has {count:,}" for name, count in counts.items())
        refuse("row_count", f"the arrays differ in length: {listed}", "the first dimension counts the rows")
    count = next(iter(counts.values()))
    body.check_row_count(count)
    values = {each.name: _array_values(columns[each.name], each) for each in trained.required_columns}
    return InputRows(parse_columns(values, trained.required_columns), count)


def _array_values(stored: Tensor, required: RequiredColumn) -> np.ndarray[Any, Any] | list[Any]:
    array: np.ndarray[Any, Any] = stored.numpy()
    return array if required.column.type == "tensor" else array.tolist()


def _read_archive(body: RequestBody, trained: TrainedNetwork) -> InputRows:
    """Read an archive of what it looks like: images, arrays, or one table."""
    if not archive_members(body.path, MAX_UNPACKED_BYTES, MAX_DEFLATE_RATIO):
        body.check_row_count(0)
    found = detect_format(_upload(body))
    form = "text" if found in ("conll", "trees", "vectors") else "archived_images" if found == "images" else found
    if form is None:
        refuse("wrong_format", "the archive has no rows in a form that is read here", "send images, arrays or a table")
    return read_rows(form, body, trained)


def _read_images(body: RequestBody, trained: TrainedNetwork) -> InputRows:
    """Read an archive of images, each of which is a row; further columns stand in a table in the archive."""
    warnings = WarningCollector()
    required = _image_column(trained, is_alone=False)
    others = [each for each in trained.required_columns if each.name != required.name]
    schema = DataSchema(columns=tuple(trained.dataset_columns.values()), rows={}, inputs=())
    upload = replace(_upload(body), known_schema=schema)
    layout = read_layout(archive_members(body.path, MAX_UNPACKED_BYTES), warnings)
    images, values = layout.images, dict[str, Values]()
    problems = RowProblems()
    if others:
        labelled = read_labels(upload, layout.images, layout.tables, warnings)
        names = [] if labelled is None else labelled.table.names
        check_columns([required.name, *names], trained.dataset_columns, trained.required_columns)
        if labelled is not None:
            images, values = labelled.images, dict(labelled.table.columns)
            with suppress(TooManyProblems):
                labelled.table.add_unreadable(problems)
    body.check_row_count(len(images))
    pixels = _pixels(body, required, images)
    if isinstance(pixels, ZipImages):
        split: SplitColumns = {**parse_columns(values, others, problems), required.name: pixels}
    else:
        split = parse_columns({**values, required.name: pixels}, trained.required_columns, problems)
    return InputRows(split, len(images), [image.info.filename for image in images], warnings.warnings)


def _pixels(
    body: RequestBody, required: RequiredColumn, images: Sequence[ArchiveImage]
) -> ZipImages | list[np.ndarray[Any, Any] | None]:
    """Return the pixels of images; of a column of images, what decodes them when they are needed."""
    problems = ProblemCollector()
    with translate_archive_errors("zip"), zipfile.ZipFile(body.path) as archive:
        values = [_read_member(required, archive.read(image.info), image.name, problems) for image in images]
    problems.raise_if_any()
    if required.column.type != "image":
        return values
    members = [image.info for image in images]
    column = required.column
    return ZipImages.from_members(body.path, members, image_channels(column), image_background(column))


def _read_member(
    required: RequiredColumn, content: bytes, name: str, problems: ProblemCollector
) -> np.ndarray[Any, Any] | None:
    """Return an image's pixels; of one that is decoded later, read the header alone."""
    try:
        image = open_image(content)
        if required.column.type == "tensor":
            return decode_image(image, image_channels(required.column), image_background(required.column)).numpy()
    except ImageDecodeError as error:
        detail = f'"{name[:200]}" cannot be decoded: {error}'
        problems.add(Problem(json_pointer([name[:200]]), "not_an_image", detail, "replace it"))
    return None


def _read_image(body: RequestBody, trained: TrainedNetwork) -> InputRows:
    required = _image_column(trained)
    return InputRows(parse_columns({required.name: [body.path.read_bytes()]}, [required]), 1)


def _read_file(body: RequestBody, trained: TrainedNetwork) -> InputRows:
    """Read a file whose media type does not say what it is."""
    try:
        open_image(body.path.read_bytes())
    except ImageDecodeError:
        if is_archive(body.path):
            return _read_archive(body, trained)
        return read_rows(detect_binary(_upload(body)) or "text", body, trained)
    return _read_image(body, trained)


def _image_column(trained: TrainedNetwork, is_alone: bool = True) -> RequiredColumn:
    """Return the only column of images that the network reads. Raises `InvalidInput`."""
    required = trained.required_columns
    images = [each for each in required if is_image_column(each.column)]
    if len(images) == 1 and (len(required) == 1 or not is_alone):
        return images[0]
    names = ", ".join(each.name for each in required)
    raise InvalidInput([Problem("", "wrong_format", f"the network reads {names}, not an image alone", "send rows")])


# Form of a body (see `app.spec.prediction.ROW_FORMATS`), or of an archive → what reads it.
TABLE_READERS: Mapping[str, TableReader] = {
    "csv": read_csv_table,
    "tsv": read_tsv_table,
    "jsonl": read_jsonl_table,
    "parquet": read_parquet_table,
}
FILE_READERS: Mapping[str, Callable[[RequestBody, TrainedNetwork], InputRows]] = {
    "npz": _read_npz,
    "safetensors": _read_safetensors,
    "idx": _read_idx,
    "text": _read_text,
    "zip": _read_archive,
    "archived_images": _read_images,
    "image": _read_image,
    "file": _read_file,
}
