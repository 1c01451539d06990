import json
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from app.errors import InvalidInput
from tests.workers.data.formats.uploads import (
    describe_upload,
    make_upload,
    problem_codes,
    problem_text,
    schema,
    train,
    upload_problems,
)
from workers.children.describe import describe
from workers.data.formats.catalog import read_upload


def npz(path: Path, **arrays: Any) -> Path:
    np.savez_compressed(path, **{name.replace("__", "/"): value for name, value in arrays.items()})
    return path


def codes(path: Path, **options: Any) -> list[tuple[str, str]]:
    return upload_problems(make_upload(path, **options))


def test_an_archive_of_images_is_described(tmp_path: Path) -> None:
    image = np.arange(2 * 1 * 4 * 4, dtype=np.uint8).reshape(2, 1, 4, 4)
    found = describe_upload(make_upload(npz(tmp_path / "a.npz", image=image, label=np.array([0, 3], np.uint8))))
    assert found.format == "npz"
    assert found.schema is not None
    statistics = dict(found.schema.column("image").statistics)  # type: ignore[union-attr,arg-type]
    assert sum(statistics.pop("histogram")) == 32
    assert statistics == {"min": 0, "mean": 15.5, "max": 31, "std": 85.25**0.5}
    plain = [column.model_copy(update={"statistics": None}) for column in found.schema.columns]
    assert found.schema.model_copy(update={"columns": tuple(plain)}).model_dump(exclude_defaults=True) == {
        "columns": (
            {"name": "image", "shape": (1, 4, 4), "peak": 255.0},
            {"name": "label", "dtype": "int64", "classes": 4},
        ),
        "rows": {"train": 2},
        "inputs": ("image",),
        "target": "label",
    }
    assert found.preview[1]["label"] == 3


def test_prefixes_are_splits(tmp_path: Path) -> None:
    path = npz(
        tmp_path / "a.npz",
        train__x=np.ones((6, 2)),
        train__y=np.arange(6) % 3,
        test__x=np.ones((2, 2)),
        test__y=np.array([5, 1]),
        val__x=np.ones((3, 2)),
        val__y=np.array([1, 1, 2]),
    )
    found = schema(make_upload(path))
    assert list(found.rows.items()) == [("train", 6), ("validation", 3), ("test", 2)]
    assert found.columns[1].classes == 6  # counted over all splits


@pytest.mark.parametrize(
    ("dtype", "seen"),
    [
        (np.float16, "float32"),
        (np.float64, "float32"),
        (np.int8, "int64"),
        (np.int32, "int64"),
        (np.uint16, "int64"),
        (np.uint32, "int64"),
        (np.uint64, "int64"),
        (np.bool_, "bool"),
        (np.uint8, "int64"),
        (">f4", "float32"),
        (">i4", "int64"),
    ],
)
def test_every_type_of_number_is_read(tmp_path: Path, dtype: Any, seen: str) -> None:
    path = npz(tmp_path / "a.npz", x=np.array([0, 1, 1], dtype=dtype), y=np.zeros(3))
    assert schema(make_upload(path)).columns[0].dtype == seen
    assert train(make_upload(path))["x"].tolist() == [0, 1, 1]


