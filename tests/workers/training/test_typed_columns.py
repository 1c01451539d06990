"""Columns that once lost their meaning are trained on, and predicted from: digits, spellings, formats, dates."""

import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from pyarrow import parquet

from app.spec.prediction import PredictionOptions
from tests.workers.data.formats.uploads import make_upload, train
from tests.workers.prediction.checkpoints import make_job, write_checkpoint
from tests.workers.training.harness import TrainingHarness
from tests.workers.training.test_uploads import UploadHarness
from workers.prediction.forward import predict_rows, prepare_rows
from workers.prediction.inputs.files import read_rows
from workers.prediction.inputs.requests import RequestBody
from workers.prediction.inputs.rows import split_from_rows
from workers.prediction.network import TrainedNetwork, load_network

CLASSES = [{"kind": "Linear", "out_features": 16}, {"kind": "ReLU"}, {"kind": "Linear", "out_features": 4}]
TWO_CLASSES = [*CLASSES[:2], {"kind": "Linear", "out_features": 2}]
NUMBER = [*CLASSES[:2], {"kind": "Linear", "out_features": 1}]
HELD_OUT = {"validation": {"fraction": 0.25}}


@pytest.fixture
def place(laboratory: TrainingHarness, tmp_path: Path) -> UploadHarness:
    return UploadHarness(laboratory, tmp_path / "upload")


def held_out_loss(place: UploadHarness, layers: Any, data: dict[str, Any] | None = None, **source: Any) -> float:
    """Return the cross entropy of rows that were held out, of a small network trained on the upload."""
    data = HELD_OUT | (data or {})
    attempt = place.run(place.known(**source), {"layers": layers}, loss="CrossEntropyLoss", data=data)
    return attempt.points("val/loss")[-1][1]


def test_seconds_of_an_epoch_tell_classes_apart(place: UploadHarness) -> None:
    seconds = 1.7e9 + np.random.default_rng(0).uniform(0, 60, (300, 1))
    with place.path.open("wb") as file:
        np.savez(file, t=seconds, y=(seconds[:, 0] > 1.7e9 + 30).astype(np.int64))
    assert held_out_loss(place, TWO_CLASSES, {"scale": "standard"}) < 0.25


def test_identifiers_are_four_labels(place: UploadHarness) -> None:
    ids = [1577134800018164904, 1577134800018164905, 1577134800018164906, 9007199254740993]
    table = pa.table({"u": [row % 4 for row in range(200)], "id": [ids[row % 4] for row in range(200)]})
    parquet.write_table(table, place.path)
    assert held_out_loss(place, CLASSES, target="id") < 0.5
    assert place.known(target="id")[0]["id"].labels == tuple(sorted(map(str, ids)))


def test_a_saved_index_teaches_nothing(place: UploadHarness) -> None:
    drawn = random.Random(0)
    rows = [f"{row},{drawn.gauss(0, 1):.4f},{'yes' if row >= 100 else 'no'}\n" for row in range(200)]
    drawn.shuffle(rows)
    assert held_out_loss(place, TWO_CLASSES, content=",noise,y\n" + "".join(rows)) > 0.6


def test_hours_of_dates_tell_classes_apart(place: UploadHarness) -> None:
    drawn, first = random.Random(0), datetime(2024, 1, 1, tzinfo=UTC)
    times = [first + timedelta(minutes=drawn.randrange(500_000)) for _ in range(300)]
    rows = [f"{time:%d/%m/%Y %H:%M},{'night' if time.hour < 8 else 'day'}\n" for time in times]
    assert held_out_loss(place, TWO_CLASSES, content="when,y\n" + "".join(rows)) < 0.3


def trained(place: UploadHarness, folder: Path, layers: Any, loss: str, content: str, **source: Any) -> TrainedNetwork:
    """Return a network with random weights on an upload."""
    schema, _ = place.known(content, **source)
    rows = train(make_upload(place.path, **source))
    job = make_job(layers, loss, target=schema.target)
    return load_network(write_checkpoint(folder, job, schema, rows)[0], torch.device("cpu"))


def predict(network: TrainedNetwork, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    split = split_from_rows(rows, network.required_columns, network.dataset_columns)
    prepared = prepare_rows(network, split, len(rows))
    return [row["output"] for row in predict_rows(network, prepared, PredictionOptions())]


@pytest.mark.parametrize(
    ("cells", "labels"),
    [
        (["TRUE", "FALSE"], ["FALSE", "TRUE"]),
        (["007", "7"], ["007", "7"]),
        (["2.0", "1.0"], ["1.0", "2.0"]),
        (["1E2", "5"], ["5", "1E2"]),
        (["10 min", "20 min"], ["10 min", "20 min"]),
    ],
)
def test_predictions_are_spelt_as_the_target(
    place: UploadHarness, tmp_path: Path, cells: list[str], labels: list[str]
) -> None:
    content = "v,y\n" + "".join(f"{row / 7:.3f},{cells[row % 2]}\n" for row in range(40))
    network = trained(place, tmp_path, TWO_CLASSES, "CrossEntropyLoss", content)
    assert network.formatters["output"].describe()["labels"] == labels
    assert {row["label"] for row in predict(network, [{"v": value} for value in range(-50, 50)])} <= set(labels)


def test_rows_are_read_in_the_format_and_predicted_in_the_unit_of_the_data(
    place: UploadHarness, tmp_path: Path
) -> None:
    content = "size;when;price\n" + "".join(
        f"{row},5 m;{row % 28 + 1:02}.02.2024;{row + 1}.000,50 €\n" for row in range(40)
    )
    network = trained(place, tmp_path, NUMBER, "MSELoss", content, target="price")
    assert network.formatters["output"].describe()["unit"] == "€"
    written = [{"size": "2,5 m", "when": "03.02.2024"}, {"size": None, "when": None}]
    plain = [{"size": 2.5, "when": "2024-02-03"}, {"size": None, "when": None}]
    values = [row["value"] for row in predict(network, written)]
    assert values == [row["value"] for row in predict(network, plain)]
    assert 1_000 < values[0] < 60_000  # around the mean of the data
    file = tmp_path / "rows.csv"
    file.write_text("size;when\n2,5 m;03.02.2024\n;\n")
    rows = read_rows("csv", RequestBody(file, "text/csv", 10), network)
    predicted = predict_rows(network, prepare_rows(network, rows.split, rows.count), PredictionOptions())
    assert [row["output"]["value"] for row in predicted] == values


def test_a_date_is_predicted_as_a_date(place: UploadHarness, tmp_path: Path) -> None:
    rows = [json.dumps({"v": row * 0.5, "y": f"2024-03-{row % 28 + 1:02}"}) + "\n" for row in range(40)]
    network = trained(place, tmp_path, NUMBER, "MSELoss", "".join(rows), format="jsonl", target="y")
    (row,) = predict(network, [{"v": 1.0}])
    assert row["value"].startswith("2024-0")
    assert datetime.fromisoformat(row["value"]).year == 2024
