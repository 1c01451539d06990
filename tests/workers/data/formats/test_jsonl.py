from pathlib import Path
from typing import Any

import pytest

from tests.workers.data.formats.uploads import (
    column,
    make_upload,
    problem_codes,
    problem_text,
    schema,
    to_jsonl,
    train,
    upload_problems,
    write_zip,
)
from workers.data.columns import RaggedTensor


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rows.jsonl"


def test_every_type_of_column_is_read(path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {
            "number": 1,
            "text": "one of the texts",
            "words": ["a", "b"],
            "series": [[1, 2]],
            "tensor": [1, 2],
            "truth": True,
            "tree": {"label": "x", "children": [{"label": "y"}, {"label": 3, "children": []}]},
            "y": "u",
        },
        {
            "number": None,
            "text": "another one of them",
            "words": [],
            "series": [[1, 2], [3, 4.5]],
            "tensor": [3, 4],
            "truth": False,
            "tree": {"label": "x"},
            "y": "v",
        },
    ]
    file = make_upload(path, to_jsonl(rows))
    assert {each.name: each.type for each in schema(file).columns} == {
        "number": "number",
        "text": "text",
        "words": "words",
        "series": "series",
        "tensor": "tensor",
        "truth": "number",
        "tree": "tree",
        "y": "category",
    }
    assert (column(file, "series").shape, column(file, "series").longest) == ((2,), 2)
    assert (column(file, "tree").labels, column(file, "tree").widest) == (("3", "x", "y"), 2)
    assert column(file, "words").labels == ("a", "b")
    found = train(file)
    assert isinstance(found["series"], RaggedTensor)
    assert found["series"].values.tolist() == [[1, 2], [1, 2], [3, 4.5]]
    assert found["tree"][1] == {"label": "x", "children": []}
    assert found["words"] == [("a", "b"), ()]


@pytest.mark.parametrize("name", ["label", "target", "y", "labels", "tags"])
def test_a_column_of_that_name_is_learned_else_the_last(path: Path, name: str) -> None:
    assert schema(make_upload(path, to_jsonl([{name: 1, "b": 2}, {name: 2, "b": 3}]))).target == name
    assert schema(make_upload(path, to_jsonl([{"a": 1, "b": 2}, {"a": 2, "b": 3}]))).target == "b"
    alone = schema(make_upload(path, to_jsonl([{"a": 1.5}, {"a": 2.5}])))
    assert (alone.inputs, alone.target) == (("a",), None)


def test_a_key_that_is_not_there_is_a_missing_value(path: Path) -> None:
    file = make_upload(path, to_jsonl([{"a": 1, "y": 1}, {"y": 2, "b": "x"}, {"a": None, "b": None, "y": 3}]))
    assert [(each.name, each.missing) for each in schema(file).columns] == [("a", 2), ("y", 0), ("b", 2)]
    assert upload_problems(make_upload(path, to_jsonl([{"y": 1, "a": 1}, {"a": 2}]))) == [("missing_value", "/2")]


def test_unlike_lengths_make_a_series_and_missing_ones_are_empty(path: Path) -> None:
    file = make_upload(path, to_jsonl([{"s": [1, 2], "y": 1}, {"s": None, "y": 2}, {"s": [], "y": 3}]))
    assert (column(file, "s").type, column(file, "s").missing, column(file, "s").longest) == ("series", 1, 2)
    assert train(file)["s"].lengths.tolist() == [2, 0, 0]


def test_mixed_numbers_and_words_are_words(path: Path) -> None:
    file = make_upload(path, to_jsonl([{"a": 1, "y": 1}, {"a": "x", "y": 2}, {"a": 2.0, "y": 3}, {"a": 0.5, "y": 4}]))
    assert train(file)["a"] == ["1", "x", "2", "0.5"]
    many = [{"a": number, "y": 1} for number in range(500)]
    many[300]["a"] = "x"  # type: ignore[assignment]
    assert upload_problems(make_upload(path, to_jsonl(many))) == [("wrong_type", "/301")]


