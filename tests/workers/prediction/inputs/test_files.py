"""Files of rows are read by the readers of uploads, and mean the same as the rows of a data set."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import torch
from pyarrow import parquet

from app.errors import ContentTooLarge, InvalidInput
from app.spec.data.columns import Column
from workers.data.columns import SplitColumns
from workers.data.files.split_files import SplitFile
from workers.data.formats.texts.trees import read_trees_table
from workers.data.types.table import TableOptions
from workers.prediction.inputs.files import TABLE_READERS
from workers.prediction.inputs.problems import RowProblems
from workers.prediction.inputs.rows import RequiredColumn, parse_columns

REQUIRED = [
    RequiredColumn(Column(name="n", type="number")),
    RequiredColumn(Column(name="c", type="category", labels=("0", "1"))),
    RequiredColumn(Column(name="t", type="text")),
    RequiredColumn(Column(name="w", type="words")),
]
OPTIONS = TableOptions({each.name: each.column.type for each in REQUIRED}, infer=False)


def read(path: Path, form: str, content: str | bytes, options: TableOptions = OPTIONS) -> SplitColumns:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    table = TABLE_READERS[form]([SplitFile("train", path)], options)
    problems = RowProblems()
    table.add_unreadable(problems)
    return parse_columns(table.columns, REQUIRED, problems)


def expected(split: SplitColumns) -> list[Any]:
    numbers = split["n"]
    assert isinstance(numbers, torch.Tensor)
    return [numbers.nan_to_num(-1).tolist(), split["c"], split["t"], split["w"]]


def test_csv_and_jsonl_and_parquet_mean_the_same(tmp_path: Path) -> None:
    rows = [{"n": 1.5, "c": "1", "t": "x", "w": ["a"]}, {"n": None, "c": "0", "t": None, "w": []}]
    meaning = [[1.5, -1], ["1", "0"], ["x", None], [("a",), ()]]
    path = tmp_path / "rows"
    assert expected(read(path, "csv", 'n,c,t,w,other\n1.5,True,x,"[""a""]",?\nNA,false,,,?\n')) == meaning
    assert expected(read(path, "jsonl", "".join(json.dumps(row) + "\n" for row in rows))) == meaning
    other = pa.array([0, 0], pa.timestamp("s"))  # a column that is not needed may be of any type
    parquet.write_table(pa.table({key: [row[key] for row in rows] for key in rows[0]} | {"other": other}), path)
    assert expected(read(path, "parquet", path.read_bytes())) == meaning


def test_texts_of_parquet_keep_their_spaces_as_in_uploads(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    parquet.write_table(pa.table({"n": ["1"], "c": ["1"], "t": [" x "], "w": ['["a"]']}), path)
    assert expected(read(path, "parquet", path.read_bytes())) == [[1.0], ["1"], [" x "], [("a",)]]


@pytest.mark.parametrize(
    ("form", "content", "problems"),
    [
        ("csv", "n,c,t,w\nx,1,t,[]\n1,1,t,[\n", [("/rows/0/n", "wrong_type"), ("/rows/1/w", "wrong_type")]),
        ("csv", "n,c,t,w\n1_0,1,t,\n", [("/rows/0/n", "wrong_type")]),
        (
            "jsonl",
            '{"w": ["a", 1], "n": [1], "c": "1", "t": "t"}\n',
            [("/rows/0/n", "wrong_type"), ("/rows/0/w/1", "wrong_type")],
        ),
        ("jsonl", '{"n": 1e999, "c": "1", "t": "t", "w": null}\n', [("/rows/0/n", "out_of_range")]),
    ],
)
def test_problems_name_row_and_column(tmp_path: Path, form: str, content: str, problems: list[Any]) -> None:
    with pytest.raises(InvalidInput) as caught:
        read(tmp_path / "rows", form, content)
    assert [(problem.pointer, problem.code) for problem in caught.value.problems] == problems


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_too_many_rows_end_reading(tmp_path: Path, form: str) -> None:
    def check(count: int) -> None:
        if count > 2:
            raise ContentTooLarge

    content = "n,c,t,w\n" + "1,1,1,\n" * 3 if form == "csv" else '{"n": 1}\n' * 3
    with pytest.raises(ContentTooLarge):
        read(tmp_path / "rows", form, content, TableOptions(OPTIONS.types, infer=False, check_row_count=check))


def test_trees_need_no_label_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "rows").write_text("((a b) (c d))\n")
    table = read_trees_table([SplitFile("train", tmp_path / "rows")], TableOptions({"tree": "tree"}, infer=False))
    required = RequiredColumn(Column(name="tree", type="tree"))
    (tree,) = parse_columns(table.columns, [required])["tree"]  # type: ignore[misc]
    assert [child["label"] for child in tree["children"]] == ["b", "d"]
