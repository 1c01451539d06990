"""The rows of a request in a file: tables, arrays, images, and texts of other forms."""

import zipfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from torch import Tensor

from app.errors import InvalidInput, Problem
from app.spec.data.sources import UploadSource
from app.spec.problems import json_pointer
from workers.data.columns import SplitColumns
from workers.data.files.archives import archive_members, translate_archive_errors
from workers.data.files.content import Upload
from workers.data.files.problems import ProblemCollector, refuse
from workers.data.files.split_files import SplitFile
from workers.data.formats.arrays import read_npz
from workers.data.formats.conll import read_conll_table
from workers.data.formats.delimited import read_csv_table, read_tsv_table
from workers.data.formats.jsonl import read_jsonl_table
from workers.data.formats.parquet import read_parquet_table
from workers.data.formats.trees import read_trees_table
from workers.data.images.decoding import IMAGE_SUFFIXES, ImageDecodeError, ZipImages, decode_image, open_image
from workers.data.types.images import image_channels
from workers.data.types.table import Table, TableOptions
from workers.prediction.network import TrainedNetwork
from workers.prediction.problems import RowProblems, TooManyProblems
from workers.prediction.requests import RequestBody
from workers.prediction.required_columns import RequiredColumn
from workers.prediction.rows import check_columns, parse_columns

MAX_UNPACKED_BYTES = 1 << 30  # bytes of a packed file

TableReader = Callable[[Sequence[SplitFile], TableOptions], Table]


@dataclass(frozen=True)
class InputRows:
    """The rows of a request."""

    split: SplitColumns
    count: int
    files: Sequence[str] = ()  # their names, where each row is a file


def read_rows(form: str, body: RequestBody, trained: TrainedNetwork) -> InputRows:
    """Read a file. Raises `InvalidInput` with every problem, and `ContentTooLarge` for too many rows."""
    if form in FILE_READERS:
        return FILE_READERS[form](body, trained)
    return _parse_table(_read_table(TABLE_READERS[form], body, trained), body, trained)


def _read_table(reader: TableReader, body: RequestBody, trained: TrainedNetwork) -> Table:
    columns = (each.column for each in trained.required_columns)
    options = TableOptions.for_columns(columns, MAX_UNPACKED_BYTES, body.check_row_count)
    return reader([SplitFile("train", body.path)], options)


def _parse_table(table: Table, body: RequestBody, trained: TrainedNetwork) -> InputRows:
    count = len(table.locations)
    body.check_row_count(count)
    check_columns(table.names, trained.dataset_columns, trained.required_columns)
    problems = RowProblems()
    with suppress(TooManyProblems):
        table.add_unreadable(problems)
    return InputRows(parse_columns(table.columns, trained.required_columns, problems), count)


def _read_text(body: RequestBody, trained: TrainedNetwork) -> InputRows:
    """Read trees, or tokens with their tags, as the data set's columns say."""
    for name, kind, reader in (("tree", "tree", read_trees_table), ("tokens", "words", read_conll_table)):
        column = trained.dataset_columns.get(name)
        if column is not None and column.type == kind:
            table = _read_table(reader, body, trained)
            return _parse_table(Table([name], table.columns, table.locations, table.splits), body, trained)
    return refuse("wrong_format", "text is for data sets of trees, or of tokens and tags", "send CSV, JSON or JSONL")


def _read_npz(body: RequestBody, trained: TrainedNetwork) -> InputRows:
    """Read NPZ; all arrays are of one split."""
    arrays = read_npz(Upload(body.path, UploadSource(kind="upload"), MAX_UNPACKED_BYTES)).splits["train"]
    check_columns(list(arrays), trained.dataset_columns, trained.required_columns)
    count = len(next(iter(arrays.values())))
    body.check_row_count(count)
    values = {each.name: _array_values(arrays[each.name], each) for each in trained.required_columns}
    return InputRows(parse_columns(values, trained.required_columns), count)


def _array_values(stored: object, required: RequiredColumn) -> np.ndarray[Any, Any] | list[Any]:
    array: np.ndarray[Any, Any] = stored.numpy() if isinstance(stored, Tensor) else np.array(stored)
    return array if required.column.type == "tensor" else array.tolist()


def _read_archive(body: RequestBody, trained: TrainedNetwork) -> InputRows:
    """Read an archive of images, each of which is a row; or NPZ."""
    members = archive_members(body.path, MAX_UNPACKED_BYTES)
    if members and all(info.filename.endswith(".npy") for info in members):
        return _read_npz(body, trained)
    required = _image_column(trained)
    problems = ProblemCollector()
    images = sorted((info for info in members if _is_image(info, problems)), key=lambda info: info.filename)
    problems.raise_if_any()
    body.check_row_count(len(images))
    names = [info.filename for info in images]
    with translate_archive_errors("zip"), zipfile.ZipFile(body.path) as archive:
        values = [_read_member(required, archive.read(info), info.filename, problems) for info in images]
    problems.raise_if_any()
    if required.column.type == "image":  # decoded one by one, when they are needed
        lazy = ZipImages.from_members(body.path, images, image_channels(required.column))
        return InputRows({required.name: lazy}, len(images), names)
    return InputRows(parse_columns({required.name: values}, [required]), len(images), names)


def _is_image(info: zipfile.ZipInfo, problems: ProblemCollector) -> bool:
    if PurePosixPath(info.filename).suffix.lower() in IMAGE_SUFFIXES:
        return True
    name = info.filename[:200]
    problems.add(Problem(json_pointer([name]), "unknown_file", f'"{name}" is not an image', "leave it out"))
    return False


def _read_member(
    required: RequiredColumn, content: bytes, name: str, problems: ProblemCollector
) -> np.ndarray[Any, Any] | None:
    """Return an image's pixels; of one that is decoded later, read the header alone."""
    try:
        image = open_image(content)
        if required.column.type == "tensor":
            return decode_image(image, image_channels(required.column)).numpy()
    except ImageDecodeError as error:
        detail = f'"{name[:200]}" cannot be decoded: {error}'
        problems.add(Problem(json_pointer([name[:200]]), "not_an_image", detail, "replace it"))
    return None


def _read_image(body: RequestBody, trained: TrainedNetwork) -> InputRows:
    required = _image_column(trained)
    value: object = body.path.read_bytes()
    if required.column.type == "tensor":
        try:
            value = decode_image(open_image(body.path.read_bytes()), image_channels(required.column)).numpy()
        except ImageDecodeError as error:
            refuse("not_an_image", f"the image cannot be decoded: {error}", "send a PNG or JPEG file")
    return InputRows(parse_columns({required.name: [value]}, [required]), 1)


def _image_column(trained: TrainedNetwork) -> RequiredColumn:
    """Return the only column that the network reads, if it holds images. Raises `InvalidInput`."""
    required = trained.required_columns
    if len(required) == 1 and (required[0].column.type == "image" or len(required[0].column.shape) == 3):
        return required[0]
    names = ", ".join(each.name for each in required)
    raise InvalidInput([Problem("", "wrong_format", f"the network reads {names}, not an image alone", "send rows")])


# Form of a body (see `app.spec.prediction.ROW_FORMATS`) → what reads it.
TABLE_READERS: Mapping[str, TableReader] = {
    "csv": read_csv_table,
    "tsv": read_tsv_table,
    "jsonl": read_jsonl_table,
    "parquet": read_parquet_table,
}
FILE_READERS: Mapping[str, Callable[[RequestBody, TrainedNetwork], InputRows]] = {
    "npz": _read_npz,
    "text": _read_text,
    "zip": _read_archive,
    "image": _read_image,
}
