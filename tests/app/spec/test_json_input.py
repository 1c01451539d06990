"""What is read from a body, and what is refused."""

import json
import math
from collections.abc import Iterator
from typing import Any

import pytest

from app.errors import ContentTooLarge, InvalidInput, MalformedRequest, Problem, UnsupportedMediaType
from app.spec import json_input
from app.spec.json_input import MAX_INT64, MAX_PROBLEMS, MAX_YAML_VALUES, parse_document

JSON, YAML, DEPTH = "application/json", "application/yaml", 16
BOTH_FORMATS = pytest.mark.parametrize("kind", [JSON, YAML])


def input_problems(body: bytes | str, kind: str = JSON) -> list[tuple[str, str]]:
    """Return (pointer, code) of the problems with a body."""
    with pytest.raises(InvalidInput) as caught:
        parse_document(body.encode() if isinstance(body, str) else body, kind, DEPTH)
    assert all(problem.detail and problem.hint for problem in caught.value.problems)
    return [(problem.pointer, problem.code) for problem in caught.value.problems]


def malformed_detail(body: bytes | str, kind: str = JSON) -> str:
    with pytest.raises(MalformedRequest) as caught:
        parse_document(body.encode() if isinstance(body, str) else body, kind, DEPTH)
    return caught.value.detail


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        (JSON, "NaN"),
        (JSON, "Infinity"),
        (JSON, "-Infinity"),
        (JSON, "1e999"),
        (JSON, "-1e999"),
        (YAML, ".nan"),
        (YAML, ".inf"),
        (YAML, "-.INF"),
        (YAML, "1e999"),
    ],
)
def test_a_number_is_finite(kind: str, number: str) -> None:
    assert input_problems(f'{{"a": [1, {{"b/c~": {number}}}]}}', kind) == [("/a/1/b~1c~0", "not_finite")]


@BOTH_FORMATS
@pytest.mark.parametrize("number", [MAX_INT64 + 1, -MAX_INT64 - 1, 10**400])
def test_an_integer_has_64_bits(kind: str, number: int) -> None:
    assert input_problems(f'{{"a": {number}}}', kind) == [("/a", "out_of_range")]
    assert parse_document(f'{{"a": [{MAX_INT64}, {-MAX_INT64}]}}'.encode(), kind, DEPTH) == {
        "a": [MAX_INT64, -MAX_INT64]
    }


@BOTH_FORMATS
def test_thousands_of_digits_are_not_read(kind: str) -> None:
    assert "digits" in malformed_detail("1" * 5000, kind)


@BOTH_FORMATS
@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ('{"a": 1, "a": 1}', ["/a"]),
        ('{"x": [{"b": 1, "c": 2, "b": {}}]}', ["/x/0/b"]),
        ('{"a": {"b": 1, "b": 2}, "c/d": 1, "c/d": 2}', ["/c~1d", "/a/b"]),
        ('{"": 1, "": 2}', ["/"]),
    ],
)
def test_a_key_stands_once(kind: str, body: str, pointers: list[str]) -> None:
    assert input_problems(body, kind) == [(pointer, "duplicate_key") for pointer in pointers]


def test_a_key_stands_once_in_blocks() -> None:
    assert input_problems("a:\n  b: 1\n  b: 2\nc:\n- d: 1\n  d: 2\n", YAML) == [
        ("/a/b", "duplicate_key"),
        ("/c/0/d", "duplicate_key"),
    ]


@pytest.mark.parametrize(
    ("kind", "body", "pointer"),
    [
        (JSON, r'{"a": ["\u0000"]}', "/a/0"),
        (JSON, r'{"a": "x\ud800y"}', "/a"),
        (JSON, r'{"a": {"\udfff": 1}}', "/a"),
        (JSON, r'"\u0000"', ""),
        (YAML, r'a: "\0"', "/a"),
        (YAML, r'"a\x00": 1', ""),
    ],
)
def test_text_can_be_stored(kind: str, body: str, pointer: str) -> None:
    assert input_problems(body, kind) == [(pointer, "invalid_text")]


def test_a_problem_at_a_place_that_cannot_be_written() -> None:
    """Answers are UTF-8, which has no lone surrogates."""
    found = input_problems(r'{"\ud800": {"a": NaN}, "\udfff": 1, "\udfff": 2}')
    assert {code for _, code in found} == {"invalid_text", "not_finite", "duplicate_key"}
    assert ("/?/a", "not_finite") in found
    with pytest.raises(InvalidInput) as caught:
        parse_document(rb'{"\udfff": 1, "\udfff": 2}', JSON, DEPTH)
    for problem in caught.value.problems:
        json.dumps(problem.as_dict(), ensure_ascii=False).encode()


@BOTH_FORMATS
@pytest.mark.parametrize("bracket", ["[]", "{}"])
def test_nesting_has_a_limit(kind: str, bracket: str) -> None:
    step = bracket[0] if bracket == "[]" else '{"a": '
    for depth, deep in ((DEPTH, False), (DEPTH + 1, True), (100_000, True)):
        body = step * (depth - 1) + bracket + bracket[1] * (depth - 1)
        if deep:
            assert input_problems(body, kind) == [("", "too_deep")]
            assert input_problems(step * depth, kind) == [("", "too_deep")]
        else:
            assert parse_document(body.encode(), kind, DEPTH)


def test_blocks_nest_too() -> None:
    body = "\n".join(" " * depth + "a:" for depth in range(DEPTH + 1))
    assert input_problems(body, YAML) == [("", "too_deep")]
    assert input_problems("- " * (DEPTH + 1) + "a", YAML) == [("", "too_deep")]


