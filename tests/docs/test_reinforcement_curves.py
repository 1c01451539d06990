"""The picture of an agent's returns and of an episode."""

from types import ModuleType
from xml.etree import ElementTree

import pytest

from tests.docs.drawing_scripts import SVG, import_script


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return import_script("reinforcement_curves", monkeypatch)


def test_returns_and_an_episode_are_drawn(script: ModuleType) -> None:
    recorded = {
        "observations": [[1.0, 4.0], [0.5, -8.0], [0.25, 2.0]],
        "actions": [[0.5], [-2.0]],
        "observation_names": ["cos(angle)", "angular velocity"],
        "action_names": ["torque"],
    }
    episode = script.episode_lines(recorded)
    assert episode == {
        "cos(angle)": [(0, 1.0), (1, 0.5), (2, 0.25)],
        "angular velocity": [(0, 0.5), (1, -1.0), (2, 0.25)],
        "torque": [(0, 0.25), (1, -1.0)],
    }
    returns = {"val/return": [(0, -1400.0), (100, -700.0), (200, -150.0)]}
    picture = ElementTree.fromstring(script.render_svg([("returns", returns), ("episode", episode)], "Pendulum"))
    lines = [shape.attrib["points"].split() for shape in picture.iter(f"{SVG}polyline")]
    assert [len(points) for points in lines] == [3, 3, 3, 2]
    heights = [float(point.split(",")[1]) for point in lines[0]]
    assert heights == sorted(heights, reverse=True), "a return that rises goes up the picture"
    assert {text.text for text in picture.iter(f"{SVG}text")} >= {"val/return", "torque", "-1400", "-150", "200"}
