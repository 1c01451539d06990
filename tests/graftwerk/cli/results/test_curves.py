"""`graftwerk plot`, `metrics` and `export` against a script of answers."""

import json
import math
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.graftwerk.cli.conftest import Run
from tests.graftwerk.exports.test_curve_export import POINTS, lines
from tests.graftwerk.scripted_transport import ChunkedStream, job_document

SERIES: dict[str, Any] = {
    "train/loss": {
        "x": [1, 2, 3],
        "step": [1, 2, 3],
        "min": [1.0, 0.5, "NaN"],
        "max": [1, 9.0, "NaN"],
        "last": [1, 2, "NaN"],
    },
    "val/loss": {"x": [3], "step": [3], "min": ["Infinity"], "max": ["Infinity"], "last": ["Infinity"]},
}


def test_a_plot_has_a_panel_for_each_series_without_colours(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    result, script = run("plot", "job_1", "train/loss", "val/loss", answers=(job_document(), {"series": SERIES}))
    assert result.exit_code == 0, result.output
    rows = result.stdout.splitlines()
    assert rows[0] == "train/loss"
    assert "● train/loss  last nan  min 0.5  max 9  ✕ 1 of 3 values not finite" in rows
    assert "● val/loss  last inf  ✕ 1 of 1 values not finite" in rows
    assert "\x1b" not in result.stdout
    assert dict(script.requests[1].url.params)["names"] == "train/loss,val/loss"


def test_axes_are_requested(run: Run) -> None:
    words = ("--x", "elapsed", "--log", "--log-x", "--from", "2", "--to", "9", "--smooth", "0.5")
    result, script = run("plot", "job_1", *words, answers=(job_document(), {"series": SERIES}))
    assert result.exit_code == 0, result.output
    parameters = dict(script.requests[1].url.params)
    assert {name: parameters[name] for name in ("x", "from", "to", "smooth")} == {
        "x": "elapsed",
        "from": "2.0",
        "to": "9.0",
        "smooth": "0.5",
    }
    assert "names" not in parameters


@pytest.mark.parametrize("command", ["plot", "metrics"])
def test_curves_as_json_are_json(run: Run, command: str) -> None:
    result, _ = run(command, "job_1", "--json", answers=(job_document(), {"series": SERIES}))
    document = json.loads(result.stdout, parse_constant=pytest.fail)
    assert document == {"x": "step", "series": SERIES}


def test_a_job_without_points(run: Run) -> None:
    result, _ = run("plot", "job_1", answers=(job_document(), {"series": {}}))
    assert (result.exit_code, result.stdout) == (0, "no points yet\n")


@pytest.mark.parametrize("form", ["tensorboard", "mlflow", "mlflow_json"])
def test_curves_are_exported(run: Run, tmp_path: Path, form: str) -> None:
    answer = httpx.Response(200, stream=ChunkedStream(lines(POINTS)))
    words = ("export", "job_1", form, str(tmp_path / "out"), "--names", "train/loss,val/loss")
    result, script = run(*words, answers=(job_document(spec={}), answer))
    assert result.stdout == f"{tmp_path / 'out' / 'digits-job_1'}\n"
    assert script.requests[1].url.params["names"] == "train/loss,val/loss"
    assert any(path.is_file() for path in (tmp_path / "out" / "digits-job_1").rglob("*"))


@pytest.mark.parametrize(
    "words", [("excel",), ("tensorboard", "--checkpoint", "ckpt_1"), ("onnx", "--names", "train/loss"), ()]
)
def test_what_cannot_be_exported_is_usage(run: Run, words: tuple[str, ...]) -> None:
    result, script = run("export", "job_1", *words)
    assert (result.exit_code, script.requests) == (2, [])


def test_numbers_of_json_are_read_back() -> None:
    from graftwerk.numbers import format_number, parse_number

    for value in (0.5, math.inf, -math.inf, 7):
        assert parse_number(format_number(value)) == value
    assert math.isnan(parse_number(format_number(math.nan)))
