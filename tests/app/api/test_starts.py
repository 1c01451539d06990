"""Jobs that start from a file of weights: uploaded, compared name by name, kept, and gone on with."""

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from app.jobs.states import Status
from tests.app.api.client import Api, Client, assert_problem
from tests.app.api.job_factories import create_job_in_status
from tests.app.api.trained_jobs import train_job
from tests.app.api.uploads import register_upload

SPEC: dict[str, Any] = {
    "model": {
        "layers": [
            {"kind": "Flatten"},
            {"kind": "Linear", "out_features": 16},
            {"kind": "BatchNorm1d"},
            {"kind": "ReLU"},
            {"kind": "Linear", "out_features": 10},
        ]
    },
    "data": {"kind": "builtin", "name": "digits"},
    "objective": {"loss": {"kind": "CrossEntropyLoss"}},
    "training": {"optimizer": {"kind": "SGD", "lr": 1e-30}, "batch_size": 1797, "steps": 1, "device": "cpu"},
}


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


def digits() -> tuple[Tensor, Tensor]:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return torch.tensor(bunch.data / 16.0, dtype=torch.float32), torch.tensor(bunch.target)


class Plain(nn.Module):
    """The same network, as people write it."""

    def __init__(self) -> None:
        super().__init__()
        self.linear1, self.batchnorm1d1, self.linear2 = nn.Linear(64, 16), nn.BatchNorm1d(16), nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear2(self.batchnorm1d1(self.linear1(x)).relu())


def begun() -> Plain:
    """Return a network that plain torch has trained for a while."""
    torch.manual_seed(0)
    network, (x, y) = Plain(), digits()
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(40):
        nn.functional.cross_entropy(network(x), y).backward()
        optimizer.step()
        optimizer.zero_grad()
    return network


def stored(anna: Client, state: Mapping[str, Tensor], **source: Any) -> str:
    """Upload weights; returns the id of the data set."""
    place = register_upload(anna, **{"format": "weights", "file": "weights.safetensors"} | source)
    answer = anna.put(f"{place}/content", content=save(dict(state)))
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


def starting(dataset: str, **start: Any) -> dict[str, Any]:
    return SPEC | {"start_from": {"dataset": dataset, **start}}


def test_a_network_trained_in_plain_torch_is_gone_on_with(api: Api, anna: Client) -> None:
    network = begun()
    state = {name: value.clone() for name, value in network.state_dict().items()}
    dataset = stored(anna, state)
    row = anna.get(f"/v1/datasets/{dataset}").json()
    assert row["data_schema"]["rows"] == {"weights": 1}
    assert {column["name"]: column["shape"] for column in row["data_schema"]["columns"]} == {
        name: list(value.shape) for name, value in state.items()
    }
    job_id = train_job(api, anna, starting(dataset))
    x, y = digits()
    expected = float(nn.functional.cross_entropy(network(x), y).detach())
    assert anna.get(f"/v1/jobs/{job_id}").json()["result"]["values"]["train/loss"] == pytest.approx(expected, rel=1e-4)
    found = load(anna.get(f"/v1/jobs/{job_id}/weights?which=latest").content)
    assert found.keys() == state.keys()
    for name in ("linear1.weight", "linear1.bias", "linear2.weight", "linear2.bias", "batchnorm1d1.weight"):
        assert found[name].equal(state[name])  # the rate is too small to move them by a bit
    assert int(found["batchnorm1d1.num_batches_tracked"]) == 41


def problems_of(anna: Client, spec: dict[str, Any]) -> list[tuple[str, str]]:
    document = assert_problem(anna.post("/v1/jobs", json=spec), 422, "invalid_input")
    assert all(item["hint"] for item in document["errors"])
    return [(item["pointer"], item["code"]) for item in document["errors"]]


def test_names_and_shapes_are_compared_one_by_one(anna: Client) -> None:
    state = dict(begun().state_dict())
    state["linear1.wieght"] = state.pop("linear1.weight")
    state["linear2.weight"] = torch.zeros(10, 17)
    del state["batchnorm1d1.running_var"]
    spec = starting(stored(anna, state))
    document = assert_problem(anna.post("/v1/jobs", json=spec), 422, "invalid_input")
    found = {item["code"]: item for item in document["errors"]}
    assert sorted(item["code"] for item in document["errors"]) == [
        "missing_weight",
        "missing_weight",
        "shape_mismatch",
        "unexpected_weight",
    ]
    assert {item["pointer"] for item in document["errors"]} == {"/start_from/dataset"}
    assert "[10, 17]" in found["shape_mismatch"]["detail"]
    assert "linear2" in found["shape_mismatch"]["hint"]
    assert '"linear1.weight"' in found["unexpected_weight"]["hint"]
    assert (
        assert_problem(anna.post("/v1/jobs/validate", json=spec), 422, "invalid_input")["errors"] == document["errors"]
    )


def test_only_weights_can_be_started_from_and_not_trained_on(anna: Client) -> None:
    weights = stored(anna, {"x": torch.zeros(3)})
    rows = stored(anna, {"x": torch.zeros(3, 2), "y": torch.zeros(3, 1)}, format="auto")
    unknown = "ds_" + "0" * 32
    assert problems_of(anna, SPEC | {"data": {"kind": "dataset", "id": weights}}) == [("/data/id", "wrong_dataset")]
    assert problems_of(anna, starting(rows)) == [("/start_from/dataset", "wrong_dataset")]
    assert problems_of(anna, starting(unknown)) == [("/start_from/dataset", "unknown_dataset")]
    assert problems_of(anna, starting(weights, what="everything")) == [("/start_from", "contradiction")]
    assert problems_of(anna, starting(weights, checkpoint="ckpt_" + "0" * 32)) == [("/start_from", "contradiction")]
    assert problems_of(anna, SPEC | {"start_from": {}}) == [("/start_from", "contradiction")]


def test_weights_of_another_owner_are_unknown(anna: Client, bert: Client) -> None:
    weights = stored(anna, begun().state_dict())
    assert problems_of(bert, starting(weights)) == [("/start_from/dataset", "unknown_dataset")]


def test_a_file_stays_while_a_job_needs_it(api: Api, anna: Client) -> None:
    weights = stored(anna, begun().state_dict())
    job_id = create_job_in_status(api.services.db, Status.QUEUED, spec=starting(weights))
    refused = assert_problem(anna.delete(f"/v1/datasets/{weights}"), 409, "state_forbids")
    assert job_id in refused["detail"]
    anna.post(f"/v1/jobs/{job_id}/cancel")
    assert anna.delete(f"/v1/datasets/{weights}").status_code == 204
    assert "cannot go on" in assert_problem(anna.post(f"/v1/jobs/{job_id}/retry"), 409, "state_forbids")["detail"]


@pytest.mark.parametrize(("state", "code"), [({}, "no_columns"), ({"x": torch.zeros(0, 2)}, "unsupported_dtype")])
def test_a_file_without_numbers_is_refused(anna: Client, state: dict[str, Tensor], code: str) -> None:
    place = register_upload(anna, format="weights")
    document = assert_problem(anna.put(f"{place}/content", content=save(state)), 422, "invalid_input")
    assert [item["code"] for item in document["errors"]] == [code]
