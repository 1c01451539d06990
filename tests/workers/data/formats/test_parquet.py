import datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.workers.data.formats.uploads import (
    column,
    make_upload,
    problem_codes,
    problem_text,
    schema,
    train,
    upload_problems,
    write_zip,
)
from workers.children.describe import describe

TEXTS = ["this is one long text", "another long text", "a text again"]
TREES = ['{"label": "x", "children": [{"label": "y"}]}', '{"label": "y"}', None]


def write_parquet(columns: dict[str, Any], **options: Any) -> bytes:
    file = BytesIO()
    parquet.write_table(pa.table(columns), file, **options)
    return file.getvalue()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "table.parquet"


def test_every_type_of_column_is_read(path: Path) -> None:
    content = write_parquet(
        {
            "int": pa.array([1, None, 3], pa.int32()),
            "float": pa.array([0.5, float("nan"), 2.5]),
            "decimal": pa.array([1, 2, None], pa.decimal128(5, 2)),
            "truth": [True, False, None],
            "choice": pa.array(["a", None, "a"]).dictionary_encode(),
            "text": TEXTS,
            "series": [[1.0, 2.0], [], None],
            "pairs": [[[1, 2]], [[3, 4], [5, 6]], [[7, 8]]],
            "tensor": pa.array([[1, 2], [3, 4], [5, 6]], pa.list_(pa.int64(), 2)),
            "words": [["a"], ["b", "c"], []],
            "tree": TREES,
            "y": pa.array([2, 0, 1], pa.uint8()),
        },
        row_group_size=2,
    )
    file = make_upload(path, content)
    assert {each.name: (each.type, each.missing) for each in schema(file).columns} == {
        "int": ("number", 1),
        "float": ("number", 1),
        "decimal": ("number", 1),
        "truth": ("number", 1),
        "choice": ("category", 1),
        "text": ("text", 0),
        "series": ("series", 1),
        "pairs": ("series", 0),
        "tensor": ("tensor", 0),
        "words": ("words", 0),
        "tree": ("tree", 1),
        "y": ("number", 0),
    }
    found = train(file)
    assert found["series"].lengths.tolist() == [2, 0, 0]
    assert found["pairs"].lengths.tolist() == [1, 2, 1]
    assert found["tensor"].tolist() == [[1, 2], [3, 4], [5, 6]]
    assert found["words"] == [("a",), ("b", "c"), ()]
    assert found["y"].tolist() == [2, 0, 1]
    assert (schema(file).target, column(file, "y").labels) == ("y", ("0", "1", "2"))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([datetime.time(1, 2)], "time64"),
        ([datetime.timedelta(1)], "duration"),
        ([b"x"], "binary"),
        ([{"a": 1}], "struct"),
        (pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64())), "map"),
        ([[datetime.date(2024, 1, 1)]], "list<"),
    ],
)
def test_types_that_are_not_read_are_named(path: Path, values: Any, said: str) -> None:
    file = make_upload(path, write_parquet({"when": values, "y": [1]}))
    assert upload_problems(file) == [("unsupported_dtype", "/when")]
    assert f'"when" holds {said}' in problem_text(file)


def test_texts_without_nul_are_wanted(path: Path) -> None:
    for values in (["a\0b", "c"], [["a\0b"], ["c"]]):
        assert problem_codes(make_upload(path, write_parquet({"a": values, "y": [1, 2]}))) == {"unsupported_value"}


def test_a_null_or_an_infinity_in_a_list_is_a_problem(path: Path) -> None:
    assert problem_codes(make_upload(path, write_parquet({"a": [[1, None]], "y": [1]}))) == {"unsupported_value"}
    assert problem_codes(make_upload(path, write_parquet({"a": [[1.0, float("inf")]], "y": [1]}))) == {
        "unsupported_value"
    }
    file = make_upload(path, write_parquet({"a": [1.0, float("inf")], "y": [1, 2]}))
    assert upload_problems(file) == [("not_a_number", "/2")]
    assert "row 2" in problem_text(file)


@pytest.mark.parametrize("keep", [4, 40, -1, -9, 200])
def test_a_truncated_file_is_a_problem(path: Path, keep: int) -> None:
    content = write_parquet({"a": list(range(1000)), "y": [0.5] * 1000})
    assert problem_codes(make_upload(path, content[:keep])) == {"unreadable"}


