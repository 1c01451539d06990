"""Metrics of targets that are scaled for the loss: in the units of the data, as scikit-learn computes them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn import metrics

from app.storage.catalog import open_store
from tests.workers.data.schemas import stored_schema
from tests.workers.training.datasets import DatasetHarness, InMemoryDataset, dataset_job
from tests.workers.training.harness import TrainingAttempt, rows_of
from workers.data.loading.splits import random_split

NAMES = ("mae", "mse", "rmse", "mape", "smape", "r2", "explained_variance", "pearson", "spearman")
LINEAR = {"inputs": ["x"], "nodes": [{"id": "out", "kind": "Linear", "inputs": ["x"], "out_features": 1}]}


@pytest.fixture
def laboratory(tmp_path: Path) -> Iterator[DatasetHarness]:
    yield DatasetHarness(tmp_path, open_store(str(tmp_path / "store"), {}))
    torch.use_deterministic_algorithms(False)


def houses(rows: int = 80) -> InMemoryDataset:
    """Return areas, and prices and rents in units far from 1."""
    generator = torch.Generator().manual_seed(0)
    area, noise = (torch.rand(rows, generator=generator, dtype=torch.float64) for _ in range(2))
    price = 200_000 + 150_000 * area + 9_000 * noise
    numbers = {"area": area, "price": price, "rent": 3.0 + 2.0 * area - noise}
    return InMemoryDataset(stored_schema("price", rows=rows, **dict.fromkeys(numbers, "number")), numbers)


def outputs_and_targets(attempt: TrainingAttempt) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return (N, C) of the validation, as the network and the loss have them."""
    rows = rows_of(attempt.prepared).validation
    assert rows is not None
    network = attempt.prepared.network.eval()
    with torch.no_grad():
        output = network(dict(rows.inputs))["output"]  # type: ignore[arg-type]
    target = rows.targets["y"]
    assert isinstance(target, torch.Tensor)
    return output.double().numpy(), target.double().numpy()


@pytest.mark.parametrize("columns", [["price"], ["price", "rent"]])
@pytest.mark.parametrize("scale", ["standard", "unit", "none"])
def test_metrics_and_report_are_in_the_units_of_the_data(
    laboratory: DatasetHarness, columns: list[str], scale: str
) -> None:
    laboratory.corpus = houses()
    features = {
        "x": {"kind": "numbers", "columns": ["area"], "scale": "standard"},
        "y": {"kind": "numbers", "columns": columns, "scale": scale},
    }
    model = LINEAR | {"nodes": [LINEAR["nodes"][0] | {"out_features": len(columns)}]}  # type: ignore[index]
    spec = dataset_job(model, metrics=NAMES, features=features, target="y", validation={"fraction": 0.25})
    spec["objective"]["loss"] = {"kind": "MSELoss"}
    attempt = laboratory.run(spec)
    output, target = outputs_and_targets(attempt)
    kept, held = random_split(80, 0.25, seed=0)
    raw = np.stack([laboratory.corpus.split[name].numpy() for name in columns], 1)  # type: ignore[union-attr]
    fitted = raw[kept.numpy()]
    shift, factor = {
        "standard": (fitted.mean(0), fitted.std(0)),
        "unit": (0.0, np.abs(fitted).max()),
        "none": (0.0, 1.0),
    }[scale]
    true, predicted = raw[held.numpy()].ravel(), (output * factor + shift).ravel()
    values = attempt.outcome.result["values"]  # type: ignore[index]
    expected = {
        "mae": metrics.mean_absolute_error(true, predicted),
        "mse": metrics.mean_squared_error(true, predicted),
        "rmse": metrics.root_mean_squared_error(true, predicted),
        "mape": metrics.mean_absolute_percentage_error(true, predicted),
        "smape": np.mean(2 * abs(true - predicted) / (abs(true) + abs(predicted))),
        "r2": metrics.r2_score(true, predicted),
        "explained_variance": metrics.explained_variance_score(true, predicted),
    }
    for name, value in expected.items():
        assert values[f"val/{name}"] == pytest.approx(value, rel=1e-6), name
    assert values["val/loss"] == pytest.approx(((output - target) ** 2).mean(), rel=1e-5)  # as it is minimised
    error = attempt.context.saved[-1]
    report = json.loads(
        b"".join(laboratory.store.read(next(file.path for file in error.files if file.name == "report.json")))
    )
    assert report["heads"][0]["error"]["mean_absolute"] == pytest.approx(expected["mae"], rel=1e-6)