def test_types_can_be_told(path: Path) -> None:
    rows = [{"s": [1, 2], "y": 1}, {"s": [3, 4], "y": 2}]
    assert column(make_upload(path, to_jsonl(rows)), "s").type == "tensor"
    assert column(make_upload(path, to_jsonl(rows), types={"s": "series"}), "s").type == "series"
    assert column(make_upload(path, to_jsonl(rows), types={"y": "category"}), "y").labels == ("1", "2")
    assert upload_problems(make_upload(path, to_jsonl([*rows, {"s": [1], "y": 3}]), types={"s": "tensor"})) == [
        ("shape_mismatch", "/3")
    ]
    assert upload_problems(make_upload(path, to_jsonl([*rows, {"y": 3}]), types={"s": "tensor"})) == [
        ("missing_value", "/3")
    ]


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ('{"a": 1', "not_json", "column 8"),
        ("[1]", "not_an_object", "a list"),
        ("3", "not_an_object", "a value"),
        ('{"a": NaN}', "not_json", "null for a missing"),
        ('{"a": -Infinity}', "not_json", "null for a missing"),
        ('{"a": 1, "a": 2}', "not_json", '"a" is there twice'),
        ('{"a": 1e999}', "unsupported_value", "too large"),
        ('{"a": ' + "9" * 5000 + "}", "not_json", "digits"),
        ('{"a": ' + "9" * 400 + "}", "unsupported_value", "too large"),
        ('{"a": [1, "x"]}', "unsupported_value", "only words, or only numbers"),
        ('{"a": [[1], [2, 3]]}', "unsupported_value", "differ in length"),
        ('{"a": [[], []]}', "unsupported_value", "empty"),
        ('{"a": [1, null]}', "unsupported_value", "only numbers"),
        ('{"a": [1e300, 1e999]}', "unsupported_value", "too large"),
        ('{"a": [99999999999999999999]}', "unsupported_value", "only words, or only numbers"),
        ('{"a": ' + "[" * 5000 + "]" * 5000 + "}", "not_json", "too deep"),
        ('{"a": ' + "[" * 50 + "1" + "]" * 50 + "}", "unsupported_value", "lists"),
        ('{"a": "\\ud800"}', "not_json", "cannot be stored"),
        ('{"a": "\\u0000"}', "not_json", "cannot be stored"),
    ],
)
def test_a_bad_line_is_told_with_its_number(path: Path, line: str, code: str, said: str) -> None:
    file = make_upload(path, f'{{"a": 1, "y": 1}}\n{line}\n', format="jsonl")
    assert (code, "/2") in upload_problems(file)
    assert "line 2" in problem_text(file)
    assert said in problem_text(file)


@pytest.mark.parametrize(
    "value",
    [
        {"x": 1},
        {"label": None},
        {"label": "a", "children": 3},
        {"label": "a", "childs": []},
        {"label": [1]},
        {"label": "a", "children": ["b"]},
        {"label": True},
    ],
)
def test_an_object_that_is_no_tree_is_a_problem(path: Path, value: Any) -> None:
    assert upload_problems(make_upload(path, to_jsonl([{"a": value, "y": 1}, {"a": value, "y": 2}]))) == [
        ("not_a_tree", "/1"),
        ("not_a_tree", "/2"),
    ]


def test_lists_and_scalars_in_one_column_are_problems(path: Path) -> None:
    rows: list[Any] = [{"a": [1, 2], "y": 1}, {"a": [1], "y": 2}, {"a": 5, "y": 3}, {"a": ["x"], "y": 4}]
    assert upload_problems(make_upload(path, to_jsonl(rows))) == [("wrong_type", "/3"), ("wrong_type", "/4")]


def test_long_words_are_no_labels(path: Path) -> None:
    file = make_upload(path, to_jsonl([{"w": ["a" * 300, "b"], "y": 1}, {"w": ["b"], "y": 2}]))
    assert (column(file, "w").type, column(file, "w").labels) == ("words", None)
    assert max(map(len, (column(file, "w").statistics or {})["counts"])) == 200


def test_labels_have_bounds_together(path: Path) -> None:
    rows = [{f"c{place}": f"{number % 500:0150d}" for place in range(40)} for number in range(1000)]
    assert upload_problems(make_upload(path, to_jsonl(rows))) == [("too_many_labels", "/c0")]
    assert schema(make_upload(path, to_jsonl(rows), types={f"c{place}": "text" for place in range(20)})).rows == {
        "train": 1000
    }


def test_a_table_has_bounds(path: Path) -> None:
    assert problem_codes(make_upload(path, to_jsonl([{f"c{number}": 1 for number in range(10_001)}]))) == {
        "too_many_columns"
    }
    assert problem_codes(make_upload(path, "\n\n", format="jsonl")) == {"no_columns"}
    assert problem_codes(make_upload(path, "{}\n")) == {"no_columns"}
    assert problem_codes(make_upload(path, to_jsonl([{"": 1}]))) == {"invalid_name"}


def test_splits_lie_in_an_archive(path: Path) -> None:
    write_zip(
        path,
        {"train.jsonl": to_jsonl([{"a": "u", "y": "p"}]), "test.jsonl": to_jsonl([{"y": "q"}, {"a": "v", "y": "p"}])},
    )
    assert schema(make_upload(path)).rows == {"train": 1, "test": 2}
    assert column(make_upload(path), "a").missing == 1
    assert column(make_upload(path), "y").labels == ("p", "q")
