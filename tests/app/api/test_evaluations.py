"""Evaluations on labelled data sets: equal to scikit-learn on what the same network predicts."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from sklearn import metrics

from app.api.children.predictor import PredictorPool
from app.settings import Settings
from tests.app.api.client import Api, Client, assert_problem
from tests.app.api.conftest import StartApp
from tests.app.api.job_factories import SPEC, create_job_in_status
from tests.app.api.sample_dataset import TRAINING_PLAN
from tests.app.api.sample_files import npz_bytes, zip_bytes
from tests.app.api.test_checkpoints import UNKNOWN
from tests.app.api.trained_jobs import train_job_cached
from tests.app.api.uploads import register_upload, send_chunk

UNKNOWN_DATASET = "ds_" + "0" * 32


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


def table(rows: int, seed: int, towns: Sequence[str] = ("Bonn", "Ulm")) -> list[dict[str, Any]]:
    drawn = np.random.default_rng(seed)
    made = []
    for _ in range(rows):
        area, town = float(drawn.normal()), str(drawn.choice(towns))
        price = 200_000 + 50_000 * area + 10_000 * drawn.normal()
        kind = "dear" if price > 210_000 else "cheap" if price < 170_000 else "fair"
        made.append({"area": round(area, 4), "town": town, "price": round(price, 2), "kind": kind})
    return made


def csv(rows: Sequence[dict[str, Any]], names: Sequence[str] = ("area", "town", "kind", "price")) -> bytes:
    lines = [",".join(names), *(",".join(str(row[name]) for name in names) for row in rows)]
    return ("\n".join(lines) + "\n").encode()


FEATURES = {"x": {"kind": "numbers", "columns": ["area"], "scale": "standard"}}
PRICE = {"y": {"kind": "numbers", "columns": ["price"], "scale": "standard"}}


def job(dataset: str, target: str, **parts: Any) -> dict[str, Any]:
    size = 3 if target == "kind" else 1
    loss = "CrossEntropyLoss" if target == "kind" else "MSELoss"
    names = ["accuracy", "f1", "log_loss"] if target == "kind" else ["mae", "rmse", "r2"]
    return {
        "model": {"layers": [{"kind": "Linear", "out_features": size}]},
        "data": {
            "kind": "dataset",
            "id": dataset,
            "features": FEATURES | (PRICE if target == "y" else {}),
            "inputs": ["x"],
            "target": target,
            "validation": {"fraction": 0.2},
        }
        | parts.pop("data", {}),
        "objective": {"loss": {"kind": loss}, "metrics": names},
        "training": TRAINING_PLAN | {"optimizer": {"kind": "Adam", "lr": 0.1}, "epochs": 6},
    } | parts


def upload_dataset(client: Client, content: bytes) -> str:
    """Return the id of a data set with this content."""
    place = register_upload(client, format="auto")
    response = send_chunk(client, place, 0, len(content), content, with_range=False)
    assert response.status_code == 200, response.text
    return place.rsplit("/", 1)[1]


def refused(response: httpx.Response, code: str) -> str:
    """Return the detail of the first problem of a 422, whose code this is."""
    (problem, *_) = assert_problem(response, 422, "invalid_input")["errors"]
    assert problem["code"] == code, problem
    assert problem["hint"] or code in ("unknown_value", "missing"), problem
    detail: str = problem["detail"]
    return detail


def evaluated(client: Client, job_id: str, dataset: str, **fields: Any) -> httpx.Response:
    return client.post(f"/v1/jobs/{job_id}/evaluate", json={"dataset": dataset, **fields})


def predicted(client: Client, job_id: str, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    body = {"rows": [{"area": row["area"]} for row in rows], "outputs": ["labels", "probabilities"]}
    response = client.post(f"/v1/jobs/{job_id}/predict", json=body)
    assert response.status_code == 200, response.text
    return [row["output"] for row in response.json()["predictions"]]


def test_classes_are_those_of_scikit_learn(api: Api, anna: Client) -> None:
    trained = train_job_cached(api, anna, job(upload_dataset(anna, csv(table(120, 0))), "kind"))
    fresh = table(50, 1, ("Köln",))  # the columns in another order, one less, and words that nobody reads
    other = upload_dataset(anna, csv(fresh, ("kind", "town", "area")))
    response = evaluated(anna, trained, other)
    assert response.status_code == 200, response.text
    document = response.json()
    outputs = predicted(anna, trained, fresh)
    labels, truth = [row["label"] for row in outputs], [row["kind"] for row in fresh]
    order = ["cheap", "dear", "fair"]
    probabilities = np.array([row["probabilities"] for row in outputs], dtype=np.float64)
    probabilities /= probabilities.sum(1, keepdims=True)  # they are float32
    assert (document["split"], document["rows"], document["warnings"], document["notes"]) == ("train", 50, [], [])
    assert document["values"] == pytest.approx(
        {
            "loss": metrics.log_loss(truth, probabilities, labels=order),
            "log_loss": metrics.log_loss(truth, probabilities, labels=order),
            "accuracy": metrics.accuracy_score(truth, labels),
            "f1": metrics.f1_score(truth, labels, average="macro"),
        },
        rel=1e-5,
    )
    (head,) = document["heads"]
    assert head["confusion"] == metrics.confusion_matrix(truth, labels, labels=order).tolist()
    checkpoints = [each["id"] for each in anna.get(f"/v1/jobs/{trained}/checkpoints").json()["items"]]
    for checkpoint in checkpoints:
        assert evaluated(anna, trained, other, checkpoint=checkpoint).json()["checkpoint_id"] == checkpoint
    assert document["checkpoint_id"] in checkpoints


def test_numbers_are_in_the_units_of_the_data(api: Api, anna: Client) -> None:
    trained = train_job_cached(api, anna, job(upload_dataset(anna, csv(table(120, 0))), "y"))
    fresh = table(40, 2)
    values = evaluated(anna, trained, upload_dataset(anna, csv(fresh))).json()["values"]
    output = [row["value"] for row in predicted(anna, trained, fresh)]
    truth = [row["price"] for row in fresh]
    assert values["mae"] == pytest.approx(metrics.mean_absolute_error(truth, output), rel=1e-5)
    assert values["rmse"] == pytest.approx(metrics.root_mean_squared_error(truth, output), rel=1e-5)
    assert values["r2"] == pytest.approx(metrics.r2_score(truth, output), rel=1e-5)
    assert 0 < values["loss"] < 100 < values["mae"]  # the loss is of scaled numbers


def assert_same_heads(evaluated: list[dict[str, Any]], reported: list[dict[str, Any]]) -> None:
    """Check that an evaluation tells what the job's report does, of the columns alone that the network reads."""
    for ours, theirs in zip(evaluated, reported, strict=True):
        for row, whole in zip(ours["worst"], theirs["worst"], strict=True):
            whole["values"] = {name: value for name, value in whole["values"].items() if name in row["values"]}
        assert ours == theirs


