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
from workers.data.uploads import describe, read


def npz(path: Path, **arrays: Any) -> Path:
    np.savez_compressed(path, **{name.replace("__", "/"): value for name, value in arrays.items()})
    return path


def codes(path: Path, content_format: str = "npz", **options: Any) -> list[tuple[str, str]]:
    found = describe(path, content_format, **options)
    assert found.schema is None
    assert all(problem.detail for problem in found.problems)
    return [(problem.code, problem.pointer) for problem in found.problems]


def test_an_archive_of_images_is_described(tmp_path: Path) -> None:
    image = np.arange(2 * 1 * 4 * 4, dtype=np.uint8).reshape(2, 1, 4, 4)
    found = describe(npz(tmp_path / "a.npz", image=image, label=np.array([0, 3], np.uint8)), "npz")
    assert found.problems == ()
    assert found.schema is not None
    assert found.schema.model_dump(exclude_defaults=True) == {
        "columns": (
            {"name": "image", "shape": (1, 4, 4), "peak": 255.0},
            {"name": "label", "dtype": "int64", "classes": 4},
        ),
        "rows": {"train": 2}, "inputs": ("image",), "target": "label",
    }  # fmt: skip
    assert found.preview[1]["label"] == 3
    json.dumps(found.preview, allow_nan=False)


def test_prefixes_are_splits(tmp_path: Path) -> None:
    path = npz(tmp_path / "a.npz", train__x=np.ones((6, 2)), train__y=np.arange(6) % 3,
               test__x=np.ones((2, 2)), test__y=np.array([5, 1]))  # fmt: skip
    found = describe(path, "npz")
    assert found.schema is not None
    assert found.schema.rows == {"train": 6, "test": 2}
    assert found.schema.columns[1].classes == 6  # counted over both splits


@pytest.mark.parametrize(("dtype", "seen"), [
    (np.float16, "float32"), (np.float64, "float32"), (np.int8, "int64"), (np.int32, "int64"), (np.uint16, "int64"),
    (np.uint32, "int64"), (np.uint64, "int64"), (np.bool_, "bool"), (np.uint8, "int64"), (">f4", "float32"),
    (">i4", "int64"),
])  # fmt: skip
def test_every_type_of_number_is_read(tmp_path: Path, dtype: Any, seen: str) -> None:
    path = npz(tmp_path / "a.npz", x=np.array([0, 1, 1], dtype=dtype), y=np.zeros(3))
    found = describe(path, "npz")
    assert found.schema is not None
    assert found.schema.columns[0].dtype == seen
    assert read(path, "npz").splits["train"]["x"].tolist() == [0, 1, 1]


def test_safetensors_are_described(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_file({"x": torch.ones(4, 3, dtype=torch.bfloat16), "target": torch.rand(4, 1)}, path)
    found = describe(path, "safetensors")
    assert found.schema is not None
    assert found.schema.inputs == ("x",)
    assert found.schema.target == "target"
    assert [column.dtype for column in found.schema.columns] == ["float32", "float32"]


def test_values_that_are_no_numbers_do_not_break_the_preview(tmp_path: Path) -> None:
    found = describe(npz(tmp_path / "a.npz", x=np.array([[np.nan, 1.0], [np.inf, 2.0]]), y=np.zeros(2)), "npz")
    assert found.preview[0]["x"] == [None, 1.0]
    json.dumps(found.preview, allow_nan=False)


def test_columns_of_unlike_length_are_a_problem(tmp_path: Path) -> None:
    path = npz(tmp_path / "a.npz", x=np.ones((3, 2)), y=np.ones(4))
    assert codes(path) == [("row_count", "/train")]
    assert "x has 3, y has 4" in describe(path, "npz").problems[0].detail


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    path = npz(tmp_path / "a.npz", **{"1x": np.ones((3, 2)), "y": np.ones(4), "z": np.float64(3), "s": np.array(["a"])})
    assert sorted(codes(path)) == [
        ("invalid_name", "/1x"), ("no_rows", "/z"), ("row_count", "/train"), ("unsupported_dtype", "/s"),
    ]  # fmt: skip


def test_splits_must_have_the_same_columns(tmp_path: Path) -> None:
    path = npz(tmp_path / "a.npz", train__x=np.ones((3, 2)), test__x=np.ones((3, 4)))
    assert codes(path) == [("columns_differ", "/test")]


def test_pickled_objects_are_never_read(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, allow_pickle=True, x=np.array([{"a": 1}], dtype=object))
    assert codes(path) == [("unreadable", "")]


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
    assert codes(path, content_format) == [("unreadable", "")]
    assert "truncated" in describe(path, content_format).problems[0].hint


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
    assert codes(path, "safetensors", limit=1000) == [("too_large", "")]


def test_an_absurd_header_is_a_problem(tmp_path: Path) -> None:
    header = str({"descr": "<f8", "fortran_order": False, "shape": (1 << 50,)}).encode().ljust(117) + b"\n"
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + b"\0" * 64)
    assert codes(path) == [("unreadable", "")]


def test_a_file_of_another_format_is_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(b"hello")
    assert codes(path) == [("unreadable", "")]
    assert codes(path, "parquet") == [("wrong_format", "")]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "no arrays")
    assert codes(path)[0] == ("unsupported_dtype", "/readme.txt")


def test_reading_raises_what_describing_tells(tmp_path: Path) -> None:
    path = npz(tmp_path / "a.npz", x=np.ones((3, 2)), y=np.ones(4))
    with pytest.raises(InvalidInput) as caught:
        read(path, "npz")
    assert caught.value.problems == describe(path, "npz").problems
