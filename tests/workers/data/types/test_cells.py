"""What cells mean, from a file to its stored columns and back to labels."""

import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from app.errors import InvalidInput
from tests.workers.data.formats.uploads import (
    column,
    make_upload,
    problem_text,
    schema,
    to_jsonl,
    train,
    upload_problems,
)
from tests.workers.data.schemas import fit_preparation
from workers.data.files.content import Upload
from workers.data.formats.catalog import read_upload
from workers.prediction.inputs.rows import RequiredColumn, parse_columns


def upload(tmp_path: Path, cells: list[str], **source: Any) -> Upload:
    """Return a table with a column of cells as it is written with quotes, and a target."""
    text = "a,y\n" + "".join(f'"{cell}",{row % 2}\n' for row, cell in enumerate(cells))
    return make_upload(tmp_path / "a.csv", text, **source)


def warning_codes(file: Upload) -> list[str]:
    return [warning.code for warning in schema(file).warnings]


def check_reread(file: Upload) -> None:
    """Check that training reads what the description says."""
    fresh, known = read_upload(file).splits["train"]["a"], read_upload(replace(file, known_schema=schema(file)))
    again = known.splits["train"]["a"]
    if isinstance(fresh, torch.Tensor):
        assert isinstance(again, torch.Tensor)
        assert torch.equal(fresh.nan_to_num(9e9), again.nan_to_num(9e9))
    else:
        assert fresh == again


SPELLINGS = [
    (["TRUE", "FALSE", "TRUE"], "number", ("FALSE", "TRUE"), []),
    (["TRUE", "FALSE", "NA"], "number", ("FALSE", "TRUE"), []),
    (["true", "True", "false"], "number", ("false", "true"), ["merged_spellings"]),
    (["1.0", "2.0", "1.0"], "number", ("1.0", "2.0"), []),
    (["7", "7.0", "3", "7"], "number", ("3", "7"), ["merged_spellings"]),
    (["+1", "-1", "+1"], "number", ("-1", "+1"), []),
    (["1E2", "100", "10E1", "5"], "number", ("5", "1E2"), ["merged_spellings"]),
    (["1E2", "100", "10E1"], "category", ("100", "10E1", "1E2"), ["codes_as_words"]),
    (["007", "7", "12"], "category", ("007", "12", "7"), ["codes_as_words"]),
    (["yes", "no", "yes"], "category", ("no", "yes"), []),
    (["1,000", "2,000", "1,000,000"], "number", ("1,000", "2,000", "1,000,000"), ["number_format"]),
    (["10 min", "20 min"], "number", ("10 min", "20 min"), ["number_format"]),
    (
        ["9007199254740993", "9007199254740992", "5"],
        "category",
        ("5", "9007199254740992", "9007199254740993"),
        ["codes_as_words"],
    ),
    (["18014398509481984", "5"], "number", None, []),
    (["a", "NA", "a"], "category", ("NA", "a"), ["missing_word"]),
    (["1.234", "5.678"], "number", None, ["decimal_points"]),
    (["12:30", "13:40"], "category", ("12:30", "13:40"), ["digits_as_words"]),
    (["12 kg", "900 g"], "category", ("12 kg", "900 g"), ["digits_as_words"]),
    (["12 Main Street, 3rd floor", "7 High Street, ground floor"], "text", None, []),
    (["1", "2", "more", "3", "1"], "category", ("1", "2", "3", "more"), ["numbers_and_words"]),
    (["a|b", "b|c", "a"], "category", ("a", "a|b", "b|c"), ["lists_as_words"]),
]


@pytest.mark.parametrize(("cells", "kind", "labels", "codes"), SPELLINGS)
def test_labels_are_spelt_as_in_the_file(
    tmp_path: Path, cells: list[str], kind: str, labels: tuple[str, ...], codes: list[str]
) -> None:
    file = upload(tmp_path, cells)
    found = column(file, "a")
    assert (found.type, found.labels, warning_codes(file)) == (kind, labels, codes)
    check_reread(file)