def test_flipped_bits_never_break_the_reader(path: Path) -> None:
    content = write_parquet({"a": list(range(200)), "b": [f"text {n} of many" for n in range(200)], "y": [[1.5]] * 200})
    for place in range(4, len(content), 37):
        damaged = bytearray(content)
        damaged[place] ^= 0xFF
        try:
            problem_codes(make_upload(path, bytes(damaged), limit=1 << 24))
        except AssertionError:  # it is still a table
            continue


def test_rows_that_take_no_room_in_the_file_are_counted(path: Path) -> None:
    """A column of ten million equal values is packed into some kilobytes."""
    content = write_parquet({"a": pa.array([0] * 4_000_000, pa.int8()), "y": pa.array([0] * 4_000_000, pa.int8())})
    assert len(content) < 200_000
    assert upload_problems(make_upload(path, content, limit=1 << 25)) == [("too_large", "")]
    assert schema(make_upload(path, content)).rows == {"train": 4_000_000}


def test_splits_lie_in_an_archive(path: Path) -> None:
    write_zip(
        path,
        {
            "train.parquet": write_parquet({"a": [1.5, 2.5], "y": ["u", "v"]}),
            "test.parquet": write_parquet({"a": [0.5], "y": ["w"]}),
        },
    )
    assert schema(make_upload(path)).rows == {"train": 2, "test": 1}
    assert column(make_upload(path), "y").labels == ("u", "v", "w")
    write_zip(
        path, {"train.parquet": write_parquet({"a": [1.5], "y": ["u"]}), "test.parquet": write_parquet({"y": ["w"]})}
    )
    assert upload_problems(make_upload(path)) == [("columns_differ", "/test.parquet")]


def test_a_column_must_have_a_name_and_be_one(path: Path) -> None:
    assert problem_codes(make_upload(path, write_parquet({"": [1], "y": [1]}))) == {"invalid_name"}
    file = BytesIO()
    parquet.write_table(pa.table([[1], [2]], names=["a", "a"]), file)
    assert problem_codes(make_upload(path, file.getvalue())) == {"duplicate_name"}
    assert problem_codes(make_upload(path, write_parquet({"a": pa.array([], pa.int8())}))) == {"no_rows"}


LONG_TEXT = "x" * 10_000
BOMBS = {  # columns whose dictionary is small, and whose rows are many
    "a text in every row": pa.DictionaryArray.from_arrays(pa.array([0] * 10_000, pa.int32()), [LONG_TEXT]),
    "a list of one text": pa.array([[LONG_TEXT] * 1000], pa.list_(pa.string())),
    "a list of one number": pa.array([[0] * 1_000_000], pa.list_(pa.int8())),
    "numbers in lists of lists": pa.array([[[0] * 1000] * 500] * 2, pa.list_(pa.list_(pa.int8()))),
}


@pytest.mark.parametrize("name", BOMBS)
def test_small_files_that_unpack_to_much_are_refused_before_they_do(
    path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = write_parquet({"a": BOMBS[name]}, compression="zstd")
    assert len(content) < 20_000
    upload = make_upload(path, content, limit=5_000_000)
    with monkeypatch.context() as patch:
        patch.setattr("workers.data.formats.parquet._concatenate", lambda blocks: pytest.fail("values were unpacked"))
        assert [code for code, _ in upload_problems(upload)] == ["too_large"]
    assert "bytes unpacked, at most 5,000,000 are allowed" in problem_text(upload)
    assert "too_large" not in {problem.code for problem in describe(make_upload(path, content, limit=1 << 30)).problems}


@pytest.mark.parametrize("groups", [1, 3])
@pytest.mark.parametrize("dictionary", [1 << 10, 1 << 20])
def test_texts_in_lists_are_read_with_any_dictionaries(path: Path, groups: int, dictionary: int) -> None:
    """Beyond `dictionary` bytes the writer gives the dictionary up in the middle of a row group."""
    lists = [[f"word{number}-{place}" for place in range(3)] for number in range(300)]
    options = {"dictionary_pagesize_limit": dictionary, "row_group_size": 300 // groups}
    found = train(make_upload(path, write_parquet({"words": pa.array(lists)}, **options)))["words"]
    assert [list(words) for words in found] == lists


def test_a_name_with_a_dot_is_a_name(path: Path) -> None:
    content = write_parquet({"a.b": ["x", "y", "x"], "a": [["u"], ["v"], ["w"]]})
    assert set(train(make_upload(path, content))) == {"a.b", "a"}
