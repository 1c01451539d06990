from pathlib import Path

import pytest
import torch

from tests.workers.data.formats.uploads import (
    column,
    content,
    describe_upload,
    make_upload,
    problem_text,
    schema,
    train,
    upload_problems,
    write_zip,
)
from workers.children.describe import describe


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "table.csv"


def test_columns_have_types_and_the_last_one_is_learned(path: Path) -> None:
    file = make_upload(path, "a,b,kind\n1,2,cat\n3,4.5,dog\n-1e3,0,cat\n")
    found = schema(file)
    assert [(each.name, each.type) for each in found.columns] == [
        ("a", "number"),
        ("b", "number"),
        ("kind", "category"),
    ]
    assert (found.inputs, found.target, found.rows) == (("a", "b"), "kind", {"train": 3})
    assert column(file, "kind").labels == ("cat", "dog")
    assert describe_upload(file).preview[1] == {"a": 3.0, "b": 4.5, "kind": "dog"}
    assert train(file)["a"].tolist() == [1, 3, -1000]


def test_another_column_can_be_learned(path: Path) -> None:
    found = schema(make_upload(path, "kind,a,b\nx,1,2\ny,3,4\n", target="kind"))
    assert (found.inputs, found.target) == (("a", "b"), "kind")


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        (["0", "1", "2", "1"], ("0", "1", "2")),
        (["3", "1", "10", "2.0"], ("1", "2.0", "3", "10")),
        (["-1", "1", "", "-1"], ("-1", "1")),
        (["0.5", "1", "2", "3"], None),
        ([str(value) for value in range(21)], None),
    ],
)
def test_few_whole_numbers_have_labels(path: Path, values: list[str], labels: tuple[str, ...] | None) -> None:
    found = column(make_upload(path, "v,a\n" + "".join(f"{value},1\n" for value in values)), "v")
    assert (found.type, found.labels) == ("number", labels)


@pytest.mark.parametrize("word", ["", " ", "NA", "n/a", "nan", "NaN", "null", "None", "?", "-", "<NA>", ".", "#N/A"])
def test_missing_numbers_are_counted(path: Path, word: str) -> None:
    file = make_upload(path, f"a,b,y\n1,{word},u\n2.5,3,v\n")
    assert column(file, "b").missing == 1
    assert train(file)["b"].isnan().tolist() == [True, False]
    assert describe_upload(file).preview[0]["b"] is None
    assert column(file, "b").statistics == {"min": 3, "mean": 3, "max": 3, "std": 0}


def test_missing_words_are_counted_where_they_are_empty(path: Path) -> None:
    file = make_upload(path, "a,y\nNA,1\n,2\nDE,3\n")
    assert (column(file, "a").missing, column(file, "a").labels) == (1, ("DE", "NA"))
    assert train(file)["a"] == ["NA", None, "DE"]


def test_a_row_without_a_target_is_a_problem(path: Path) -> None:
    for text in ("a,y\n1,u\n2,\n3,v\n", "a,y\n1,1\n2,\n3,4\n"):
        assert upload_problems(make_upload(path, text)) == [("missing_value", "/3")]
        assert 'line 3, column "y"' in problem_text(make_upload(path, text))


def test_words_that_repeat_are_choices_and_others_are_texts(path: Path) -> None:
    rows = "".join(f"the {number}th of many texts,{'ab'[number % 2]},{number}\n" for number in range(60))
    file = make_upload(path, "text,choice,y\n" + rows)
    assert (column(file, "text").type, column(file, "choice").type) == ("text", "category")
    assert column(file, "text").longest == len("the 59th of many texts")
    assert column(file, "choice").statistics == {"counts": {"a": 30, "b": 30}, "different": 2}
    assert column(make_upload(path, "text,choice,y\n" + rows, types={"choice": "text"}), "choice").type == "text"


def test_truths_are_numbers(path: Path) -> None:
    file = make_upload(path, "a,y\ntrue,1\nFalse,2\n,3\n")
    assert (column(file, "a").type, column(file, "a").labels, column(file, "a").missing) == (
        "number",
        ("False", "true"),
        1,
    )