def test_safetensors_are_described(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_file({"x": torch.ones(4, 3, dtype=torch.bfloat16), "target": torch.rand(4, 1)}, path)
    found = schema(make_upload(path))
    assert (found.inputs, found.target) == (("x",), "target")
    assert [column.dtype for column in found.columns] == ["float32", "float32"]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_values_that_are_no_numbers_are_counted_with_the_first_place(tmp_path: Path, dtype: type) -> None:
    x = np.array([[0, 1.0], [np.nan, 2.0], [np.inf, -np.inf]], dtype)
    path = npz(tmp_path / "a.npz", x=x, y=np.array([0, 1, np.nan], dtype))
    assert codes(path) == [("not_finite", "/x"), ("not_finite", "/y")]
    said = problem_text(make_upload(path))
    assert '"x" has NaN or infinity 3 times, in 2 of 3 rows; first at [1, 0]' in said
    assert '"y" has NaN or infinity 1 times, in 1 of 3 rows; first at [2]' in said


def test_columns_of_unlike_length_are_a_problem(tmp_path: Path) -> None:
    path = npz(tmp_path / "a.npz", x=np.ones((3, 2)), y=np.ones(4))
    assert codes(path) == [("row_count", "/train")]
    assert "x has 3, y has 4" in problem_text(make_upload(path))


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    path = npz(
        tmp_path / "a.npz", **{"1 x": np.ones((3, 2)), "y": np.ones(4), "z": np.float64(3), "s": np.array(["a"])}
    )
    assert sorted(codes(path)) == [("no_rows", "/z"), ("row_count", "/train"), ("unsupported_dtype", "/s")]


def test_splits_must_have_the_same_columns(tmp_path: Path) -> None:
    path = npz(tmp_path / "a.npz", train__x=np.ones((3, 2)), test__x=np.ones((3, 4)))
    assert codes(path) == [("columns_differ", "/test")]


def test_pickled_objects_are_never_read(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, allow_pickle=True, x=np.array([{"a": 1}], dtype=object))
    assert codes(path) == [("unsupported_dtype", "/x")]
    assert "pickled" in problem_text(make_upload(path))


@pytest.mark.parametrize("keep", [0, 3, 40, 200, -1])
@pytest.mark.parametrize("content_format", ["npz", "safetensors"])
def test_a_truncated_file_is_a_problem_with_a_hint(tmp_path: Path, content_format: str, keep: int) -> None:
    path = tmp_path / "a"
    if content_format == "npz":
        with path.open("wb") as file:
            np.savez(file, x=np.random.default_rng(0).random((50, 4)), y=np.zeros(50))
    else:
        save_file({"x": torch.rand(50, 4), "y": torch.zeros(50)}, path)
    path.write_bytes(path.read_bytes()[:keep])
    assert codes(path, format=content_format) == [("unreadable", "")]
    assert "truncated" in problem_text(make_upload(path, format=content_format))


def test_flipped_bits_are_noticed(tmp_path: Path) -> None:
    path = npz(tmp_path / "a.npz", x=np.random.default_rng(0).random((500, 4)), y=np.zeros(500))
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 0xFF
    path.write_bytes(content)
    assert codes(path) == [("unreadable", "")]


def test_an_archive_that_unpacks_too_far_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = npz(tmp_path / "a.npz", x=np.zeros(10_000_000, np.uint8))
    assert path.stat().st_size < 100_000
    assert codes(path, limit=1_000_000) == [("too_large", "")]
    save_file({"x": torch.zeros(1000)}, path)
    assert codes(path, limit=1000) == [("too_large", "")]


def test_an_absurd_header_is_a_problem(tmp_path: Path) -> None:
    header = str({"descr": "<f8", "fortran_order": False, "shape": (1 << 50,)}).encode().ljust(117) + b"\n"
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + b"\0" * 64)
    assert codes(path) == [("unreadable", "/x")]
    assert "claims the shape [1125899906842624]" in problem_text(make_upload(path))


@pytest.mark.parametrize("length", [1 << 62, 1 << 20, 1])
def test_an_absurd_header_of_safetensors_is_a_problem(tmp_path: Path, length: int) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(struct.pack("<Q", length) + b'{"x": {}}')
    assert codes(path, format="safetensors") == [("unreadable", "")]


def test_safetensors_that_claim_more_than_there_is_are_a_problem(tmp_path: Path) -> None:
    header = json.dumps({"x": {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 1 << 42]}}).encode()
    path = tmp_path / "a.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + b"\0" * 64)
    assert codes(path) == [("unreadable", "")]


def test_a_file_of_another_format_is_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(b"hello")
    assert codes(path, format="npz") == [("unreadable", "")]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "no arrays")
    assert codes(path, format="npz") == [("unsupported_dtype", "/readme.txt")]


def test_another_array_can_be_learned(tmp_path: Path) -> None:
    path = npz(tmp_path / "a.npz", x=np.ones((3, 2)), y=np.ones(3))
    assert schema(make_upload(path, target="x")).inputs == ("y",)
    assert codes(path, target="z") == [("unknown_column", "")]


def test_arrays_of_fortran_are_turned(tmp_path: Path) -> None:
    values = np.arange(6).reshape(2, 3)
    path = npz(tmp_path / "a.npz", x=np.asfortranarray(values))
    assert train(make_upload(path))["x"].tolist() == values.tolist()


def test_reading_raises_what_describing_tells(tmp_path: Path) -> None:
    path = npz(tmp_path / "a.npz", x=np.ones((3, 2)), y=np.ones(4))
    with pytest.raises(InvalidInput) as caught:
        read_upload(make_upload(path))
    assert caught.value.problems == describe(make_upload(path)).problems


@pytest.mark.parametrize("name", ["", "a" * 201, "a\0b"])
@pytest.mark.parametrize("kind", ["safetensors", "weights"])
def test_names_are_those_of_tables(tmp_path: Path, kind: str, name: str) -> None:
    save_file({name: torch.zeros(2, 3)}, tmp_path / "data")
    assert problem_codes(make_upload(tmp_path / "data", format=kind)) == {"invalid_name"}
