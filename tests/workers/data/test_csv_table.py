from pathlib import Path

import pytest
import torch

from workers.data.uploads import describe, read


def write(tmp_path: Path, text: str, encoding: str = "utf-8") -> Path:
    path = tmp_path / "a.csv"
    path.write_bytes(text.encode(encoding))
    return path


def problems(path: Path, target: str | None = None) -> list[tuple[str, str]]:
    found = describe(path, "csv", target)
    assert found.schema is None
    return [(problem.code, problem.pointer) for problem in found.problems]


def test_words_become_classes(tmp_path: Path) -> None:
    found = describe(write(tmp_path, "a,b,kind\n1,2,cat\n3,4.5,dog\n-1e3,0,cat\n"), "csv")
    assert found.schema is not None
    x, target = found.schema.columns
    assert (x.name, x.shape, x.dtype) == ("x", (2,), "float32")
    assert (target.name, target.classes, target.labels) == ("kind", 2, ("cat", "dog"))
    assert (found.schema.inputs, found.schema.target) == (("x",), "kind")
    assert found.preview[1] == {"x": [3.0, 4.5], "kind": 1}


def test_a_target_whose_name_is_no_name_is_called_target(tmp_path: Path) -> None:
    for header in ("a,the price", "a,x"):
        columns = read(write(tmp_path, f"{header}\n1,0.5\n2,0.25\n"), "csv").splits["train"]
        assert list(columns) == ["x", "target"]


def test_another_column_can_be_the_target(tmp_path: Path) -> None:
    columns = read(write(tmp_path, "kind,a,b\nx,1,2\ny,3,4\n"), "csv", "kind").splits["train"]
    assert columns["x"].tolist() == [[1, 2], [3, 4]]
    assert columns["kind"].tolist() == [0, 1]


@pytest.mark.parametrize(("values", "dtype", "classes", "labels"), [
    (["0", "1", "2", "1"], torch.int64, 3, None),
    (["3", "1", "3", "2"], torch.int64, 3, ("1", "2", "3")),
    (["-1", "1", "1", "-1"], torch.int64, 2, ("-1", "1")),
    (["0.5", "1", "2", "3"], torch.float32, None, None),
    ([str(value) for value in range(21)], torch.float32, None, None),
])  # fmt: skip
def test_few_whole_numbers_are_classes(
    tmp_path: Path, values: list[str], dtype: torch.dtype, classes: int | None, labels: tuple[str, ...] | None
) -> None:
    path = write(tmp_path, "a,y\n" + "".join(f"1,{value}\n" for value in values))
    found = describe(path, "csv")
    assert found.schema is not None
    target = found.schema.columns[1]
    assert (target.classes, target.labels) == (classes, labels)
    assert read(path, "csv").splits["train"]["y"].dtype == dtype


def test_numbers_to_predict_have_a_width(tmp_path: Path) -> None:
    found = describe(write(tmp_path, "a,y\n1,0.5\n2,0.25\n"), "csv")
    assert found.schema is not None
    assert found.schema.columns[1].shape == (1,)


def test_quotes_byte_order_marks_and_blank_lines_are_fine(tmp_path: Path) -> None:
    path = write(tmp_path, 'a,"b, c",y\r\n1," 2 ",u\r\n\r\n3,4,v\r\n', "utf-8-sig")
    assert read(path, "csv").splits["train"]["x"].tolist() == [[1, 2], [3, 4]]


def test_every_bad_cell_is_told_with_its_line(tmp_path: Path) -> None:
    path = write(tmp_path, "a,b,y\n1,2,u\nx,,u\n1,2\n1,nan,v\n")
    assert problems(path) == [("not_a_number", "/3"), ("missing_value", "/3"), ("columns_differ", "/4"),
                              ("not_a_number", "/5")]  # fmt: skip
    assert 'line 3, column "b"' in describe(path, "csv").problems[1].detail


def test_the_list_of_problems_ends(tmp_path: Path) -> None:
    assert len(problems(write(tmp_path, "a,y\n" + "x,1\n" * 1000))) == 20


@pytest.mark.parametrize(("text", "code"), [
    ("", "no_columns"), ("a\n1\n", "no_columns"), ("a,b\n", "no_rows"), ('a,b\n1,"2\n', "unreadable"),
])  # fmt: skip
def test_a_table_that_is_none_is_a_problem(tmp_path: Path, text: str, code: str) -> None:
    assert [found for found, _ in problems(write(tmp_path, text))] == [code]


def test_other_encodings_are_a_problem(tmp_path: Path) -> None:
    assert problems(write(tmp_path, "a,y\n1,2\n", "utf-16")) == [("unreadable", "")]


def test_an_unknown_target_is_a_problem_with_a_hint(tmp_path: Path) -> None:
    path = write(tmp_path, "a,species\n1,u\n")
    assert problems(path, "specie") == [("unknown_column", "")]
    assert '"species"' in describe(path, "csv", "specie").problems[0].hint
