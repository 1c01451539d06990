from types import ModuleType
from xml.etree import ElementTree

import pytest

from tests.docs.drawing_scripts import SVG, import_script


@pytest.fixture
def drawing(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return import_script("surgery_curves", monkeypatch)


def test_each_edit_has_a_panel_with_its_curves_and_its_step(drawing: ModuleType) -> None:
    curves = {
        "step": [90, 95, 100, 105, 110],
        "no edit": [1.0, 1.0, 0.9, 0.8, 0.7],
        "ours": [1.0, 1.0, 0.9, 0.8, 0.7],
        "optimiser reset": [1.0, 1.0, 0.9, 2.0, 1.5],
        "restart": [None, None, 9.0, 8.0, 7.0],
    }
    picture = ElementTree.fromstring(drawing.render_svg({"insert": curves, "widening": curves}, 100))
    lines = [shape.attrib["points"].split() for shape in picture.iter(f"{SVG}polyline")]
    assert [len(points) for points in lines] == [5, 5, 5, 3] * 2
    texts = {text.text for text in picture.iter(f"{SVG}text")}
    assert {"insert, before step 100", "widening, before step 100", "3.00", "90", "110"} <= texts
    heights = [float(point.split(",")[1]) for point in lines[0]]
    assert heights == sorted(heights), "a falling loss goes down the picture"
    assert {float(point.split(",")[1]) for point in lines[3]} == {float(drawing.TOP)}, "what is beyond lies on the top"
