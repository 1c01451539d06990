"""Rows become columns of the data set, and every mistake is a problem with its place."""

import base64
import io
from dataclasses import replace
from typing import Any

import pytest
import torch
from PIL import Image

from app.errors import InvalidInput
from app.spec.data.columns import COLUMN_TYPES, Column
from workers.data.columns import RaggedTensor
from workers.data.types.catalog import TYPE_CLASSES
from workers.data.types.images import InMemoryImages
from workers.prediction.inputs.rows import RequiredColumn, split_from_rows, unknown_word_warnings


def required_column(
    type_: str = "tensor", longest: int | None = None, needed: bool = False, **column: Any
) -> RequiredColumn:
    return RequiredColumn(Column.model_validate({"name": "a", "type": type_, **column}), longest, needed)


def parse_values(each: RequiredColumn, *values: Any) -> Any:
    return split_from_rows([{"a": value} for value in values], [each], ["a", "b"])["a"]


def problems(each: RequiredColumn, *values: Any) -> list[tuple[str, str]]:
    with pytest.raises(InvalidInput) as caught:
        parse_values(each, *values)
    assert all(problem.detail.startswith('"a": ') for problem in caught.value.problems)
    return [(problem.pointer, problem.code) for problem in caught.value.problems]


def png_base64(width: int = 3, height: int = 2, mode: str = "RGB") -> str:
    file = io.BytesIO()
    Image.new(mode, (width, height), 7 if mode == "L" else (7, 8, 9)).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def test_every_type_has_a_reader() -> None:
    assert TYPE_CLASSES.keys() == COLUMN_TYPES.keys()


def test_numbers() -> None:
    column = parse_values(required_column("number"), 1, 2.5, None, True)
    assert column.tolist()[:2] == [1.0, 2.5]
    assert column.isnan().tolist() == [False, False, True, False]
    assert problems(required_column("number"), 1, "2", [3], {}, 1e39) == [
        ("/rows/1/a", "wrong_type"),
        ("/rows/2/a", "wrong_type"),
        ("/rows/3/a", "wrong_type"),
        ("/rows/4/a", "out_of_range"),
    ]
    assert problems(required_column("number", needed=True), None, 1) == [("/rows/0/a", "missing_value")]


@pytest.mark.parametrize(
    ("value", "hint"),
    [("2.5", "without quotes"), ("-1e3", "without quotes"), ("two", "write null"), ("", "write null")],
)
def test_a_text_for_a_number(value: str, hint: str) -> None:
    with pytest.raises(InvalidInput) as error:
        parse_values(required_column("number"), value)
    assert hint in str(error.value.problems[0].hint)


@pytest.mark.parametrize(
    ("value", "label"), [("1067", "01067"), (1067, "01067"), (" 50667", "50667"), ("Ulm", None), ("JA", "ja")]
)
def test_words_that_training_did_not_know_are_told(value: Any, label: str | None) -> None:
    each = required_column("category", labels=("01067", "50667", "ja"), classes=3)
    split = split_from_rows([{"a": value}, {"a": "01067"}, {"a": None}], [each], ["a"])
    (warning,) = unknown_word_warnings(split, [each])
    assert (warning.pointer, warning.code) == ("/columns/a", "unknown_word")
    assert (f'"{label}"' in warning.hint) == (label is not None)
    assert not list(unknown_word_warnings(split_from_rows([{"a": "ja"}], [each], ["a"]), [each]))


def test_no_word_is_unknown_whose_letters_are_read() -> None:
    each = replace(required_column("category", labels=("anna", "otto"), classes=2), is_spelt=True)
    assert not list(unknown_word_warnings(split_from_rows([{"a": "ann"}, {"a": ""}], [each], ["a"]), [each]))


@pytest.mark.parametrize("type_", ["category", "text"])
def test_words(type_: str) -> None:
    assert parse_values(required_column(type_), "x", None, "", 3, 2.5, 4.0) == ["x", None, "", "3", "2.5", "4"]
    assert problems(required_column(type_), {}, "x", ["x"]) == [
        ("/rows/0/a", "wrong_type"),
        ("/rows/2/a", "wrong_type"),
    ]


def test_lists_of_words() -> None:
    assert parse_values(required_column("words"), ["x", "y"], [], None) == [("x", "y"), (), ()]
    assert problems(required_column("words"), ["x", 1], "x y", 3) == [
        ("/rows/0/a/1", "wrong_type"),
        ("/rows/1/a", "wrong_type"),
        ("/rows/2/a", "wrong_type"),
    ]


def test_series() -> None:
    found = parse_values(required_column("series"), [1, 2.5], [], [3], None)
    assert isinstance(found, RaggedTensor)
    assert (found.lengths.tolist(), found.values.tolist()) == ([2, 0, 1, 0], [1, 2.5, 3])
    wide = parse_values(required_column("series", shape=(2,)), [[1, 2]], [])
    assert wide.values.shape == (1, 2)


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ([1, 2], "wrong_shape"),
        ([[1, 2, 3]], "wrong_shape"),
        (1, "wrong_type"),
        ("x", "wrong_type"),
        ([[1, "x"]], "wrong_type"),
        ([[1, 2], [3]], "wrong_type"),
        ([[1, None]], "wrong_type"),
        ([[1, 1e39]], "out_of_range"),
        ([[1, 2]] * 4, "too_long"),
    ],
)
def test_invalid_series(value: Any, code: str) -> None:
    assert problems(required_column("series", longest=3, shape=(2,)), [[1, 2]], value) == [("/rows/1/a", code)]