def test_the_test_of_a_job_is_what_its_split_evaluates_to(api: Api, anna: Client) -> None:
    files = {"train.csv": csv(table(100, 0)), "val.csv": csv(table(30, 1)), "test.csv": csv(table(40, 2))}
    dataset = upload_dataset(anna, zip_bytes(files))
    spec = job(dataset, "kind", data={})
    del spec["data"]["validation"]
    trained = train_job_cached(api, anna, spec)
    document = evaluated(anna, trained, dataset).json()
    assert (document["split"], document["rows"]) == ("test", 40)
    report = anna.get(f"/v1/jobs/{trained}/report").json()
    assert report["rows"] == 30
    assert report["test"]["rows"] == 40
    assert report["test"]["values"] == pytest.approx(document["values"], rel=1e-6)
    assert_same_heads(document["heads"], report["test"]["heads"])
    validated = evaluated(anna, trained, dataset, split="validation").json()
    assert_same_heads(validated["heads"], report["heads"])
    (warning,) = evaluated(anna, trained, dataset, split="train").json()["warnings"]
    assert warning["code"] == "evaluated_on_training_rows"


@pytest.mark.parametrize(
    ("content", "code", "text"),
    [
        (csv(table(9, 0), ("area", "town")), "missing_column", 'no column "kind"'),
        (csv(table(9, 0), ("kind", "town")), "missing_column", 'no column "area"'),
        (csv([row | {"kind": "odd"} for row in table(9, 0)]), "data_invalid", '"odd", which is none of its labels'),
        (csv([row | {"kind": "" if n == 4 else "fair"} for n, row in enumerate(table(9, 0))], ("kind", "area")),
         "data_invalid", '"kind" is missing'),
        (csv([row | {"area": "wide"} for row in table(9, 0)]), "not_a_number", 'got "wide"'),
    ],
)  # fmt: skip
def test_a_data_set_that_does_not_fit(api: Api, anna: Client, content: bytes, code: str, text: str) -> None:
    trained = train_job_cached(api, anna, job(upload_dataset(anna, csv(table(120, 0))), "kind"))
    assert text in refused(evaluated(anna, trained, upload_dataset(anna, content)), code)


