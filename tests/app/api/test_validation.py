"""`validate` answers exactly as a submission does, whatever is wrong; only nothing is stored."""

from typing import Any

import pytest

from tests.app.api.client import Api, Client
from tests.app.api.conftest import StartApp
from tests.app.api.job_factories import SPEC, create_queued_job

WRONG: dict[str, tuple[dict[str, Any], int]] = {
    "an unknown checkpoint": ({"start_from": {"checkpoint": "ckpt_" + "0" * 32}}, 422),
    "unknown weights": ({"start_from": {"dataset": "ds_" + "0" * 32}}, 422),
    "an unknown data set": ({"data": {"kind": "dataset", "id": "ds_" + "0" * 32}}, 422),
    "an unknown webhook": ({"webhook": "whk_" + "0" * 32}, 422),
    "an unknown checkpoint and webhook": (
        {"start_from": {"checkpoint": "ckpt_" + "0" * 32}, "webhook": "whk_" + "0" * 32},
        422,
    ),
    "an unknown precision": ({"training": {"precision": "float8"}}, 422),
    "a precision that no CPU has": ({"training": {"precision": "fp16", "device": "cpu"}}, 422),
    "an unknown device": ({"training": {"device": "tpu"}}, 422),
    "too many GPUs": ({"resources": {"gpus": 2}}, 422),
    "a queue that is none": ({"resources": {"queue": "../x"}}, 422),
    "too high a priority": ({"priority": 50}, 403),
    "a priority beyond any": ({"priority": 101}, 422),
    "too many parameters": ({"model": {"layers": [{"kind": "Linear", "out_features": 3000}, "ReLU", "Linear"]}}, 422),
    "too many steps": ({"training": {"epochs": 10**12}}, 422),
    "a time that is none": ({"not_before": "tomorrow"}, 422),
    "no limit of time": ({"max_seconds": 1e308}, 422),
    "a field that is none": ({"trainig": {}}, 422),
}


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


def told(response: Any) -> tuple[int, Any]:
    """Return the status and what is said, without the id of the request."""
    document = response.json()
    return response.status_code, {name: value for name, value in document.items() if name != "request_id"}


def assert_alike(client: Client, spec: dict[str, Any], status: int) -> None:
    validated, submitted = (client.post(path, json=spec) for path in ("/v1/jobs/validate", "/v1/jobs"))
    assert submitted.status_code == status, submitted.text
    assert told(validated) == told(submitted)


def user(api: Api, **limits: int) -> Client:
    """Return a client whose key has no scope `admin`, and these limits."""
    made = api.client("anna").post("/v1/keys", json={"name": "x", "limits": limits})
    assert made.status_code == 201, made.text
    return api.client_with_token(made.json()["token"])


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_spec_is_told_alike(api: Api, name: str) -> None:
    change, status = WRONG[name]
    assert_alike(user(api, parameters=2000), SPEC | change, status)


def test_what_the_key_has_used_is_told_alike(api: Api) -> None:
    full = user(api, queued_jobs=1)
    assert full.post("/v1/jobs", json=SPEC).status_code == 201
    assert_alike(full, SPEC, 429)
    assert_alike(user(api, stored_bytes=0), SPEC, 403)


def test_a_service_that_is_full_is_told_alike(serve: StartApp) -> None:
    api = serve(max_queued=1)
    create_queued_job(api.services.db)
    assert_alike(api.client("anna"), SPEC, 503)


def test_a_right_spec_is_accepted_by_both_and_stored_by_one(api: Api) -> None:
    anna = user(api, queued_jobs=1)
    assert [anna.post("/v1/jobs/validate", json=SPEC).status_code for _ in range(2)] == [200, 200]
    assert anna.get("/v1/jobs").json()["items"] == []
    assert anna.post("/v1/jobs", json=SPEC).status_code == 201
