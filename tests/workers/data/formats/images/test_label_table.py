"""Images whose names and labels stand in a table in their archive."""

from dataclasses import replace
from pathlib import Path

import pytest
from torch import Tensor

from tests.workers.data.formats.test_images import encode_image
from tests.workers.data.formats.uploads import (
    content,
    make_upload,
    problem_codes,
    problem_text,
    schema,
    upload_problems,
    write_zip,
)
from workers.data.formats.catalog import read_upload

COUNT = 6


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "images.zip"


def images(folder: str = "", name: str = "{}.png") -> dict[str, str | bytes]:
    """Return images whose red is their number."""
    return {folder + name.format(number): encode_image(number) for number in range(COUNT)}


def read(path: Path, files: dict[str, str | bytes], split: str = "train", **source: object) -> list[tuple[int, ...]]:
    """Return the numbers in the pixels of every row, and the learned values; both times it is read."""
    write_zip(path, files)
    upload = make_upload(path, **source)
    found = schema(upload)
    results = []
    for known in (None, found):
        columns = read_upload(replace(upload, known_schema=known)).splits[split]
        pixels, values = columns["image"], columns[found.target or ""]
        assert isinstance(pixels, Tensor)
        learned = values.tolist() if isinstance(values, Tensor) else list(values)
        results.append(list(zip(pixels[:, 0, 0, 0].tolist(), learned, strict=True)))
    assert results[0] == results[1]
    return results[0]