def test_cells_may_hold_lists_and_trees(path: Path) -> None:
    file = make_upload(
        path,
        "words,series,tensor,tree,y\n"
        '"[""a"",""b""]","[1,2,3]","[[1,2],[3,4]]","{""label"":""x""}",1\n'
        '"[]","[]","[[0,0],[0,1]]","{""label"":1,""children"":[{""label"":""y""}]}",2\n',
    )
    types = {each.name: each.type for each in schema(file).columns}
    assert types == {"words": "words", "series": "series", "tensor": "tensor", "tree": "tree", "y": "number"}
    assert train(file)["words"] == [("a", "b"), ()]
    assert train(file)["series"].lengths.tolist() == [3, 0]
    assert train(file)["tensor"].tolist() == [[[1, 2], [3, 4]], [[0, 0], [0, 1]]]
    assert (column(file, "tree").longest, column(file, "tree").widest) == (2, 1)


def test_brackets_alone_make_no_list(path: Path) -> None:
    assert column(make_upload(path, "a,y\n[deleted],1\n[removed],2\n"), "a").type == "category"


def test_quotes_byte_order_marks_blank_lines_and_semicolons_are_fine(path: Path) -> None:
    for text in ('a,"b, c",y\r\n1," 2 ",u\r\n\r\n3,4,v\r\n', "a;b, c;y\n1;2;u\n3;4;v"):
        file = make_upload(path, text.encode("utf-8-sig"))
        assert train(file)["b, c"].tolist() == [2, 4]


def test_tabs_separate_and_quotes_there_are_plain(path: Path) -> None:
    file = make_upload(path, 'a\tb\n1\tsay "hi\n2\t"all ""quoted"""\n', format="tsv")
    assert train(file)["b"] == ['say "hi', 'all "quoted"']


def test_every_bad_line_is_told_with_its_number(path: Path) -> None:
    file = make_upload(path, 'a,b,y\n1,2,"two\nlines"\n1,2\n\n1,2,3,4\n')
    assert upload_problems(file) == [("columns_differ", "/4"), ("columns_differ", "/6")]
    assert "line 4 has 2 cells" in problem_text(file)


def test_a_word_among_very_many_numbers_is_a_mistake(path: Path) -> None:
    numbers = [str(number) for number in range(5000)]
    numbers[150], numbers[4990] = "1O", "inf"
    rows = "".join(f"{number},1\n" for number in numbers)
    file = make_upload(path, "a,y\n" + rows)
    assert upload_problems(file) == [("not_a_number", "/152"), ("not_a_number", "/4992")]
    assert 'line 152, column "a": expected a finite number, got "1O"' in problem_text(file)
    assert column(make_upload(path, "a,y\n" + rows, types={"a": "text"}), "a").type == "text"


def test_words_that_come_late_make_a_text_of_a_column(path: Path) -> None:
    cells = [f"0{number}" if number < 5000 else f"word {number % 3}" for number in range(6000)]
    file = make_upload(path, "a,y\n" + "".join(f"{cell},1\n" for cell in cells))
    assert train(file)["a"][:2] == ["00", "01"]
    assert column(file, "a").type == "text"


def test_a_type_can_be_told(path: Path) -> None:
    text = "zip,y\n01234,1\n99999,2\n" + "02345,3\n" * 40
    assert column(make_upload(path, text, types={"zip": "number"}), "zip").type == "number"
    file = make_upload(path, text, types={"zip": "category"})
    assert column(file, "zip").labels == ("01234", "02345", "99999")
    assert upload_problems(make_upload(path, "a,y\nx,1\n2,2\n", types={"a": "number"})) == [("not_a_number", "/2")]
    assert upload_problems(make_upload(path, "a,y\n1,1\n2,2\n", types={"a": "series"})) == [
        ("wrong_type", "/2"),
        ("wrong_type", "/3"),
    ]
    assert upload_problems(make_upload(path, "a,y\n1,1\n2,2\n", types={"b": "text"})) == [("unknown_column", "")]


def test_the_number_of_a_row_is_no_input(path: Path) -> None:
    found = schema(make_upload(path, ",a,y\n0,5,u\n1,6,v\n2,7,u\n"))
    assert found.inputs == ("a",)
    assert schema(make_upload(path, ",a,y\n7,5,u\n1,6,v\n2,7,u\n")).inputs == ("a",)
    assert schema(make_upload(path, ",a,y\n7,5,u\n7,6,v\n2,7,u\n")).inputs == ("column_1", "a")
    assert schema(make_upload(path, ",a,y\n7,5,u\n1,6,v\n2,7,u\n", types={"column_1": "number"})).inputs == (
        "column_1",
        "a",
    )


