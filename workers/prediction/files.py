"""Files of rows: tables, arrays, images, and text formats."""

import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from app.errors import InvalidInput, Problem
from app.spec.data.sources import UploadSource
from app.spec.problems import json_pointer
from workers.data.columns import SplitColumns
from workers.data.files.archives import archive_members, translate_archive_errors
from workers.data.files.content import Upload
from workers.data.files.problems import ProblemCollector, refuse
from workers.data.formats.arrays import read_npz
from workers.data.formats.conll import read_conll
from workers.data.formats.images import IMAGE_SUFFIXES
from workers.data.formats.trees import read_trees
from workers.data.images.decoding import ImageDecodeError, ZipImages, decode_image, open_image
from workers.prediction.network import TrainedNetwork
from workers.prediction.requests import RequestBody
from workers.prediction.required_columns import RequiredColumn
from workers.prediction.rows import parse_columns
from workers.prediction.tables import (
    MAX_UNPACKED_BYTES,
    ValuesByColumn,
    check_columns,
    read_csv,
    read_jsonl,
    read_parquet,
    read_tsv,
)


@dataclass(frozen=True)
class InputRows:
    """Rows to predict."""

    split: SplitColumns
    count: int
    files: Sequence[str] = ()  # their names, if each row is a file


def read_rows(form: str, body: RequestBody, trained: TrainedNetwork) -> InputRows:
    """Read a file. Raises `InvalidInput` with every problem, `ContentTooLarge`."""
    if form in IMAGE_READERS:
        return IMAGE_READERS[form](body, trained)
    return _rows_from_columns(COLUMN_READERS[form](body, trained), body, trained)


def _rows_from_columns(columns: ValuesByColumn, body: RequestBody, trained: TrainedNetwork) -> InputRows:
    check_columns(columns, trained.dataset_columns, [each.name for each in trained.required_columns])
    count = len(next(iter(columns.values()), ()))
    body.check_row_count(count)
    return InputRows(parse_columns(columns, trained.required_columns), count)


def _upload(body: RequestBody) -> Upload:
    return Upload(body.path, UploadSource(kind="upload"), MAX_UNPACKED_BYTES)


def _read_npz_columns(body: RequestBody, trained: TrainedNetwork) -> ValuesByColumn:
    """Read NPZ; all arrays are of one split."""
    split = read_npz(_upload(body)).splits["train"]
    return {name: _array_or_list(values, name, trained) for name, values in split.items()}


def _array_or_list(values: Any, name: str, trained: TrainedNetwork) -> Any:
    array = values.numpy()
    column = trained.dataset_columns.get(name)
    return array if column is None or column.type == "tensor" else array.tolist()


def _read_text_columns(body: RequestBody, trained: TrainedNetwork) -> ValuesByColumn:
    """Read trees, or tokens with their tags, depending on the data set's columns."""
    known = trained.dataset_columns
    if "tree" in known and known["tree"].type == "tree":
        split = read_trees(_upload(body)).splits["train"]
    elif "tokens" in known and known["tokens"].type == "words":
        split = read_conll(_upload(body)).splits["train"]
    else:
        refuse(
            "wrong_format", "text is only read for data sets of trees, or of tokens and tags", "send CSV, JSON or JSONL"
        )
    return {name: list(map(_list_of_tuple, values)) for name, values in split.items() if name in ("tree", "tokens")}  # type: ignore[arg-type]


def _list_of_tuple(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _read_archive(body: RequestBody, trained: TrainedNetwork) -> InputRows:
    members = archive_members(body.path, MAX_UNPACKED_BYTES)
    if members and all(info.filename.endswith(".npy") for info in members):
        return _rows_from_columns(_read_npz_columns(body, trained), body, trained)
    required = _image_column(trained)
    problems = ProblemCollector()
    members = sorted((info for info in members if _is_image(info, problems)), key=lambda info: info.filename)
    problems.raise_if_any()
    body.check_row_count(len(members))
    names = [info.filename for info in members]
    values: list[Any] = []
    with translate_archive_errors("zip"), zipfile.ZipFile(body.path) as archive:
        for info in members:
            values.append(_read_archived_image(required, archive.read(info), info.filename, problems))
    problems.raise_if_any()
    if required.column.type == "image":  # decoded one by one, when batches need them
        images = ZipImages.from_members(body.path, members, _channels(required))
        return InputRows({required.name: images}, len(members), names)
    return InputRows(parse_columns({required.name: values}, [required]), len(members), names)


def _is_image(info: zipfile.ZipInfo, problems: ProblemCollector) -> bool:
    if PurePosixPath(info.filename).suffix.lower() in IMAGE_SUFFIXES:
        return True
    name = info.filename[:200]
    problems.add(Problem(json_pointer([name]), "unknown_file", f'"{name}" is not an image', "remove it"))
    return False


def _read_archived_image(required: RequiredColumn, content: bytes, name: str, problems: ProblemCollector) -> Any:
    """Return the numbers of an image; of one that is decoded later, only check the header."""
    try:
        image = open_image(content)
        return decode_image(image, _channels(required)).numpy() if required.column.type == "tensor" else None
    except ImageDecodeError as error:
        detail = f'"{name[:200]}" cannot be decoded: {error}'
        problems.add(Problem(json_pointer([name[:200]]), "not_an_image", detail, "replace it"))
    return None


def _read_image(body: RequestBody, trained: TrainedNetwork) -> InputRows:
    required = _image_column(trained)
    value: Any = body.path.read_bytes()
    if required.column.type == "tensor":
        try:
            value = decode_image(open_image(value), _channels(required)).numpy()
        except ImageDecodeError as error:
            refuse("not_an_image", f"the image cannot be decoded: {error}", "send a PNG or a JPEG file")
    return InputRows(parse_columns({required.name: [value]}, [required]), 1)


def _image_column(trained: TrainedNetwork) -> RequiredColumn:
    """Return the only column that the network reads if it has images. Raises `InvalidInput`."""
    required = trained.required_columns
    if len(required) == 1 and (required[0].column.type == "image" or len(required[0].column.shape) == 3):
        return required[0]
    names = ", ".join(each.name for each in required)
    raise InvalidInput([Problem("", "wrong_format", f"the network reads {names}, and not only an image", "send rows")])


def _channels(required: RequiredColumn) -> int:
    return required.column.shape[0] if required.column.shape else 3


def _with_known_columns(
    reader: Callable[[RequestBody, Any], ValuesByColumn],
) -> Callable[[RequestBody, TrainedNetwork], ValuesByColumn]:
    return lambda body, trained: reader(body, trained.dataset_columns)


# Form of a body, a value of `app.spec.prediction.ROW_FORMATS` → the reader of its columns.
COLUMN_READERS: Mapping[str, Callable[[RequestBody, TrainedNetwork], ValuesByColumn]] = {
    "csv": _with_known_columns(read_csv),
    "tsv": _with_known_columns(read_tsv),
    "jsonl": _with_known_columns(read_jsonl),
    "parquet": _with_known_columns(read_parquet),
    "npz": _read_npz_columns,
    "text": _read_text_columns,
}
IMAGE_READERS: Mapping[str, Callable[[RequestBody, TrainedNetwork], InputRows]] = {
    "zip": _read_archive,
    "image": _read_image,
}
