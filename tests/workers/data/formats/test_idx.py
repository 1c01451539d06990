import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from tests.workers.data.formats.uploads import (
    content,
    make_upload,
    problem_codes,
    problem_text,
    schema,
    train,
    upload_problems,
    write_zip,
)

IMAGES = np.arange(3 * 2 * 2, dtype=np.uint8).reshape(3, 2, 2)
LABELS = np.array([2, 0, 1], np.uint8)
CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def encode_idx(values: np.ndarray) -> bytes:
    kind = f"{values.dtype.kind}{values.dtype.itemsize}"
    body = values.astype(values.dtype.newbyteorder(">")).tobytes()
    return struct.pack(f">HBB{values.ndim}I", 0, CODES[kind], values.ndim, *values.shape) + body


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.mark.parametrize("pack", [False, True])
@pytest.mark.parametrize("kind", CODES)
def test_one_file_is_one_column(path: Path, kind: str, pack: bool) -> None:
    body = encode_idx(IMAGES.astype(kind))
    file = make_upload(path, gzip.compress(body) if pack else body)
    assert train(file)["image"].tolist() == IMAGES[:, None].tolist()
    assert (schema(file).inputs, schema(file).target) == (("image",), None)


@pytest.mark.parametrize(("ending", "joint"), [("", "-"), (".gz", "-"), ("", "."), (".gz", ".")])
def test_an_archive_has_the_four_files(path: Path, ending: str, joint: str) -> None:
    kinds = {f"images{joint}idx3": IMAGES, f"labels{joint}idx1": LABELS}
    splits = ("train", "t10k")
    names = {f"MNIST/raw/{split}-{kind}-ubyte{ending}": encode_idx(kinds[kind]) for split in splits for kind in kinds}
    write_zip(path, {name: gzip.compress(body) if ending else body for name, body in names.items()})
    found = schema(make_upload(path))
    assert (found.rows, found.target, found.columns[1].classes) == ({"train": 3, "test": 3}, "label", 3)
    assert (found.columns[0].shape, found.columns[0].peak) == ((1, 2, 2), 255.0)
    assert list(content(make_upload(path)).splits) == ["train", "test"]


@pytest.mark.parametrize("shape", [(3, 2, 3), (1 << 31, 1 << 31, 1 << 31), (0, 2, 2), (3, 2, 1)])
def test_a_header_is_compared_with_the_file(path: Path, shape: tuple[int, ...]) -> None:
    file = make_upload(path, struct.pack(">HBB3I", 0, 8, 3, *shape) + IMAGES.tobytes())
    assert upload_problems(file) == [("unreadable", "")]
    assert f"claims the shape {list(shape)}" in problem_text(file)


@pytest.mark.parametrize(
    "body",
    [
        b"\0\0\x08\x01",
        b"\0\0\x08\x01\0\0",
        gzip.compress(encode_idx(LABELS), mtime=0)[:-9],
        b"\0\0\x07\x01" + b"\0" * 9,
    ],
)
def test_a_damaged_file_is_a_problem(path: Path, body: bytes) -> None:
    assert problem_codes(make_upload(path, body, format="idx")) == {"unreadable"}


def test_what_gzip_packs_is_bounded(path: Path) -> None:
    bomb = gzip.compress(encode_idx(np.zeros(50_000_000, np.uint8)))
    assert len(bomb) < 100_000
    assert upload_problems(make_upload(path, bomb, limit=1 << 20)) == [("too_large", "")]
    write_zip(path, {"train-labels-idx1-ubyte.gz": bomb})
    assert upload_problems(make_upload(path, limit=1 << 20)) == [("too_large", "/train-labels-idx1-ubyte.gz")]


def test_files_of_an_archive_belong_together(path: Path) -> None:
    write_zip(path, {"train-images-idx3-ubyte": encode_idx(IMAGES), "train-labels-idx1-ubyte": encode_idx(LABELS[:2])})
    assert problem_codes(make_upload(path)) == {"row_count"}
    write_zip(path, {"train-images-idx3-ubyte": encode_idx(IMAGES), "more": b"x"})
    assert upload_problems(make_upload(path)) == [("unknown_file", "/more")]
    write_zip(path, {"t10k-images-idx3-ubyte": encode_idx(IMAGES)})
    assert problem_codes(make_upload(path)) == {"no_columns"}
