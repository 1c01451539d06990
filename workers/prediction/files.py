"""Files of rows: tables, arrays, pictures, and texts of other forms."""

import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from app.errors import InvalidInput, Problem
from app.spec.data.sources import UploadSource
from app.spec.problems import pointer
from workers.data.columns import Split
from workers.data.files.archives import members, unpacking
from workers.data.files.content import Upload
from workers.data.files.problems import Findings, refuse
from workers.data.formats.arrays import read_npz
from workers.data.formats.conll import read_conll
from workers.data.formats.images import SUFFIXES
from workers.data.formats.trees import read_trees
from workers.data.images.decoding import Pictures, Undecodable, decoded, opened
from workers.prediction.columns import Wanted
from workers.prediction.network import Trained
from workers.prediction.requests import Body
from workers.prediction.rows import stored
from workers.prediction.tables import (
    UNPACKED,
    Columns,
    check_names,
    read_csv,
    read_jsonl,
    read_parquet,
    read_tsv,
)


@dataclass(frozen=True)
class Sent:
    """Rows of which something shall be told."""

    split: Split
    count: int
    files: Sequence[str] = ()  # their names, where each row is a file


def read(form: str, body: Body, trained: Trained) -> Sent:
    """Read a file. Raises `InvalidInput` with every problem found, `TooLarge`."""
    if form in PICTURES:
        return PICTURES[form](body, trained)
    return _of_columns(COLUMNS[form](body, trained), body, trained)


def _of_columns(columns: Columns, body: Body, trained: Trained) -> Sent:
    check_names(columns, trained.known, [each.name for each in trained.wanted])
    count = len(next(iter(columns.values()), ()))
    body.check(count)
    return Sent(stored(columns, trained.wanted), count)


def _upload(body: Body) -> Upload:
    return Upload(body.path, UploadSource(kind="upload"), UNPACKED)


def _arrays(body: Body, trained: Trained) -> Columns:
    """Read NPZ; all arrays are of one split."""
    split = read_npz(_upload(body)).splits["train"]
    return {name: _listed(values, name, trained) for name, values in split.items()}


def _listed(values: Any, name: str, trained: Trained) -> Any:
    array = values.numpy()
    column = trained.known.get(name)
    return array if column is None or column.type == "tensor" else array.tolist()


def _texts(body: Body, trained: Trained) -> Columns:
    """Read trees, or tokens with their tags, as the data set's columns say."""
    known = trained.known
    if "tree" in known and known["tree"].type == "tree":
        split = read_trees(_upload(body)).splits["train"]
    elif "tokens" in known and known["tokens"].type == "words":
        split = read_conll(_upload(body)).splits["train"]
    else:
        refuse("wrong_format", "text is for data sets of trees, or of tokens and tags", "send CSV, JSON or JSONL")
    return {name: list(map(_plain, values)) for name, values in split.items() if name in ("tree", "tokens")}  # type: ignore[arg-type]


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _archive(body: Body, trained: Trained) -> Sent:
    found = members(body.path, UNPACKED)
    if found and all(info.filename.endswith(".npy") for info in found):
        return _of_columns(_arrays(body, trained), body, trained)
    wanted = _pictured(trained)
    findings = Findings()
    found = sorted((info for info in found if _is_picture(info, findings)), key=lambda info: info.filename)
    findings.end()
    body.check(len(found))
    names = [info.filename for info in found]
    values: list[Any] = []
    with unpacking("zip"), zipfile.ZipFile(body.path) as archive:
        for info in found:
            values.append(_seen(wanted, archive.read(info), info.filename, findings))
    findings.end()
    if wanted.column.type == "image":  # decoded one by one, when they are needed
        return Sent({wanted.name: Pictures.of(body.path, found, _channels(wanted))}, len(found), names)
    return Sent(stored({wanted.name: values}, [wanted]), len(found), names)


def _is_picture(info: zipfile.ZipInfo, findings: Findings) -> bool:
    if PurePosixPath(info.filename).suffix.lower() in SUFFIXES:
        return True
    name = info.filename[:200]
    findings.add(Problem(pointer([name]), "unknown_file", f'"{name}" is no picture', "leave it out"))
    return False


def _seen(wanted: Wanted, content: bytes, name: str, findings: Findings) -> Any:
    """Return a picture's numbers; of one that is decoded later, only look at the header."""
    try:
        image = opened(content)
        return decoded(image, _channels(wanted)).numpy() if wanted.column.type == "tensor" else None
    except Undecodable as error:
        detail = f'"{name[:200]}" cannot be read: {error}'
        findings.add(Problem(pointer([name[:200]]), "not_an_image", detail, "replace it"))
    return None


def _picture(body: Body, trained: Trained) -> Sent:
    wanted = _pictured(trained)
    value: Any = body.path.read_bytes()
    if wanted.column.type == "tensor":
        try:
            value = decoded(opened(value), _channels(wanted)).numpy()
        except Undecodable as error:
            refuse("not_an_image", f"the picture cannot be read: {error}", "send a PNG or a JPEG file")
    return Sent(stored({wanted.name: [value]}, [wanted]), 1)


def _pictured(trained: Trained) -> Wanted:
    """Return the only column that the network reads, if it is of pictures. Raises `InvalidInput`."""
    wanted = trained.wanted
    if len(wanted) == 1 and (wanted[0].column.type == "image" or len(wanted[0].column.shape) == 3):
        return wanted[0]
    names = ", ".join(each.name for each in wanted)
    raise InvalidInput([Problem("", "wrong_format", f"the network reads {names}, and not only a picture", "send rows")])


def _channels(wanted: Wanted) -> int:
    return wanted.column.shape[0] if wanted.column.shape else 3


def _table(reader: Callable[[Body, Any], Columns]) -> Callable[[Body, Trained], Columns]:
    return lambda body, trained: reader(body, trained.known)


# Form of a body (see `app.spec.prediction.FORMS`) → what reads its columns.
COLUMNS: Mapping[str, Callable[[Body, Trained], Columns]] = {
    "csv": _table(read_csv),
    "tsv": _table(read_tsv),
    "jsonl": _table(read_jsonl),
    "parquet": _table(read_parquet),
    "npz": _arrays,
    "text": _texts,
}
PICTURES: Mapping[str, Callable[[Body, Trained], Sent]] = {"zip": _archive, "image": _picture}