@pytest.mark.parametrize(("cells", "kind", "labels", "codes"), [each for each in SPELLINGS if each[2]])
def test_a_class_of_every_cell_is_a_label_of_its_value(
    tmp_path: Path, cells: list[str], kind: str, labels: tuple[str, ...], codes: list[str]
) -> None:
    cells = [cell for cell in cells if cell != "NA"]
    file = upload(tmp_path, cells)
    found = schema(file)
    prepared = fit_preparation(found, train(file), ("a",), features={"a": {"kind": "class", "column": "a"}})
    classes = prepared.transform(train(file), ("a",))["a"]
    spelt = [(found["a"].labels or ())[code] for code in classes.tolist()]
    values = train(file)["a"]
    expected = values.tolist() if isinstance(values, torch.Tensor) else values
    by_label = dict(zip(spelt, expected, strict=True))
    assert [by_label[label] for label in spelt] == expected
    request = parse_columns({"a": spelt}, [RequiredColumn(found["a"])])["a"]
    assert (request.tolist() if isinstance(request, torch.Tensor) else request) == expected


def test_told_types_keep_spellings_apart_or_say_that_they_are_equal(tmp_path: Path) -> None:
    cells = ["7", "7.0", "007"]
    assert column(upload(tmp_path, cells, types={"a": "category"}), "a").labels == ("007", "7", "7.0")
    assert train(upload(tmp_path, cells, types={"a": "number"}))["a"].tolist() == [7, 7, 7]
    assert warning_codes(upload(tmp_path, cells, types={"a": "category"})) == []


def test_formats_are_found_told_and_silenced(tmp_path: Path) -> None:
    cells = ["1.234,50 €", "7 €", "\u2212.5 €".replace(".", ",")]
    file = upload(tmp_path, cells)
    found = column(file, "a")
    assert (found.type, found.format, found.unit, found.decided_by) == ("number", "1.234,5", "€", "content")
    assert train(file)["a"].tolist() == [1234.5, 7, -0.5]
    told = upload(tmp_path, cells, formats={"a": "1.234,5"})
    assert (warning_codes(told), column(told, "a").decided_by) == ([], "user")
    assert column(upload(tmp_path, cells, types={"a": "text"}), "a").type == "text"
    assert train(upload(tmp_path, cells, types={"a": "number"}))["a"].tolist() == [1234.5, 7, -0.5]


def test_formats_that_come_late_are_found_too(tmp_path: Path) -> None:
    cells = [str(number % 997) for number in range(9000)] + ["1,234,567"]
    file = upload(tmp_path, cells)
    assert (column(file, "a").format, train(file)["a"][-1].item()) == ("1,234.5", 1234567)
    check_reread(file)


@pytest.mark.parametrize(
    ("cells", "name", "other"),
    [(["175,921", "60,100"], "1,234.5", "1234,5"), (["03/04/2026", "05/06/2026"], "DD/MM/YYYY", "MM/DD/YYYY")],
)
def test_what_may_be_two_things_is_refused_with_both(tmp_path: Path, cells: list[str], name: str, other: str) -> None:
    file = upload(tmp_path, cells)
    assert upload_problems(file) == [("ambiguous_format", "/a")]
    assert all(f'"formats": {{"a": "{each}"}}' in problem_text(file) for each in (name, other))
    values = [train(upload(tmp_path, cells, formats={"a": each}))["a"].tolist() for each in (name, other)]
    assert values[0] != values[1]
    check_reread(upload(tmp_path, cells, formats={"a": name}))