def test_brackets_in_text_are_no_nesting() -> None:
    text = "[" * 100 + '\\"{{{\\\\'
    assert parse_document(json.dumps([text, text]).encode(), JSON, DEPTH) == [text, text]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("a: &x [1]\nb: *x", "aliases"),
        ("a: !!python/object/apply:os.system [ls]", "tags"),
        ("a: !!binary aGk=", "tags"),
        ("a: !!str 1", "tags"),
        ("!!map [a, b]", "tags"),
        ("!!int ''", "tags"),
        ("!own {a: 1}", "tags"),
        ("1: a", "text"),
        ("{true: a}", "text"),
        ("? [a]\n: 1", "text"),
        ("? {a: b}\n: 1", "text"),
        ("~: 1", "text"),
        ("a: 1\n--- \nb: 2", "single document"),
        ("a: [1", "line 1"),
        ("a:\n\t- b", "line 2"),
        ("\x07", "YAML"),
    ],
)
def test_yaml_has_no_more_than_json(body: str, words: str) -> None:
    assert words in malformed_detail(body, YAML)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("1_000", "1_000"),
        ("010", "010"),
        ("0x1f", "0x1f"),
        ("1:30", "1:30"),
        ("2001-01-01", "2001-01-01"),
        ("2001-01-01T00:00:00Z", "2001-01-01T00:00:00Z"),
        ("=", "="),
        ("1e", "1e"),
        ("1e-3", 0.001),
        ("-1.5E+2", -150.0),
        (".5", 0.5),
        ("1.", 1.0),
        ("+3", 3),
        ("0", 0),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("'1'", "1"),
        ('"\\u00e9"', "é"),
        ("&anchor 3", 3),
    ],
)
def test_scalars_of_yaml(text: str, value: Any) -> None:
    found = parse_document(f"a: {text}".encode(), YAML, DEPTH)["a"]
    assert (found, type(found)) == (value, type(value))


def test_merging_is_a_key_like_any_other() -> None:
    assert parse_document(b"<<: {a: 1}\nb: 2", YAML, DEPTH) == {"<<": {"a": 1}, "b": 2}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "line 1, column 1"),
        (b"{'a': 1}", "line 1, column 2"),
        (b"[1,\n 2,]", "line 2"),
        (b"\xff", "byte 0"),
        ("é".encode("latin-1"), "byte 0"),
        ('{"a": 1}'.encode("utf-16"), "byte 0"),
        (b"{} {}", "Extra data"),
        (b'"\t"', "control character"),
        (b"01", "Extra data"),
        (b"]" * 100, "line 1"),
    ],
)
def test_what_is_no_json_is_told_with_its_place(body: bytes, words: str) -> None:
    assert words in malformed_detail(body)


def test_what_is_not_utf_8_is_no_yaml() -> None:
    assert "YAML" in malformed_detail(b"a: \xff", YAML)


def test_an_empty_yaml_body_is_nothing() -> None:
    assert parse_document(b"", YAML, DEPTH) is None


@pytest.mark.parametrize("kind", ["", "application/json; charset=utf-8", "APPLICATION/JSON", "text/json", "a/b+json"])
def test_types_that_are_read_as_json(kind: str) -> None:
    assert parse_document(b"[1]", kind, DEPTH) == [1]


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "multipart/form-data", ";", "x", "\xff"])
def test_types_that_are_not_read(kind: str) -> None:
    if kind == ";":
        assert parse_document(b"[1]", kind, DEPTH) == [1]
        return
    with pytest.raises(UnsupportedMediaType):
        parse_document(b"[1]", kind, DEPTH)


def test_not_all_of_too_many_problems_are_told() -> None:
    assert len(input_problems("[" + ",".join(["NaN"] * 1000) + "]")) == MAX_PROBLEMS


@pytest.mark.parametrize("item", ["1", "[]", "{}", "a", "{a: 1}"])
def test_yaml_of_many_values_is_refused_before_any_is_built(item: str, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[object] = []
    monkeypatch.setattr(json_input, "_StrictYamlLoader", built.append)
    with pytest.raises(ContentTooLarge, match="values") as refused:
        parse_document(f"[{','.join([item] * MAX_YAML_VALUES)}]".encode(), YAML, DEPTH)
    assert "JSON" in refused.value.hint
    assert not built


def test_yaml_of_as_many_values_as_allowed_is_read() -> None:
    body = f"[{','.join(['1'] * (MAX_YAML_VALUES - 1))}]".encode()
    assert len(parse_document(body, YAML, DEPTH)) == MAX_YAML_VALUES - 1


def test_json_has_no_such_limit() -> None:
    count = 2 * MAX_YAML_VALUES
    assert len(parse_document(f"[{','.join(['1'] * count)}]".encode(), JSON, DEPTH)) == count


def test_no_more_problems_are_searched_than_told(monkeypatch: pytest.MonkeyPatch) -> None:
    searched: list[Problem] = []

    def endless(document: Any) -> Iterator[Problem]:
        while True:
            searched.append(Problem("", "not_finite", ""))
            yield searched[-1]

    monkeypatch.setattr(json_input, "_value_problems", endless)
    with pytest.raises(InvalidInput):
        parse_document(b"[]", JSON, DEPTH)
    assert len(searched) == MAX_PROBLEMS


def test_negative_zero_is_kept() -> None:
    assert math.copysign(1, parse_document(b"-0.0", JSON, DEPTH)) == -1