def test_the_list_of_problems_ends(path: Path) -> None:
    assert len(upload_problems(make_upload(path, "a,y\n" + "1\n" * 1000))) == 20


@pytest.mark.parametrize(
    ("text", "code", "pointer"),
    [
        ("a\n1\n", "no_columns", ""),
        ("a,b\n", "no_rows", ""),
        ('a,b\n1,"2\n3,4\n', "unreadable", "/2"),
        ("a,a,b\n1,2,3\n", "duplicate_name", ""),
        ("1,2\n3,4\n", "no_header", ""),
        ("", "no_columns", ""),
        ("a,b\n" + "x" * 250 + ",1\n", "too_many_labels", "/a"),
        ("a" * 201 + ",b\n1,2\n", "invalid_name", ""),
        ("a,b\n1,2_0\n3,4\n" + "1,2\n" * 200, "not_a_number", "/2"),
    ],
)
def test_a_table_that_is_none_is_a_problem(path: Path, text: str, code: str, pointer: str) -> None:
    types = {"a": "category"} if code == "too_many_labels" else None
    assert upload_problems(make_upload(path, text, format="csv", types=types)) == [(code, pointer)]


def test_an_unknown_target_is_a_problem_with_a_hint(path: Path) -> None:
    file = make_upload(path, "a,species\n1,u\n", target="specie")
    assert upload_problems(file) == [("unknown_column", "")]
    assert '"species"' in problem_text(file)


def test_an_archive_has_a_file_for_every_split(path: Path) -> None:
    test, train = "y,a\nzebra,3\ncat,4\n", "a,y\n1,cat\n2,dog\n5,cat\n"
    write_zip(path, {"data/test.csv": test, "data/train.csv": train, "data/.DS_Store": "x"})
    found = schema(make_upload(path))
    assert found.rows == {"train": 3, "test": 2}
    assert column(make_upload(path), "y").labels == ("cat", "dog", "zebra")
    splits = content(make_upload(path)).splits
    assert list(splits) == ["train", "test"]
    assert splits["test"]["a"].tolist() == [3, 4]  # type: ignore[union-attr]


def test_problems_in_an_archive_name_the_file(path: Path) -> None:
    write_zip(path, {"train.csv": "a,y\n1,2\n", "val.csv": "a,y\n1\n"})
    assert upload_problems(make_upload(path)) == [("columns_differ", "/val.csv/2")]
    assert "val.csv, line 2 has 1 cells" in problem_text(make_upload(path))


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({"train.csv": "a,y\n1,2\n", "test.csv": "a,z\n1,2\n"}, "columns_differ"),
        ({"train.csv": "a,y\n1,2\n", "more.csv": "a,y\n1,2\n"}, "unknown_file"),
        ({"train.csv": "a,y\n1,2\n", "dev.csv": "a,y\n1,2\n", "val.csv": "a,y\n1,2\n"}, "duplicate_name"),
        ({"train.csv": "a,y\n1,2\n", "test.csv": "a,y\n"}, "no_rows"),
    ],
)
def test_files_of_an_archive_belong_together(path: Path, files: dict[str, str | bytes], code: str) -> None:
    write_zip(path, files)
    assert [found for found, _ in upload_problems(make_upload(path))] == [code]


def test_an_archive_has_three_splits(path: Path) -> None:
    write_zip(path, {"test.csv": "a,y\n1,2\n2,3\n3,4\n", "val.csv": "a,y\n9,8\n", "train.csv": "a,y\n1,2\n7,8\n"})
    assert list(schema(make_upload(path)).rows.items()) == [("train", 2), ("validation", 1), ("test", 3)]


def test_large_numbers_stay_what_they_are(path: Path) -> None:
    assert train(make_upload(path, "a,y\n1700000001,1\n1700000002,2\n"))["a"].dtype == torch.float64


@pytest.mark.parametrize("digits", [301, 4301, 1_000_000])
def test_whole_numbers_of_any_length_are_words(tmp_path: Path, digits: int) -> None:
    """Beyond the range of float64, and beyond what Python makes an integer of: told by their beginning."""
    found = describe(make_upload(tmp_path / "rows.csv", f"a,b\n{'9' * digits},1\n8,2\n"))
    assert found.problems == ()
    assert found.schema is not None
    assert all(len(warning.detail) < 300 for warning in found.schema.warnings)
