"""Responses as JSON and as tables."""

import csv
import io
import json
from typing import Any

import numpy as np

from workers.prediction.formatting import OutputFormatter
from workers.prediction.responses import MAX_SPREAD_WIDTH, render_csv, render_json

CLASSES = OutputFormatter("classes", labels=("a", "b"))
HALF = np.float32(0.1)


def rows_of(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode())))


def test_a_document_has_the_shortest_numbers() -> None:
    predictions: list[Any] = [
        {"out": {"label": "a", "probability": HALF, "probabilities": np.array([0.1, 0.9], np.float32)}}
    ]
    body = render_json({"job": "job_1"}, predictions)
    assert b"0.1," in body
    assert json.loads(body) == {
        "job": "job_1",
        "predictions": [{"out": {"label": "a", "probability": 0.1, "probabilities": [0.1, 0.9]}}],
    }


def test_a_table_has_a_column_for_each_field() -> None:
    chances = np.array([0.1, 0.9], np.float32)
    predictions: list[Any] = [
        {"out": {"label": word, "probability": HALF, "probabilities": chances}, "more": {"value": chances}}
        for word in ("a", 'b, "c"')
    ]
    content = render_csv(predictions, {"out": CLASSES, "more": OutputFormatter("numbers")}, ["x.png", "y.png"])
    assert content.splitlines()[0].decode() == (
        "file,out.label,out.probability,out.probabilities.a,out.probabilities.b,more.value.0,more.value.1"
    )
    first, second = rows_of(content)
    assert (first["file"], first["out.label"], first["out.probabilities.b"]) == ("x.png", "a", "0.9")
    assert (second["out.label"], second["more.value.1"]) == ('b, "c"', "0.9")


def test_lists_that_no_columns_hold_are_cells() -> None:
    wide = np.zeros(MAX_SPREAD_WIDTH + 1, np.float32)
    predictions: list[Any] = [
        {"out": {"tags": ["N", "V"], "value": np.zeros((2, 2), np.float32), "raw": wide}},
        {"out": {"tags": [], "value": np.zeros((1, 2), np.float32), "raw": wide}},
    ]
    first, second = rows_of(render_csv(predictions, {"out": OutputFormatter("tags")}))
    assert json.loads(first["out.tags"]) == ["N", "V"]
    assert json.loads(second["out.value"]) == [[0, 0]]
    assert len(json.loads(first["out.raw"])) == MAX_SPREAD_WIDTH + 1


def test_numbers_that_are_not_finite_are_words() -> None:
    (row,) = rows_of(render_csv([{"out": {"value": ["NaN", 1.0]}}], {"out": OutputFormatter("numbers")}))
    assert row == {"out.value.0": "NaN", "out.value.1": "1.0"}
