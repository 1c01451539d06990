"""Predictions of quantiles, of mean and variance, and of sequences: of rows as users send them, beside the network."""

from pathlib import Path
from typing import Any

import pytest
import torch

from app.spec.prediction import PredictionOptions
from tests.workers.data.schemas import series_column
from tests.workers.prediction.checkpoints import make_job, make_schema, write_checkpoint
from workers.prediction.forward import predict_rows, prepare_rows
from workers.prediction.inputs.rows import split_from_rows
from workers.prediction.network import NetworkSource, load_network

CPU = torch.device("cpu")
NUMBERS = [{"name": "x", "type": "number"}, {"name": "y", "type": "number", "unit": "kg"}]
TABLE = {"x": torch.tensor([1.0, 2.0, 4.0, 8.0]), "y": torch.tensor([100.0, 300.0, 500.0, 300.0])}
DEVIATION = float(TABLE["y"].std(correction=0))
LETTERS = ("a", "b", "c")


def predict(source: NetworkSource, rows: Any, count: int, **options: Any) -> list[dict[str, Any]]:
    loaded = load_network(source, CPU)
    split = split_from_rows(rows, loaded.required_columns, loaded.dataset_columns)
    return predict_rows(loaded, prepare_rows(loaded, split, count), PredictionOptions.model_validate(options))


def test_quantiles_are_in_the_units_of_the_data(tmp_path: Path) -> None:
    loss = {"kind": "QuantileLoss", "quantiles": [0.1, 0.5, 0.9]}
    job = make_job([{"kind": "Linear", "out_features": 3}], loss, target="y", scale="standard")
    source, network = write_checkpoint(tmp_path, job, make_schema(NUMBERS), TABLE)
    rows = predict(source, [{"x": 1.0}, {"x": 4.0}], 2)
    scaled = (torch.tensor([[1.0], [4.0]]) - TABLE["x"].mean()) / TABLE["x"].std(correction=0)
    expected = network({next(iter(network.blueprint.inputs)): scaled})["output"] * DEVIATION + 300
    for row, values in zip(rows, expected.tolist(), strict=True):
        assert list(row["output"]["quantiles"].values()) == pytest.approx(values, rel=1e-5)
        assert list(row["output"]["quantiles"]) == ["0.1", "0.5", "0.9"]
        assert row["output"]["value"] == pytest.approx(values[1], rel=1e-5)


def test_a_variance_is_in_the_square_of_the_unit(tmp_path: Path) -> None:
    model = {
        "nodes": [
            {"id": "mean", "kind": "Linear", "inputs": ["x"], "out_features": 1},
            {"id": "raw", "kind": "Linear", "inputs": ["x"], "out_features": 1},
            {"id": "var", "kind": "Softplus", "inputs": ["raw"]},
        ],
        "outputs": {"mean": "mean", "var": "var"},
    }
    features = {"x": {"kind": "numbers", "columns": ["x"], "scale": "none"}}
    job = make_job(model, {"kind": "GaussianNLLLoss", "var": "var"}, target="y", features=features)
    job["objective"]["output"] = "mean"
    source, network = write_checkpoint(tmp_path, job, make_schema(NUMBERS), TABLE)
    (row,) = predict(source, [{"x": 2.0}], 1)
    outputs = {name: value.detach() for name, value in network({"x": torch.tensor([[2.0]])}).items()}
    assert row["mean"]["value"] == pytest.approx(float(outputs["mean"]) * DEVIATION + 300, rel=1e-5)
    assert row["var"]["value"] == pytest.approx(float(outputs["var"]) * DEVIATION**2, rel=1e-5)


def test_sequences_are_lists_of_labels_of_their_own_length(tmp_path: Path) -> None:
    columns = [
        {"name": "wave", "type": "series", "shape": [2], "longest": 6},
        {"name": "letters", "type": "words", "labels": list(LETTERS), "longest": 3},
    ]
    model = {
        "inputs": ["wave", "wave_length"],
        "nodes": [
            {"id": "scores", "kind": "Linear", "inputs": ["wave"], "out_features": 4},
            {"id": "logs", "kind": "LogSoftmax", "inputs": ["scores"], "dim": 2},
        ],
        "outputs": {"logs": "logs", "steps": "wave_length"},
    }
    job = make_job(model, {"kind": "CTCLoss", "input_lengths": "steps", "blank": 1}, target="letters")
    job["objective"] |= {"output": "logs", "classes": "last"}
    waves = [[[5.0, -1.0], [1.0, 2.0]], [[0.0, 9.0]] * 6, [[-3.0, 1.0], [3.0, -1.0], [-3.0, 1.0]]]
    content = {"wave": series_column(*waves, width=2), "letters": [["a"], ["b"], ["c"]]}
    source, network = write_checkpoint(tmp_path, job, make_schema(columns, "letters", rows=3), content)
    rows = predict(source, [{"wave": wave} for wave in waves], 3)
    for wave, row in zip(waves, rows, strict=True):
        inputs = {"wave": torch.tensor([wave]), "wave_length": torch.tensor([len(wave)])}
        best = network(inputs)["logs"][0].argmax(1).tolist()
        kept = [code for place, code in enumerate(best) if code != 1 and [code] != best[place - 1 : place]]
        assert row["logs"]["sequence"] == [LETTERS[code - (code > 1)] for code in kept]
    together = predict(source, [{"wave": wave} for wave in reversed(waves)], 3, batch_size=1)
    assert [row["logs"] for row in reversed(together)] == [row["logs"] for row in rows]
