"""Columns that tell nothing of the target are left out, with a warning that says how to read them."""

import random
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.workers.data.formats.uploads import column, make_upload, schema, to_jsonl, write_zip

ROWS = 24


def table(**columns: list[Any]) -> str:
    """Return CSV with these columns, a number column and a target."""
    columns |= {"noise": [0.5 * row * row for row in range(ROWS)], "y": ["yes", "no"] * (ROWS // 2)}
    lines = [",".join(columns), *(",".join(map(str, cells)) for cells in zip(*columns.values(), strict=True))]
    return "\n".join(lines) + "\n"


def permutation(first: int) -> list[int]:
    numbers = list(range(first, first + ROWS))
    random.Random(0).shuffle(numbers)
    return numbers


WORDS = [chr(ord("a") + row) * 3 for row in range(ROWS)]
TELLS_NOTHING: dict[str, tuple[list[Any], str]] = {
    "day": (list(range(1, ROWS + 1)), "index_ignored"),
    "x": (permutation(0), "index_ignored"),
    "Unnamed: 0": ([3 * row for row in range(ROWS)], "index_ignored"),
    "Unnamed: 0.1": (WORDS, "index_ignored"),
    "__index_level_0__": ([7 * row for row in range(ROWS)], "index_ignored"),
    "version": ([3] * ROWS, "constant_ignored"),
    "country": (["DE"] * ROWS, "constant_ignored"),
    "since": (["2024-01-02"] * ROWS, "constant_ignored"),
    "comment": ([""] * ROWS, "empty_ignored"),
    "uuid": ([UUID(int=row * 7**40) for row in range(ROWS)], "identifier_ignored"),
    "surname": (WORDS, "identifier_ignored"),
    "sha": ([f"{row:064x}" for row in range(ROWS)], "identifier_ignored"),
    "page": ([f"https://example.org/{row}?a=b c".replace(" ", "+") for row in range(ROWS)], "address_ignored"),
    "site": ([f"www.example.org/{row}" for row in range(ROWS)], "address_ignored"),
    "mail": ([f"a{row}@example.org" for row in range(ROWS)], "address_ignored"),
}


@pytest.mark.parametrize("name", TELLS_NOTHING)
def test_what_tells_nothing_is_left_out_and_said(tmp_path: Path, name: str) -> None:
    values, code = TELLS_NOTHING[name]
    found = schema(make_upload(tmp_path / "a.csv", table(**{name: values})))
    assert found.inputs == ("noise",)
    assert found[name].ignored
    assert [(each.code, each.pointer) for each in found.warnings] == [(code, f"/columns/{name}")]
    assert f'"types": {{"{name}": "{found[name].type}"}}' in found.warnings[0].hint


@pytest.mark.parametrize("name", TELLS_NOTHING)
def test_it_is_read_if_its_type_is_given(tmp_path: Path, name: str) -> None:
    text = table(**{name: TELLS_NOTHING[name][0]})
    kind = column(make_upload(tmp_path / "a.csv", text), name).type
    found = schema(make_upload(tmp_path / "a.csv", text, types={name: kind}))
    assert (found.inputs, found[name].ignored, found[name].decided_by) == ((name, "noise"), None, "user")


@pytest.mark.parametrize("name", TELLS_NOTHING)
def test_a_target_is_never_left_out(tmp_path: Path, name: str) -> None:
    values, _ = TELLS_NOTHING[name]
    if name != "comment":  # a target without values is refused
        found = schema(make_upload(tmp_path / "a.csv", table(**{name: values}), target=name))
        assert (found.target, found[name].ignored) == (name, None)


@pytest.mark.parametrize(
    "values",
    [
        list(range(5, ROWS + 5)),
        [*range(ROWS - 1), 40],
        [*range(ROWS - 1), ""],
        [row + 0.5 for row in range(ROWS)],
        [f"text {row}" for row in range(ROWS)],
        ["a b", *WORDS[1:]],
        [*WORDS[:-1], WORDS[0]],
        ["a"] * (ROWS - 1) + [""],
        [3] * (ROWS - 1) + [4],
        ["https://example.org/1", *(f"see {row}" for row in range(1, ROWS))],
    ],
)
def test_what_may_tell_something_is_read(tmp_path: Path, values: list[Any]) -> None:
    found = schema(make_upload(tmp_path / "a.csv", table(feature=values)))
    assert (found.inputs, found["feature"].ignored) == (("feature", "noise"), None)


def test_a_column_that_is_all_there_is_is_read(tmp_path: Path) -> None:
    rows = "".join(f"{row},{row % 2}\n" for row in range(ROWS))
    found = schema(make_upload(tmp_path / "a.csv", "x,y\n" + rows))
    assert (found.inputs, found.warnings) == (("x",), ())


def test_small_tables_are_read_whole_but_for_an_index_without_a_name(tmp_path: Path) -> None:
    found = schema(make_upload(tmp_path / "a.csv", ",n,c,y\n0,1,5,u\n1,2,5,v\n2,3,5,u\n"))
    assert found.inputs == ("n", "c")


@pytest.mark.parametrize(("first", "inputs"), [(0, ("noise",)), (ROWS, ("noise",)), (3, ("n", "noise"))])
def test_rows_are_counted_in_each_file_or_in_all(tmp_path: Path, first: int, inputs: tuple[str, ...]) -> None:
    files: dict[str, str | bytes] = {"train.csv": table(n=permutation(0)), "test.csv": table(n=permutation(first))}
    assert schema(make_upload(write_zip(tmp_path / "a.zip", files))).inputs == inputs


def test_many_columns_of_a_kind_share_a_warning(tmp_path: Path) -> None:
    found = schema(make_upload(tmp_path / "a.csv", table(**{f"c{number}": [1] * ROWS for number in range(40)})))
    assert [(each.code, each.pointer) for each in found.warnings] == [("constant_ignored", "/columns")]
    assert "32 more columns" in found.warnings[0].detail


def test_keys_of_json_lines_as_well(tmp_path: Path) -> None:
    rows = [{"Unnamed: 0": row * 2, "n": row % 5, "y": row % 2} for row in range(ROWS)]
    assert schema(make_upload(tmp_path / "a.jsonl", to_jsonl(rows))).inputs == ("n",)
