"""The command that asks a job's network."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.graftwerk.cli.conftest import Run
from tests.graftwerk.jobs.test_predictions import ANSWER
from tests.graftwerk.scripted_transport import job_document, problem_response


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "rows.csv"
    path.write_text("x\n1\n")
    return str(path)


def test_a_table_for_people(run: Run, file: str) -> None:
    result, script = run("predict", "job_1", file, "--checkpoint", "ckpt_1", answers=(job_document(), ANSWER))
    assert result.exit_code == 0, result.output
    assert [line.split() for line in result.output.splitlines()] == [
        ["ROW", "LABEL", "PROBABILITY"],
        ["0", "a", "0.75"],
        ["1", "b", "0.5"],
    ]
    assert script.requests[1].url.params["checkpoint"] == "ckpt_1"
    assert script.requests[1].headers["Content-Type"] == "text/csv"


def test_lists_for_people(run: Run, file: str) -> None:
    told = {"tags": ["N", "V"], "labels": [{"label": "x", "probability": 0.9}], "raw": [[1]], "value": [0.25, 1.0] * 40}
    answer = ANSWER | {
        "predictions": [{"a": told, "b": {"label": True}}],
        "files": ["x.png"],
        "outputs": {"a": {}, "b": {}},
    }
    result, _ = run("predict", "job_1", file, answers=(job_document(), answer))
    title, row = result.output.splitlines()
    assert title.split() == ["FILE", "A", "TAGS", "A", "LABELS", "A", "RAW", "A", "VALUE", "B", "LABEL"]
    assert row.startswith("x.png  N V     x 0.9     [[1]]  0.25 1 0.25")
    assert row.rstrip().endswith("…  true")


def test_what_was_left_out_of_rows_is_told(run: Run, file: str) -> None:
    warning = {"pointer": "/columns/plz", "code": "unknown_word", "detail": "1 row has a word", "hint": "01067?"}
    result, _ = run("predict", "job_1", file, answers=(job_document(), ANSWER | {"warnings": [warning]}))
    assert "1 row has a word" in result.stderr
    assert "01067?" in result.stderr


def test_samples_are_written_as_pictures(run: Run, tmp_path: Path) -> None:
    rows = [{"sample": {"image": text}, "code": {"raw": [1]}} for text in ("YQ==", "Yg==")]
    drawn = ANSWER | {"predictions": rows}
    folder = tmp_path / "drawn"
    words = ("predict", "job_1", "--count", "2", "--seed", "5", "--select", "sample,code", "--images", str(folder))
    result, script = run(*words, answers=(job_document(), drawn))
    assert result.exit_code == 0, result.output
    assert dict(script.requests[1].url.params) == {"outputs": "image", "select": "sample,code", "seed": "5"}
    assert json.loads(script.requests[1].content) == {"count": 2}
    assert result.output.split() == [str(folder / "sample-0000.png"), str(folder / "sample-0001.png")]
    assert [path.read_bytes() for path in sorted(folder.iterdir())] == [b"a", b"b"]


def test_a_file_or_a_count(run: Run, file: str) -> None:
    for words in ((), (file, "--count", "3")):
        result, _ = run("predict", "job_1", *words, answers=())
        assert result.exit_code == 2
        assert "--count" in result.output


def test_json_and_csv_for_programs(run: Run, file: str) -> None:
    result, _ = run("predict", "job_1", file, "--json", answers=(job_document(), ANSWER))
    assert json.loads(result.output) == ANSWER
    table: Any = httpx.Response(200, text="output.label\na\n")
    result, script = run("predict", "job_1", file, "--csv", "--outputs", "labels,raw", answers=(job_document(), table))
    assert result.output == "output.label\na\n"
    assert script.requests[1].url.params["outputs"] == "labels,raw"


def test_problems_have_places(run: Run, file: str) -> None:
    errors = [{"pointer": "/rows/0/x", "code": "wrong_type", "detail": "x is a number", "hint": ""}]
    result, _ = run(
        "predict", "job_1", file, answers=(job_document(), problem_response(422, "invalid_input", errors=errors))
    )
    assert result.exit_code == 2
    assert "/rows/0/x: x is a number" in result.stderr


def test_forecasts_say_which_series_they_continue(run: Run, file: str) -> None:
    windows = [{"series": "Ulm", "after": "2026-10-26T09:00:00"}]
    answer = ANSWER | {"predictions": [{"sales": {"value": [1.5, 2.5]}}], "windows": windows}
    answer |= {"outputs": {"sales": {"about": "numbers", "labels": None}}}
    result, _ = run("predict", "job_1", file, answers=(job_document(), answer))
    assert [line.split() for line in result.stdout.splitlines()] == [
        ["SERIES", "AFTER", "VALUE"], ["Ulm", "2026-10-26T09:00:00", "1.5", "2.5"]
    ]  # fmt: skip