@pytest.mark.parametrize("shown", ["{}.png", "{}", "images/{}.png", "./images/{}.png", "C:\\data\\{}.png", "{}.PNG"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_names_are_matched_with_or_without_folder_and_ending(path: Path, shown: str, separator: str) -> None:
    order = [3, 0, 5, 1, 4, 2]
    rows = "".join(f"{separator.join([shown.format(n), 'ab'[n % 2]])}\n" for n in order)
    found = read(path, images("images/") | {"labels.csv": f"file{separator}kind\n{rows}"})
    assert found == [(n, "ab"[n % 2]) for n in order]
    assert schema(make_upload(path)).warnings == ()


def test_names_with_zeros_in_front_stay_names(path: Path) -> None:
    rows = "".join(f"{n},000{n},{n * 1.5}\n" for n in range(COUNT))
    files = images("pictures/", "000{}.png") | {"train.csv": f"weight,id,price\n{rows}"}
    assert read(path, files) == [(n, n * 1.5) for n in range(COUNT)]
    found = schema(make_upload(path))
    assert (found.inputs, found.target, found["price"].type) == (("image", "weight"), "price", "number")


def test_of_several_columns_one_is_learned(path: Path) -> None:
    rows = "".join(f"{n}.png,{'ab'[n % 2]},{n + 0.5}\n" for n in range(COUNT))
    files = images() | {"labels.csv": f"file,kind,age\n{rows}"}
    assert read(path, files, target="kind") == [(n, "ab"[n % 2]) for n in range(COUNT)]
    assert schema(make_upload(path, target="kind")).inputs == ("image", "age")
    assert read(path, files)[3] == (3, 3.5)


def test_tables_and_folders_may_be_splits(path: Path) -> None:
    parts = {f"{'train' if n < 4 else 'test'}/{n}.png": encode_image(n) for n in range(COUNT)}
    one = "file,y\n" + "".join(f"{n}.png,{n / 4}\n" for n in range(COUNT))
    first, second = "file,y\n" + "".join(one.splitlines(True)[1:5]), "file,y\n" + "".join(one.splitlines(True)[5:])
    for tables in (
        {"labels.csv": one},
        {"train.csv": first, "test.csv": second},
        {"train/labels.csv": first, "test/labels.csv": second},
    ):
        assert read(path, parts | tables) == [(n, n / 4) for n in range(4)]
        assert read(path, parts | tables, "test") == [(n, n / 4) for n in (4, 5)]


def test_objects_of_json_name_images_too(path: Path) -> None:
    lines = "".join(f'{{"file_name": "{n}.png", "score": {n}.25}}\n' for n in range(COUNT))
    assert read(path, images("train/") | {"train/metadata.jsonl": lines}) == [(n, n + 0.25) for n in range(COUNT)]


def test_rows_and_images_without_each_other_are_counted(path: Path) -> None:
    rows = "".join(f"{n}.png,{'ab'[n % 2]}\n" for n in range(2, COUNT + 3))
    assert len(read(path, images() | {"labels.csv": f"file,kind\n{rows}"})) == COUNT - 2
    said = {warning.code: warning.detail for warning in content(make_upload(path)).warnings}
    assert said["rows_without_image"] == '3 rows without an image left out, the first names "6.png"'
    assert said["files"].startswith("2 files left out, without a row in the table")


def test_a_table_for_the_competition_is_no_table_of_labels(path: Path) -> None:
    parts = {f"{'train' if n < 4 else 'test'}/{n}.png": encode_image(n) for n in range(COUNT)}
    tables = {"train.csv": "id,label\n0,a\n1,b\n2,a\n3,b\n", "sample_submission.csv": "id,label\n4,a\n5,a\n"}
    assert [label for _, label in read(path, parts | tables)] == ["a", "b", "a", "b"]
    assert [warning.code for warning in schema(make_upload(path)).warnings] == ["files", "files"]


def test_a_table_beside_classes_is_said_or_left_out(path: Path) -> None:
    folders = {f"{'xy'[n % 2]}/{n}.png": encode_image(n) for n in range(COUNT)}
    rows = "".join(f"{n}.png,{'ab'[n % 2]}\n" for n in range(COUNT))
    assert read(path, folders | {"labels.csv": f"file,kind\n{rows}"})[0] == (0, "a")
    assert "labels_of_table" in {warning.code for warning in schema(make_upload(path)).warnings}
    assert {label for _, label in read(path, folders | {"notes.csv": "place,kind\n1,b\n"})} == {"x", "y"}


@pytest.mark.parametrize(
    ("files", "code"),
    [
        (
            {"train/1.png": encode_image(1), "test/1.png": encode_image(2), "l.csv": "file,y\n1.png,a\n"},
            "ambiguous_name",
        ),
        (images() | {"l.csv": "file,y\n1.png,a\n1.png,b\n2.png,a\n"}, "duplicate_name"),
        (images() | {"l.csv": "file,y\n1.png,a\n", "m.csv": "file,y\n2.png,a\n"}, "duplicate_name"),
        (images() | {"l.csv": "file\n1.png\n"}, "no_columns"),
        (images() | {"l.csv": "file,image,y\n1.png,1,2\n2.png,2,3\n"}, "duplicate_name"),
        (images() | {"l.csv": "file,y\n1.png,a\n2.png,\n"}, "missing_value"),
        (images() | {"l.csv": "file,y\n1.png,a\n2.png\n"}, "columns_differ"),
    ],
)
def test_what_contradicts_itself_is_refused(path: Path, files: dict[str, str | bytes], code: str) -> None:
    write_zip(path, files)
    assert problem_codes(make_upload(path)) == {code}
    assert problem_text(make_upload(path))


def test_problems_name_the_line_of_the_table(path: Path) -> None:
    write_zip(path, images() | {"labels.csv": "file,kind,age\n1.png,a,2\n\n2.png,b,x\n"})
    upload = make_upload(path, types={"age": "number"}, target="kind")
    assert upload_problems(upload) == [("not_a_number", "/labels.csv/4")]


def test_a_folder_of_images_beside_a_table_of_other_names_is_no_class(tmp_path: Path) -> None:
    path = tmp_path / "images.zip"
    rows = "".join(f"picture-{place},{'ab'[place % 2]}\n" for place in range(COUNT))
    write_zip(path, images("images/") | {"labels.csv": f"id,label\n{rows}"})
    assert [code for code, _ in upload_problems(make_upload(path))] == ["no_class"]
