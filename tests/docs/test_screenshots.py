"""The pictures of the pages are those that the script makes, and small."""

import re
from pathlib import Path

import pytest
from PIL import Image

from docs.screenshots import FOLDER, MAX_BYTES, PICTURES

ROOT = Path(__file__).parents[2]


def test_every_picture_is_made_by_the_script_and_shown() -> None:
    names = {path.name for path in FOLDER.iterdir()}
    assert names == {f"{name}.webp" for name in PICTURES}
    shown = set(re.findall(r"pictures/([\w-]+\.webp)", (ROOT / "docs" / "tutorial.md").read_text()))
    assert shown == names
    assert "docs/pictures/curves.webp" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_small_and_whole(name: str) -> None:
    path = FOLDER / f"{name}.webp"
    assert path.stat().st_size <= MAX_BYTES
    with Image.open(path) as picture:
        picture.load()
        assert picture.width == 1200
