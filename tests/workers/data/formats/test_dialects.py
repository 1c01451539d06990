"""Tables as other programs write them: what they hold, and what is said of them."""

import csv
import gzip
import io
from pathlib import Path

import numpy as np
import pytest

from tests.workers.data.formats.uploads import (
    content,
    make_upload,
    problem_text,
    schema,
    train,
    upload_problems,
    write_zip,
)

ROWS = [["1", "x"], ["2", "y"], ["3", "x"]]  # of columns a and y
META = "# made by X\n# in May\n"


def rows_of(text: str | bytes, path: Path, **source: object) -> list[list[str]]:
    """Return the cells of the columns a and y, which are all that there are."""
    file = make_upload(path, text, **source)
    assert [column.name for column in schema(file).columns if column.name != "column_1"] == ["a", "y"]
    columns = train(file)
    return [[f"{number:g}", word] for number, word in zip(columns["a"].tolist(), columns["y"], strict=True)]


def warnings(path: Path) -> set[str]:
    return {warning.code for warning in content(make_upload(path)).warnings}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,y\n1,x\n2,y\n3,x\n", set()),
        ("a;y\n1;x\n2;y\n3;x\n", set()),
        ("a|y\n1|x\n2|y\n3|x\n", set()),
        ("a\ty\n1\tx\n2\ty\n3\tx\n", set()),
        ("a  y\n1  x\n2    y\n3  x\n", {"separator"}),
        ("a \t y\n1\t  x\n2    y\n3  x\n", {"separator"}),
        ("sep=;\r\na;y\r\n1;x\r\n2;y\r\n3;x\r\n", set()),
        ('"sep=|"\na|y\n1|x\n2|y\n3|x\n', set()),
        ("\n\n  \na,y\n\n1,x\n   \n2,y\n3,x\n\n\n", set()),
        ("a\ty\n1\tx\n\n2\ty\n3\tx\n", {"blank_lines"}),
        (" a ,y\t\n1,x\n2,y\n3,x\n", set()),
        ("a,y,\n1,x,\n2,y,\n3,x,\n", {"empty_column"}),
        ("a,y,,\n1,x,,\n2,y,,\n3,x,,\n,,,\n", {"empty_column", "empty_rows"}),
        ("a,y\n1,x,\n2,y,,\n3,x,\n", {"empty_cells"}),
        ('a, "y"\n1, "x"\n2, "y"\n3, "x"\n', set()),
        ("a,y\r1,x\r2,y\r3,x", set()),
        (META + "a,y\n1,x\n2,y\n3,x\n", {"comments"}),
        ("#a,y\n1,x\n2,y\n3,x\n", {"commented_header"}),
        (META + "# a y\n1 x\n2 y\n3 x\n", {"comments", "commented_header", "separator"}),
        ('"a" "y"\n"r" 1 "x"\n"s" 2 "y"\n"t" 3 "x"\n', {"separator", "row_names"}),
        ("\ufeffa,y\n1,x\n2,y\n3,x\n", set()),
        ("a,y\n1,x\n2,y\n3,x\n".encode("utf-16"), {"encoding"}),
        (gzip.compress(b"a,y\n1,x\n2,y\n3,x\n", mtime=0), set()),
    ],
)
def test_a_table_of_any_dialect_is_the_same_table(tmp_path: Path, text: str | bytes, said: set[str]) -> None:
    assert rows_of(text, tmp_path / "rows") == ROWS
    found = warnings(tmp_path / "rows")
    assert {code for code in found if code != "index_ignored"} == said
    assert rows_of(text, tmp_path / "rows", file="rows.csv") == ROWS


@pytest.mark.parametrize("text", ["a,y\nu,x\nv,z\na,y\nu,x\n", "a,y\na,y\nv,z\nu,x\n"])
def test_a_header_among_the_rows_is_told(tmp_path: Path, text: str) -> None:
    assert len(train(make_upload(tmp_path / "rows", text))["y"]) == text.count("\n") - 1
    assert warnings(tmp_path / "rows") == {"repeated_header"}


def test_paragraphs_in_quotes_are_cells(tmp_path: Path) -> None:
    texts = ["one\n\ntwo", 'say ""hi""', "a; b, c", "x\ty"]
    for separator in (",", ";", "\t", "|"):
        file = io.StringIO()
        csv.writer(file, delimiter=separator).writerows([["text", "y"], *([text, "u"] for text in texts)])
        upload = make_upload(tmp_path / "rows", file.getvalue(), file="a.csv", types={"text": "text"})
        assert train(upload)["text"] == texts


def test_quotes_between_tabs_count_where_lines_alone_are_no_rows(tmp_path: Path) -> None:
    plain = make_upload(tmp_path / "plain", 'a\ty\n"he said\tu\nno"\tv\n', format="tsv")
    assert train(plain)["a"] == ['"he said', 'no"']
    quoted = make_upload(tmp_path / "quoted", 'a\ty\n"he\nsaid"\tu\n"no\tno"\tv\n', format="tsv")
    assert train(quoted)["a"] == ["he\nsaid", "no\tno"]


def test_arrays_that_numpy_writes_as_text(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(7, 3))
    file = io.BytesIO()
    np.savetxt(file, values, header="a b c")
    columns = train(make_upload(tmp_path / "rows", file.getvalue()))
    assert np.array_equal(np.stack([columns[name] for name in "abc"], 1), values)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("5.1,3.5,1.4,setosa\n4.9,3.0,1.4,virginica\n", "no_header"),
        ("39,State-gov,77516,Bachelors,13\n50,Self-emp,83311,Bachelors,13\n", "no_header"),
        ("a,b\n1,2\n3,4,5\n", "columns_differ"),
        ("a,b\n1,2\n3\n", "columns_differ"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, text: str, code: str) -> None:
    assert upload_problems(make_upload(tmp_path / "rows", text, format="csv"))[0][0] == code


def test_years_are_names_of_columns_and_said(tmp_path: Path) -> None:
    make_upload(tmp_path / "rows", "land,1990,1991\nA,1,2\nB,2,3\n")
    assert warnings(tmp_path / "rows") == {"numbers_in_header"}


def test_a_packed_bomb_stays_packed(tmp_path: Path) -> None:
    bomb = gzip.compress(b"a,y\n" + b"1,x\n" * 20_000_000)
    file = make_upload(tmp_path / "rows", bomb)
    assert [code for code, _ in upload_problems(file)] == ["too_large"]


def test_a_single_file_in_an_archive_needs_no_split(tmp_path: Path) -> None:
    write_zip(tmp_path / "rows", {"titanic/titanic.csv": "a,y\n1,x\n2,y\n3,x\n", "__MACOSX/._x": "x"})
    assert schema(make_upload(tmp_path / "rows")).rows == {"train": 3}
    assert "one file" in problem_text(
        make_upload(write_zip(tmp_path / "two", {"train.csv": "a,y\n1,2\n", "sample.csv": "a,y\n1,2\n"}))
    )