def test_a_series_may_be_longer_if_it_is_truncated() -> None:
    assert parse_values(required_column("series"), [0] * 1000).lengths.tolist() == [1000]


LEAF = {"label": "x"}
TREE = {"label": "x", "children": [LEAF, {"label": "y", "children": []}]}


def test_trees() -> None:
    assert parse_values(required_column("tree"), TREE) == [
        {"label": "x", "children": [{"label": "x", "children": []}, {"label": "y", "children": []}]}
    ]


@pytest.mark.parametrize(
    ("value", "place", "code"),
    [
        ({"label": "x", "children": [LEAF, {"children": []}]}, "/children/1", "wrong_type"),
        ({"label": "x", "children": [{"label": "x", "children": [3]}]}, "/children/0/children/0", "wrong_type"),
        ({"label": None}, "", "wrong_type"),
        ({"label": True}, "", "wrong_type"),
        ({"label": "x", "children": None}, "", "wrong_type"),
        ({"label": "x", "kids": []}, "", "wrong_type"),
        ([], "", "wrong_type"),
        ("(x y)", "", "wrong_type"),
        ({"label": "x", "children": [TREE]}, "", "too_long"),
        ({"label": "x", "children": [LEAF] * 3}, "", "too_long"),
    ],
)
def test_invalid_trees(value: Any, place: str, code: str) -> None:
    assert problems(required_column("tree", longest=3, widest=2), TREE, value)[0] == ("/rows/1/a" + place, code)


def test_a_tree_may_be_deep() -> None:
    root: dict[str, Any] = {"label": "x"}
    for _ in range(5000):
        root = {"label": "x", "children": [root]}
    assert len(parse_values(required_column("tree"), root)) == 1


def test_tensors() -> None:
    found = parse_values(required_column(shape=(2, 2)), [[1, 2], [3, 4.5]], [[0, 0], [0, 0]])
    assert (found.dtype, found.shape) == (torch.float64, (2, 2, 2))
    assert parse_values(required_column(dtype="int64"), 3, 4).tolist() == [3, 4]
    assert parse_values(required_column(dtype="bool", shape=(1,)), [True]).tolist() == [[True]]


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ([1, 2, 3], "wrong_shape"),
        (1, "wrong_shape"),
        ([[1, 2]], "wrong_shape"),
        ([1, "2"], "wrong_type"),
        ([1, None], "wrong_type"),
        ("12", "wrong_type"),
        (None, "wrong_type"),
        ({}, "wrong_type"),
        ([1, [2]], "wrong_type"),
        ([1, 1e39], "out_of_range"),
        ([], "wrong_shape"),
    ],
)
def test_invalid_tensors(value: Any, code: str) -> None:
    assert problems(required_column(shape=(2,)), [1, 2], value) == [("/rows/1/a", code)]


def test_numbers_out_of_the_range_of_the_column() -> None:
    assert problems(required_column(shape=(2,), peak=16.0), [0, 16], [0, 17], [-1, 0]) == [
        ("/rows/1/a", "out_of_range"),
        ("/rows/2/a", "out_of_range"),
    ]
    assert problems(required_column(dtype="int64", classes=3), 2, 3) == [("/rows/1/a", "out_of_range")]
    assert problems(required_column(dtype="int64"), 2, 2.5) == [("/rows/1/a", "wrong_type")]


def test_images() -> None:
    image = required_column("image", shape=(3, 9, 9))
    found = parse_values(image, png_base64(), [[[1, 2]], [[3, 4]], [[5, 6]]], png_base64(mode="L"))
    assert isinstance(found, InMemoryImages)
    assert [tuple(each.shape) for each in found.images] == [(3, 2, 3), (3, 1, 2), (3, 2, 3)]
    assert found.read(0)[:, 0, 0].tolist() == [7, 8, 9]
    assert found.take(torch.tensor([1])).read(0).tolist() == [[[1, 2]], [[3, 4]], [[5, 6]]]


@pytest.mark.parametrize(
    "value", ["aGVsbG8=", "no base64!", None, 3, [1, 2], [[[1]]], [[[0.5]], [[1]], [[2]]], [[[]], [[]], [[]]]]
)
def test_invalid_images(value: Any) -> None:
    assert problems(required_column("image", shape=(3, 9, 9)), png_base64(), value) == [("/rows/1/a", "not_an_image")]


def test_bytes_of_images_have_a_range() -> None:
    assert problems(required_column("image", shape=(1, 9, 9)), [[[256]]], [[[-1]]]) == [
        ("/rows/0/a", "out_of_range"),
        ("/rows/1/a", "out_of_range"),
    ]


def test_names_of_columns() -> None:
    columns = [required_column("number"), RequiredColumn(Column(name="b/c", type="number"))]
    rows = [{"a": 1, "b/c": 2}, {"a": "x"}, {"b/c": 3, "aa": 3}, {"a": 1, "b/c": 2, "y": "not looked at"}]
    with pytest.raises(InvalidInput) as caught:
        split_from_rows(rows, columns, ["a", "b/c", "y"])
    assert [(problem.pointer, problem.code) for problem in caught.value.problems] == [
        ("/rows/1/b~1c", "missing_column"),
        ("/rows/1/a", "wrong_type"),
        ("/rows/2/aa", "unknown_column"),
        ("/rows/2/a", "missing_column"),
    ]
    assert caught.value.problems[2].hint == 'did you mean "a"?'


def test_many_problems_end_early() -> None:
    with pytest.raises(InvalidInput) as caught:
        split_from_rows([{"a": "x"}] * 5000, [required_column("number")], ["a"])
    assert len(caught.value.problems) == 101
    assert caught.value.problems[-1].code == "too_many_problems"
