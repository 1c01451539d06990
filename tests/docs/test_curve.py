from types import ModuleType
from xml.etree import ElementTree

import pytest

from tests.docs.drawing_scripts import SVG, import_script


@pytest.fixture
def curve(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return import_script("curve", monkeypatch)


def test_every_bucket_is_drawn(curve: ModuleType) -> None:
    series = {
        "train/loss": {"step": [1, 50, 100], "min": [1.5, 0.5, 0.1], "max": [2.0, 1.0, 0.3], "last": [1.6, 0.7, 0.2]},
        "val/loss": {"step": [50, 100], "min": [0.8, 0.4], "max": [0.8, 0.4], "last": [0.8, 0.4]},
    }
    picture = ElementTree.fromstring(curve.render_svg(series, "Loss"))
    bands = [shape.attrib["points"].split() for shape in picture.iter(f"{SVG}polygon")]
    lines = [shape.attrib["points"].split() for shape in picture.iter(f"{SVG}polyline")]
    assert [len(points) for points in bands] == [6, 4]
    assert [len(points) for points in lines] == [3, 2]
    assert {text.text for text in picture.iter(f"{SVG}text")} >= {"train/loss", "val/loss", "100", "2.00"}
    heights = [float(point.split(",")[1]) for point in lines[0]]
    assert heights == sorted(heights), "a falling loss goes down the picture"
