"""Training reads stored content by the schema that was stored with it: the same columns, and nothing is inferred."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from app.errors import InvalidInput
from tests.workers.data.formats.test_images import encode_image
from tests.workers.data.formats.test_parquet import write_parquet
from tests.workers.data.formats.uploads import make_upload, schema, to_jsonl, upload_problems, write_zip
from workers.data.columns import RaggedTensor
from workers.data.files.content import Content, Upload
from workers.data.formats import arrays
from workers.data.formats.catalog import read_upload
from workers.data.types import table

ROWS: list[dict[str, Any]] = [
    {"n": 1, "b": True, "c": "u", "t": "one of the texts", "w": ["a", "b"], "s": [[1, 2]], "x": [1, 2], "y": 1.5},
    {"n": None, "b": False, "c": "v", "t": "another", "w": [], "s": [[1, 2], [3, 4.5]], "x": [3, 4], "y": 2.5},
    {"b": True, "c": None, "t": None, "w": None, "s": [], "x": [5, 6], "tree": {"label": "x"}, "y": 3},
]
CSV = """n,b,c,t,w,s,x,tree,y
1,true,u, one of the texts ,"[""a"",""b""]","[1,2.5]","[[1,2]]","{""label"":1}",1
NA,False,v,[deleted],[],[3],"[[3,4]]",,2
-1e3,,,another,,,"[[5,6]]","{""label"":""x"",""children"":[{""label"":""y""}]}",3
"""
PARQUET = {
    "n": pa.array([1, None, 3], pa.int32()),
    "truth": [True, False, None],
    "written_truth": ["true", "False", None],
    "choice": ["a", None, "a"],
    "text": [" this is one long text", "another long text ", "a text again"],
    "series": [[1.0, 2.0], [], None],
    "tensor": pa.array([[1, 2], [3, 4], [5, 6]], pa.list_(pa.int64(), 2)),
    "words": [["a"], ["b", "c"], []],
    "tree": ['{"label": "x", "children": [{"label": "y"}]}', '{"label": "y"}', None],
    "y": pa.array([2, 0, 1], pa.uint8()),
}
CONTENTS: dict[str, str | bytes] = {
    "jsonl": to_jsonl(ROWS),
    "csv": CSV,
    "tsv": "a\tb\tc\n1\tx\tp\n2\ty\tq\n",
    "parquet": write_parquet(PARQUET),
    "conll": "EU B-ORG\nsays O\n\nno O\n",
    "trees": "(1 (0 a) (1 b))\n(0 a)\n",
}


def reread(file: Upload, monkeypatch: pytest.MonkeyPatch) -> tuple[Content, Content]:
    """Return what a new upload holds, and what is read of it by its stored schema, without inference."""
    fresh, stored = read_upload(file), schema(file)
    with monkeypatch.context() as patch:
        patch.setattr(table, "infer_type", None)
        return fresh, read_upload(replace(file, known_schema=stored))


def same(first: Any, second: Any) -> bool:
    if isinstance(first, RaggedTensor):
        return same(first.values, second.values) and same(first.offsets, second.offsets)
    if isinstance(first, torch.Tensor):
        return first.dtype == second.dtype and torch.equal(first.nan_to_num(9e9), second.nan_to_num(9e9))
    return bool(first == second)


@pytest.mark.parametrize("kind", CONTENTS)
def test_columns_are_the_same_bit_by_bit(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    file = make_upload(tmp_path / "data", CONTENTS[kind], format=kind)
    fresh, known = reread(file, monkeypatch)
    assert (known.inputs, known.target) == (fresh.inputs, fresh.target)
    assert known.columns == schema(file).columns
    assert known.splits.keys() == fresh.splits.keys()
    for split, columns in fresh.splits.items():
        assert known.splits[split].keys() == columns.keys()
        assert all(same(column, known.splits[split][name]) for name, column in columns.items()), kind


@pytest.mark.parametrize(
    ("text", "types"),
    [
        ("a,y\ntrue,1\nFalse,2\n", {"a": "category"}),
        ("a,y\ntrue,1\nFalse,2\n", {"a": "text"}),
        ("a,y\ntrue,1\n0,2\n", {"a": "number"}),
        ("a,y\n01,1\n2,2\n", {"a": "category"}),
        ("a,y\n" + "1,2\n" * 5000 + "x,3\n" * 100, None),
    ],
)
def test_so_are_columns_of_a_given_type(
    tmp_path: Path, text: str, types: dict[str, str] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh, known = reread(make_upload(tmp_path / "data", text, types=types), monkeypatch)
    assert same(fresh.splits["train"]["a"], known.splits["train"]["a"])


def test_images_are_not_decoded_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = ((3, 2), (5, 4))
    write_zip(tmp_path / "data", {f"{place}/1.png": encode_image(place, size) for place, size in enumerate(sizes)})
    fresh, known = reread(make_upload(tmp_path / "data"), monkeypatch)
    assert known.columns[0].type == "image"
    assert known.splits["train"]["label"] == fresh.splits["train"]["label"]


def test_arrays_are_not_measured_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "data").open("wb") as file:
        np.savez(file, x=np.zeros((2, 3)), y=np.array([0, 1]))
    upload = make_upload(tmp_path / "data")
    stored = schema(upload)
    monkeypatch.setattr(arrays, "_column", None)
    known = read_upload(replace(upload, known_schema=stored))
    assert (known.columns, known.inputs, known.target) == (stored.columns, ("x",), "y")


def test_content_of_another_schema_is_refused(tmp_path: Path) -> None:
    other = schema(make_upload(tmp_path / "other", "a,b,y\n1,x,2\n2,y,3\n"))
    file = make_upload(tmp_path / "data", "a,y\n1,2\nx,3\n")
    with pytest.raises(InvalidInput) as caught:
        read_upload(replace(file, known_schema=other))
    assert [problem.code for problem in caught.value.problems] == ["columns_differ"]
    other = schema(make_upload(tmp_path / "other", "a,y\n1,2\n2,3\n"))
    with pytest.raises(InvalidInput) as caught:
        read_upload(replace(file, known_schema=other))
    assert [(problem.code, problem.pointer) for problem in caught.value.problems] == [("not_a_number", "/3")]


def test_truths_of_a_given_type_are_read_as_predictions_read_them(tmp_path: Path) -> None:
    path = tmp_path / "data"
    numbers = read_upload(make_upload(path, "a,y\ntrue,1\n0,2\n,3\n", types={"a": "number"})).splits["train"]["a"]
    assert same(numbers, torch.tensor([1, 0, float("nan")], dtype=torch.float64))
    assert read_upload(make_upload(path, "a,y\ntrue,1\nFalse,2\n", types={"a": "text"})).splits["train"]["a"] == [
        "true",
        "False",
    ]
    file = make_upload(path, "a,y\ntrue,1\nFalse,2\n", types={"a": "category"})
    assert read_upload(file).splits["train"]["a"] == ["true", "False"]


def test_a_table_has_no_images(tmp_path: Path) -> None:
    file = make_upload(tmp_path / "data", to_jsonl([{"a": "aGVsbG8=", "y": 1}]), types={"a": "image"})
    assert upload_problems(file) == [("wrong_type", "/a")]


def test_numbers_beyond_float32_are_refused_in_lists(tmp_path: Path) -> None:
    file = make_upload(tmp_path / "data", to_jsonl([{"a": [1, 1e39], "y": 1}]))
    assert upload_problems(file) == [("unsupported_value", "/1")]