def test_a_type_and_a_format_agree(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a format of a datetime"):
        upload(tmp_path, ["1"], types={"a": "number"}, formats={"a": "YYYY-MM-DD"})
    assert upload_problems(upload(tmp_path, ["1"], formats={"b": "1234,5"})) == [("unknown_column", "")]
    assert upload_problems(upload(tmp_path, ["1700000000"], types={"a": "datetime"})) == [("unknown_format", "/a")]


@pytest.mark.parametrize("cell", ["{}", "{},5"])
def test_bad_cells_are_refused_or_missing(tmp_path: Path, cell: str) -> None:
    cells = [cell.format(number) for number in range(500)]
    cells[300], cells[400] = "oops", "n.k."
    assert upload_problems(upload(tmp_path, cells)) == [("not_a_number", "/302"), ("not_a_number", "/402")]
    assert '"on_bad": "missing"' in problem_text(upload(tmp_path, cells))
    file = upload(tmp_path, cells, on_bad="missing")
    assert column(file, "a").missing == 2
    assert train(file)["a"].isnan().nonzero().flatten().tolist() == [300, 400]
    warning = next(each for each in schema(file).warnings if each.code == "bad_cells")
    assert "2 cells" in warning.detail
    assert 'line 302, column "a"' in warning.detail
    check_reread(file)


def test_other_cells_stay_numbers_where_a_few_have_a_unit(tmp_path: Path) -> None:
    file = upload(tmp_path, ["1E2", "3", "5%"], types={"a": "number"}, on_bad="missing")
    assert train(file)["a"].nan_to_num(-1).tolist() == [100, 3, -1]
    check_reread(file)


def test_a_bad_target_is_refused_even_so(tmp_path: Path) -> None:
    cells = [str(number) for number in range(300)] + ["oops"]
    assert upload_problems(upload(tmp_path, cells, target="a", on_bad="missing")) == [("missing_value", "/302")]


def test_dates_are_seconds(tmp_path: Path) -> None:
    file = upload(tmp_path, ["02.01.2024 13:30", "", "31.12.1969"])
    found = column(file, "a")
    assert (found.type, found.format, found.unit, found.missing) == ("datetime", "DD.MM.YYYY", None, 1)
    expected = [dt.datetime(2024, 1, 2, 13, 30, tzinfo=dt.UTC).timestamp(), -86400.0]
    assert train(file)["a"][[0, 2]].tolist() == expected
    assert warning_codes(file) == ["datetime_format"]
    check_reread(file)
    sent = parse_columns({"a": ["02.01.2024 13:30", "2024-01-02T13:30", None]}, [RequiredColumn(found)])["a"]
    assert isinstance(sent, torch.Tensor)
    assert sent[:2].tolist() == [expected[0]] * 2
    with pytest.raises(InvalidInput, match="without a time zone"):
        parse_columns({"a": ["2024-01-02T13:30Z"]}, [RequiredColumn(found)])


def test_told_epochs_are_dates(tmp_path: Path) -> None:
    file = upload(tmp_path, ["1700000000500", "1700000001000"], formats={"a": "epoch ms"})
    assert (column(file, "a").type, train(file)["a"].tolist()) == ("datetime", [1700000000.5, 1700000001.0])
    check_reread(file)
    rows = [{"a": 1700000000, "y": 1}, {"a": None, "y": 2}]
    file = make_upload(tmp_path / "a.jsonl", to_jsonl(rows), formats={"a": "epoch s"})
    assert train(file)["a"].nan_to_num(-1).tolist() == [1700000000, -1]
    days = [{"a": 20240102, "y": 1}, {"a": 20240103, "y": 2}]
    file = make_upload(tmp_path / "a.jsonl", to_jsonl(days), formats={"a": "YYYYMMDD"})
    assert train(file)["a"].diff().tolist() == [86400]
    file = make_upload(tmp_path / "a.jsonl", to_jsonl([{"a": 2**70, "y": 1}]), formats={"a": "epoch s"})
    assert upload_problems(file) == [("not_a_date", "/1")]


def test_lists_in_cells_where_the_type_is_given(tmp_path: Path) -> None:
    file = upload(tmp_path, ["a|b", "b", "", "c; d, e"], types={"a": "words"})
    assert train(file)["a"] == [("a", "b"), ("b",), (), ("c", "d, e")]
    check_reread(file)
    file = upload(tmp_path, ["1 2.5", "3,4,5"], types={"a": "series"})
    assert train(file)["a"].values.tolist() == [1, 2.5, 3, 4, 5]
    assert upload_problems(upload(tmp_path, ["[a", "b"], types={"a": "words"})) == [("wrong_type", "/2")]
