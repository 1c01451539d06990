"""Data sets over HTTP: register, list, delete, and jobs that need them."""

from typing import Any

import pytest

from app.jobs.states import Status
from app.spec.data import BUILTIN
from tests.app.api.client import Api, Client, problem
from tests.app.api.scenes import SPEC, job_in
from tests.app.api.uploading import CSV, is_ready, register, send

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
UNKNOWN = "ds_" + "0" * 32


@pytest.mark.parametrize("name", ["iris", "digits"])
def test_a_named_data_set_is_ready_at_once(api: Api, anna: Client, name: str) -> None:
    made = anna.post("/v1/datasets", json={"name": "mine", "source": {"kind": "builtin", "name": name}})
    assert made.status_code == 201
    row = made.json()
    assert made.headers["location"] == f"/v1/datasets/{row['id']}"
    assert (row["status"], row["received"], row["preview"]) == ("ready", 0, None)
    assert row["data_schema"] == BUILTIN[name].model_dump(mode="json")
    assert anna.get(made.headers["location"]).json() == row
    problem(anna.put(f"{made.headers['location']}/content", content=CSV), 409, "state_forbids")
    assert anna.delete(made.headers["location"]).status_code == 204
    problem(anna.get(made.headers["location"]), 404, "not_found")


@SQLITE
@pytest.mark.parametrize(
    ("body", "pointer", "hint"),
    [
        ({"name": "x", "source": {"kind": "builtin", "name": "irsi"}}, "/source/name", "iris"),
        ({"name": "x", "source": {"kind": "torchvision", "name": "MINST"}}, "/source/name", "MNIST"),
        ({"name": "x", "source": {"kind": "uplaod"}}, "/source/kind", "upload"),
        ({"name": "x", "source": {"kind": "upload", "format": "xls"}}, "/source/format", ""),
        ({"name": "x", "source": {"kind": "upload", "format": "csv", "sha256": "x"}}, "/source/sha256", ""),
        ({"name": "", "source": {"kind": "builtin", "name": "iris"}}, "/name", ""),
        ({"name": "x"}, "/source", ""),
        ([], "", ""),
    ],
)
def test_a_registration_has_a_form(anna: Client, body: Any, pointer: str, hint: str) -> None:
    document = problem(anna.post("/v1/datasets", json=body), 422, "invalid_input")
    assert [item["pointer"] for item in document["errors"]] == [pointer]
    assert hint in document["errors"][0]["hint"]


def test_one_key_makes_one_data_set(anna: Client) -> None:
    body, key = {"name": "x", "source": {"kind": "builtin", "name": "iris"}}, {"Idempotency-Key": "once"}
    first, again = (anna.post("/v1/datasets", json=body, headers=key) for _ in range(2))
    assert first.content == again.content
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["idempotency-replayed"] == "true"
    problem(anna.post("/v1/datasets", json=body | {"name": "y"}, headers=key), 422, "idempotency_key_reused")
    problem(anna.post("/v1/jobs", json=SPEC, headers=key), 422, "idempotency_key_reused")
    assert len(anna.get("/v1/datasets").json()["items"]) == 1


@pytest.mark.parametrize("status", list(Status))
def test_a_data_set_lives_as_long_as_a_job_needs_it(api: Api, anna: Client, status: Status) -> None:
    place = register(anna)
    anna.put(f"{place}/content", content=CSV)
    dataset_id = place.rpartition("/")[2]
    job_id = job_in(api.services.db, status, spec=SPEC | {"data": {"kind": "dataset", "id": dataset_id}})
    response = anna.delete(place)
    if status in (Status.SUCCEEDED, Status.FAILED, Status.CANCELLED):
        assert (response.status_code, response.content) == (204, b"")
        assert list(api.services.store.keys("datasets/")) == []
        problem(anna.get(place), 404, "not_found")
    else:
        assert job_id in problem(response, 409, "state_forbids")["detail"]
        is_ready(api, anna, place)


@SQLITE
def test_deleting_forgets_pieces_too(api: Api, anna: Client) -> None:
    place = register(anna)
    send(anna, place, 0, 10)
    assert anna.delete(place).status_code == 204
    assert list(api.services.store.keys("")) == []
    problem(send(anna, place, 10, 20), 404, "not_found")
    problem(anna.put(f"/v1/datasets/{UNKNOWN}/content", content=CSV), 404, "not_found")


@SQLITE
def test_a_job_needs_a_ready_data_set(anna: Client) -> None:
    place = register(anna)
    for dataset_id, code in ((place.rpartition("/")[2], "dataset_not_ready"), (UNKNOWN, "unknown_dataset")):
        spec = SPEC | {"data": {"kind": "dataset", "id": dataset_id}}
        document = problem(anna.post("/v1/jobs", json=spec), 422, "invalid_input")
        assert [(item["pointer"], item["code"]) for item in document["errors"]] == [("/data/id", code)]
        assert document["errors"][0]["hint"]
