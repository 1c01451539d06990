"""Archives as people pack them: which folder is a split, which one a class, and what is left out."""

from pathlib import Path

import pytest

from tests.workers.data.formats.test_images import encode_image
from tests.workers.data.formats.uploads import content, make_upload, problem_codes, schema, write_zip


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "images.zip"


def labels(path: Path, *names: str) -> dict[str, object]:
    """Return the labels by split of an archive with images of these names."""
    write_zip(path, {name: encode_image(number) for number, name in enumerate(names)})
    return {split: columns["label"] for split, columns in content(make_upload(path)).splits.items()}


def codes(path: Path) -> list[str]:
    return [warning.code for warning in schema(make_upload(path)).warnings]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["pets/cats/1.png", "pets/dogs/2.png"], {"train": ["cats", "dogs"]}),
        (["a/b/cats/1.png", "a/b/dogs/2.png"], {"train": ["cats", "dogs"]}),
        (["cats/train/1.png", "cats/test/2.png", "dogs/train/3.png"], {"train": ["cats", "dogs"], "test": ["cats"]}),
        (["x/train/cats/1.png", "x/train/dogs/2.png"], {"train": ["cats", "dogs"]}),
        (
            ["train/cats/1.png", "train/dogs/2.png", "val/dogs/3.png", "test/cats/4.png"],
            {"train": ["cats", "dogs"], "validation": ["dogs"], "test": ["cats"]},
        ),
        (["train/1.png", "car/2.png", "bus/3.png"], {"train": ["bus", "car", "train"]}),  # vehicles
    ],
)
def test_folders_are_splits_and_classes(path: Path, names: list[str], expected: dict[str, list[str]]) -> None:
    assert labels(path, *names) == expected
    assert codes(path) == []


def test_what_computers_leave_is_no_class(path: Path) -> None:
    files = {"pets/cats/1.png": encode_image(1), "pets/dogs/2.png": encode_image(2)}
    others = {"__MACOSX/pets/cats/._1.png": b"x", "pets/.DS_Store": b"x", "pets/cats/Thumbs.db": b"x"}
    write_zip(path, files | others)
    assert content(make_upload(path)).splits["train"]["label"] == ["cats", "dogs"]
    assert codes(path) == []
    write_zip(path, files | {"pets/README.md": b"x"})
    assert codes(path) == ["files"]


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (["pets/cats/1.png", "pets/dogs/2.png", "pets/cover.png"], "no_class"),
        (["train/cats/1.png", "extra/dogs/2.png"], "mixed_folders"),
        (["train/cats/1.png", "2.png"], "mixed_folders"),
        (["1.png", "2.png"], "no_class"),
    ],
)
def test_what_is_neither_is_refused(path: Path, names: list[str], code: str) -> None:
    write_zip(path, {name: encode_image(1) for name in names})
    assert problem_codes(make_upload(path)) == {code}


def test_folders_within_classes_are_said(path: Path) -> None:
    assert labels(path, "animals/cat/1.png", "animals/dog/2.png", "plants/3.png") == {
        "train": ["animals", "animals", "plants"]
    }
    assert codes(path) == ["nested_folders"]


def test_one_class_is_said(path: Path) -> None:
    assert labels(path, "photos/1.png", "photos/2.png") == {"train": ["photos", "photos"]}
    assert codes(path) == ["constant_target"]