def test_arrays_and_balanced_weights_of_the_training_rows(api: Api, anna: Client) -> None:
    drawn = np.random.default_rng(0)
    counts, shares = {"train": 60, "test": 30}, {"train": [0.6, 0.3, 0.1], "test": [0.1, 0.3, 0.6]}
    arrays = {f"{split}/x": drawn.normal(size=(rows, 3)) for split, rows in counts.items()}
    arrays |= {f"{split}/y": drawn.choice(3, rows, p=shares[split]) for split, rows in counts.items()}
    own = upload_dataset(anna, npz_bytes(arrays))
    spec = {
        "model": {"layers": [{"kind": "Linear", "out_features": 3}]},
        "data": {"kind": "dataset", "id": own, "validation": None},
        "objective": {"loss": {"kind": "CrossEntropyLoss", "weight": "balanced"}, "metrics": ["accuracy"]},
        "training": TRAINING_PLAN,
    }
    trained = train_job_cached(api, anna, spec)
    document = evaluated(anna, trained, own).json()
    body = {"rows": [{"x": row} for row in arrays["test/x"].tolist()], "outputs": ["probabilities"]}
    rows = anna.post(f"/v1/jobs/{trained}/predict", json=body).json()["predictions"]
    truth = arrays["test/y"]
    likelihood = np.array([row["output"]["probabilities"][label] for row, label in zip(rows, truth, strict=True)])
    weights = (60 / (3 * np.bincount(arrays["train/y"])))[truth]
    assert document["values"]["loss"] == pytest.approx(-(weights * np.log(likelihood)).sum() / weights.sum(), rel=1e-5)
    assert document["values"]["accuracy"] == pytest.approx(document["heads"][0]["right"] / 30)
    assert document["values"] == pytest.approx(anna.get(f"/v1/jobs/{trained}/report").json()["test"]["values"])
    assert document["notes"] == []
    wide = upload_dataset(anna, npz_bytes({"x": drawn.normal(size=(9, 4)), "y": np.arange(9) % 3}))
    refused(evaluated(anna, trained, wide), "shape_mismatch")
    more = upload_dataset(anna, npz_bytes({"x": drawn.normal(size=(9, 3)), "y": np.arange(9) % 5}))
    refused(evaluated(anna, trained, more), "unknown_class")


def test_what_cannot_be_evaluated(api: Api, anna: Client, bert: Client) -> None:
    own = upload_dataset(anna, csv(table(120, 0)))
    trained = train_job_cached(api, anna, job(own, "kind"))
    refused(evaluated(anna, trained, UNKNOWN_DATASET), "unknown_dataset")
    refused(evaluated(anna, trained, own, split="test"), "unknown_split")
    refused(evaluated(anna, trained, own, split="all"), "unknown_value")
    assert_problem(evaluated(anna, trained, own, checkpoint=UNKNOWN), 404, "not_found")
    assert_problem(evaluated(bert, trained, own), 404, "not_found")
    refused(anna.post(f"/v1/jobs/{trained}/evaluate", json={}), "missing")
    waiting = create_job_in_status(api.services.db, "queued", spec=SPEC)
    assert_problem(evaluated(anna, waiting, own), 409, "state_forbids")
    named = anna.post("/v1/datasets", json={"name": "n", "source": {"kind": "upload"}}).json()["id"]
    refused(evaluated(anna, trained, named), "dataset_not_ready")


def test_builtin_data_sets_are_evaluated_too(api: Api, anna: Client) -> None:
    trained = train_job_cached(api, anna, SPEC | {"training": TRAINING_PLAN})
    source = {"name": "iris", "source": {"kind": "builtin", "name": "iris"}}
    dataset = anna.post("/v1/datasets", json=source).json()["id"]
    document = evaluated(anna, trained, dataset).json()
    assert document["rows"] == 150
    assert [each["code"] for each in document["warnings"]] == ["evaluated_on_training_rows"]


def test_rows_and_time_are_bounded(serve: StartApp, api: Api, anna: Client, tmp_path: Path) -> None:
    own = upload_dataset(anna, csv(table(61, 0)))
    trained = train_job_cached(api, anna, job(own, "kind"))
    token = anna.headers["Authorization"].split()[1]
    strict = serve(evaluate_rows=60).client_with_token(token)
    assert "61 rows, at most 60" in refused(evaluated(strict, trained, own), "too_many_rows")
    predictors = PredictorPool(Settings(home=tmp_path, predictors=1, evaluate_seconds=0.001))
    hurried = serve(other={"predictors": predictors}).client_with_token(token)
    assert "0.001 s" in refused(evaluated(hurried, trained, own), "too_complex")
    predictors.close()
