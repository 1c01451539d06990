"""Jobs on windows over a time column: trained, interrupted, evaluated, and forecast from the last rows."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from app.errors import InvalidInput
from app.spec.prediction import PredictionOptions
from app.storage.local import LocalStore
from tests.workers.data.schemas import stored_schema
from tests.workers.prediction.checkpoints import write_checkpoint
from tests.workers.training.datasets import DatasetHarness, InMemoryDataset, dataset_job
from tests.workers.training.harness import resume_candidates
from workers.children.inspect import InspectionLimits, inspect_job
from workers.prediction.forward import PreparedRows, predict_rows, prepare_rows
from workers.prediction.inputs.rows import split_from_rows
from workers.prediction.network import TrainedNetwork, load_network
from workers.protocol.messages import Ending

DAYS, LENGTH, HORIZON = 60, 8, 4
WINDOWS: dict[str, Any] = {"time": "day", "series": "shop", "length": LENGTH, "horizon": HORIZON}
LINEAR = {
    "nodes": [
        {"id": "flat", "kind": "Flatten", "inputs": ["x"]},
        {"id": "next", "kind": "Linear", "inputs": ["flat"], "out_features": HORIZON},
    ],
    "outputs": {"next": "next"},
}
KNOWN = {
    "inputs": ["x", "holiday", "holiday_future"],
    "nodes": [
        {"id": "past", "kind": "cat", "inputs": ["x", "holiday"], "dim": 2},
        {"id": "flat", "kind": "Flatten", "inputs": ["past"]},
        {"id": "then", "kind": "Flatten", "inputs": ["holiday_future"]},
        {"id": "all", "kind": "cat", "inputs": ["flat", "then"], "dim": 1},
        {"id": "next", "kind": "Linear", "inputs": ["all"], "out_features": HORIZON},
    ],
    "outputs": {"next": "next"},
}
HOLIDAY = {
    "x": {"kind": "numbers", "columns": ["sales"], "scale": "standard"},
    "holiday": {"kind": "numbers", "columns": ["holiday"], "scale": "none"},
}


def shops() -> InMemoryDataset:
    """Return two shops whose sales repeat every four days, and grow."""
    days = np.tile(np.arange(DAYS, dtype=float), 2)
    rng = np.random.default_rng(0)
    sales = 100.0 + 30.0 * np.sin(days * np.pi / 2) + 0.5 * days + rng.normal(size=2 * DAYS)
    schema = stored_schema("sales", rows=2 * DAYS, day="number", shop="text", holiday="number", sales="number")
    columns = {
        "day": torch.from_numpy(days),
        "shop": ["a"] * DAYS + ["b"] * DAYS,
        "holiday": torch.from_numpy((days % 7 == 0).astype(float)),
        "sales": torch.from_numpy(sales),
    }
    return InMemoryDataset(schema, columns)


def job(model: Any = LINEAR, **changes: Any) -> dict[str, Any]:
    spec = dataset_job(model, metrics=("mae",), windows=WINDOWS, **changes)
    spec["objective"]["loss"] = {"kind": "MSELoss"}
    return spec


@pytest.fixture
def harness(tmp_path: Path) -> DatasetHarness:
    return DatasetHarness(tmp_path, LocalStore(tmp_path / "store"), corpus=shops())


def test_a_network_learns_and_is_measured_in_the_units_of_the_data(harness: DatasetHarness) -> None:
    spec = job(training={"steps": 300, "batch_size": 16, "optimizer": {"kind": "Adam", "lr": 0.01}})
    attempt = harness.run(spec)
    error = attempt.points("val/mae")[-1][1]
    assert 0.3 < error < 3.0  # the noise's own is 0.8; standardised numbers would err by less than 0.2
    validation = attempt.prepared.source.validation
    assert validation is not None
    network = attempt.prepared.network.eval()
    inputs = {"x": next(iter(validation.inputs.values())).index_select(0, torch.arange(len(validation)))}
    output = next(iter(network(inputs).values())).detach().double()
    scaling = attempt.prepared.resources.data.preparation.preprocessors["sales"].target_scaling
    assert scaling is not None
    truth = next(iter(validation.targets.values())).double()
    mae = (scaling.inverse_transform(output) - scaling.inverse_transform(truth)).abs().mean()
    assert error == pytest.approx(float(mae), rel=1e-5)


@pytest.mark.parametrize("model", [LINEAR, KNOWN])
def test_an_interrupted_training_is_the_same_to_the_bit(harness: DatasetHarness, model: Any) -> None:
    known = {"features": HOLIDAY} if model is KNOWN else {}
    spec = job(model, **known)
    spec["data"]["windows"] = WINDOWS | ({"known": "holiday"} if known else {})
    whole = harness.run(spec)
    first = harness.run(spec, {5: "pause"})
    assert first.outcome.ending == Ending.PAUSED
    second = harness.run(spec, resume_from=resume_candidates(first.context.saved[-1]))
    assert second.weights() == whole.weights()
    assert second.points("val/mae")[-1] == whole.points("val/mae")[-1]


def trained(folder: Path, spec: dict[str, Any]) -> TrainedNetwork:
    corpus = shops()
    source, _ = write_checkpoint(folder, spec, corpus.schema, corpus.split)
    return load_network(source, torch.device("cpu"))


def forecast(network: TrainedNetwork, rows: list[dict[str, Any]]) -> tuple[PreparedRows, list[Any]]:
    split = split_from_rows(rows, network.required_columns, network.dataset_columns)
    prepared = prepare_rows(network, split, len(rows))
    return prepared, predict_rows(network, prepared, PredictionOptions())


def rows_of(days: range, shop: str, **values: Any) -> list[dict[str, Any]]:
    return [{"day": day, "shop": shop, "holiday": int(day % 7 == 0), "sales": 100.0 + day, **values} for day in days]


def test_the_next_rows_of_each_series_follow_from_its_last(tmp_path: Path) -> None:
    network = trained(tmp_path, job())
    rows = [*rows_of(range(10, 30), "b"), *rows_of(range(5, 25), "a")]
    prepared, found = forecast(network, rows[::-1])
    assert prepared.origins == [{"series": "a", "after": "24"}, {"series": "b", "after": "29"}]
    table = network.preparation.transform(
        split_from_rows(rows, network.required_columns, network.dataset_columns), ("x",)
    )["x"]
    assert isinstance(table, torch.Tensor)
    scaling = next(iter(network.formatters.values())).decoder.scaling  # type: ignore[union-attr]
    assert scaling is not None
    for place, end in ((0, 40), (1, 20)):
        output = network.network({"x": table[end - LENGTH : end].unsqueeze(0)})["next"]
        expected = scaling.inverse_transform(output.double())[0]
        assert found[place]["next"]["value"].tolist() == pytest.approx(expected.tolist())
        assert len(found[place]["next"]["value"]) == HORIZON


def test_what_is_known_of_the_horizon_is_sent_with_it(tmp_path: Path) -> None:
    spec = job(KNOWN, features=HOLIDAY)
    spec["data"]["windows"] = WINDOWS | {"known": "holiday"}
    network = trained(tmp_path, spec)
    rows = rows_of(range(20, 28), "a") + rows_of(range(28, 32), "a", sales=None)
    prepared, (found,) = forecast(network, rows)
    assert prepared.origins == [{"series": "a", "after": "27"}]
    future = prepared.inputs["holiday_future"].index_select(0, torch.tensor([0]))  # type: ignore[union-attr]
    assert future.flatten().tolist() == [1.0, 0.0, 0.0, 0.0]
    assert len(found["next"]["value"]) == HORIZON
    without = rows_of(range(20, 28), "a") + rows_of(range(28, 32), "a", sales=None, holiday=0)
    other = forecast(network, without)[1][0]["next"]["value"]
    assert other.tolist() != found["next"]["value"].tolist()


@pytest.mark.parametrize(
    ("rows", "detail"),
    [
        (rows_of(range(5), "a"), '5 rows of "a" without a gap, and the network reads the last 8'),
        ([*rows_of(range(9), "a"), *rows_of(range(10, 30), "a")], "row 9 (8) and row 10 (10)"),
        ([*rows_of(range(20), "a"), *rows_of(range(3, 4), "a")], "rows 4 and 21 (3) have the same"),
    ],
)
def test_rows_without_a_last_window_are_refused(tmp_path: Path, rows: list[dict[str, Any]], detail: str) -> None:
    network = trained(tmp_path, job())
    with pytest.raises(InvalidInput) as error:
        forecast(network, rows)
    (problem,) = error.value.problems
    assert problem.pointer == "/rows"
    assert detail in problem.detail


def test_rows_at_another_step_than_that_of_training_are_refused(harness: DatasetHarness, tmp_path: Path) -> None:
    stored = harness.run(job()).prepared.resources.data.preparation.document()
    network = trained(tmp_path, job())
    network = replace(network, preparation=replace(network.preparation, time_step=stored["time_step"]))
    assert forecast(network, rows_of(range(20), "a"))[0].count == 1
    with pytest.raises(InvalidInput, match='rows are 2 apart in "day", and the network has learned 1 '):
        forecast(network, rows_of(range(0, 60, 2), "a"))


MISTAKES: dict[str, tuple[dict[str, Any], str, str]] = {
    "no such column": ({"windows": {**WINDOWS, "time": "dya"}}, "/data/windows/time", "unknown_column"),
    "no time": ({"windows": {**WINDOWS, "time": "shop", "series": None}}, "/data/windows/time", "wrong_column_type"),
    "too long": ({"windows": {**WINDOWS, "length": 500}}, "/data/windows/length", "too_few_rows"),
    "unknown input": ({"windows": {**WINDOWS, "known": "weather"}}, "/data/windows/known/0", "unknown_column"),
    "random rows of classes": (
        {"validation": {"fraction": 0.2, "stratify": "shop"}},
        "/data/validation/stratify",
        "contradiction",
    ),
    "groups": ({"validation": {"fraction": 0.2, "group": "shop"}}, "/data/validation/group", "contradiction"),
    "another time": ({"validation": {"fraction": 0.2, "time": "sales"}}, "/data/validation/time", "contradiction"),
    "the future": ({"inputs": ["sales"]}, "/model/inputs", "reads_target"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_have_a_place(name: str) -> None:
    change, pointer, code = MISTAKES[name]
    spec = job()
    spec["data"] |= change
    if name == "the future":
        spec["model"] = {
            "inputs": ["sales"],
            "nodes": [{"id": "next", "kind": "Linear", "inputs": ["sales"], "out_features": HORIZON}],
            "outputs": {"next": "next"},
        }
    found = inspect_job(spec, shops().schema, InspectionLimits(10_000, 100_000_000, 1 << 30)).problems
    assert (pointer, code) in {(each["pointer"], each["code"]) for each in map(as_dict, found)}
    assert all(as_dict(each)["hint"] for each in found)


def as_dict(problem: Any) -> dict[str, Any]:
    return problem if isinstance(problem, dict) else problem.as_dict()
