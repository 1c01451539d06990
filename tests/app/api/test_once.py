"""`Idempotency-Key`: whatever creates something declares it, and has its effect once."""

import json
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from sqlalchemy import select

from app.api.http.idempotency import once_request
from app.db.sealing import SEALED_PREFIX
from app.db.tables import AuditRow, IdempotencyRow
from app.jobs.states import Status
from app.spec.job import named_dataset_schema, parse_job
from tests.app.api.client import Api, Client, assert_problem
from tests.app.api.conftest import StartApp
from tests.app.api.job_factories import SPEC, create_checkpoint, create_job_in_status, create_running_job
from tests.app.api.route_cases import ROUTE_CASES, create_objects, iter_dependencies, iter_routes

# What a POST without an Idempotency-Key does instead: nothing that a repeated request would do twice.
WITHOUT = {
    "validate_job": "stores nothing",
    "try_edit": "stores nothing",
    "inspect_model": "stores nothing",
    "predict": "stores nothing",
    "evaluate_job": "stores nothing",
    "propose_job": "stores nothing",
    "cancel_job": "twice is once",
    "pause_job": "twice is once",
    "resume_job": "twice is once",
    "restore_job": "twice is once",
    "enable_webhook": "twice is once",
    "sign_in": "the second session ends the first",
}
ONCE = {
    f"POST {route.path}"
    for route in iter_routes()
    if any(each.call is once_request for each in iter_dependencies(route.dependant))
}
KEY = {"Idempotency-Key": "once"}
SECRETS = {
    "POST /v1/keys": "token",
    "POST /v1/keys/{key_id}/rotate": "token",
    "POST /v1/session/links": "url",
    "POST /v1/webhooks": "secret",
    "POST /v1/webhooks/{webhook_id}/rotate": "secret",
}


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """What concurrent requests do on each database, `tests/app/access/test_idempotency.py` shows."""
    return sqlite_url


@pytest.fixture
def api(serve: StartApp) -> Api:
    return serve(webhook_private=True)


def test_every_post_that_creates_declares_it() -> None:
    posts = {route.name: f"POST {route.path}" for route in iter_routes() if "POST" in route.methods}
    assert {name for name, route in posts.items() if route not in ONCE} == WITHOUT.keys()
    created = {f"POST {route.path}" for route in iter_routes() if route.status_code in (201, 202)}
    assert created - {"POST /v1/session"} <= ONCE
    assert set(SECRETS) <= ONCE


def send(client: Client, route: str, there: dict[str, str], spaces: int = 0) -> httpx.Response:
    """Send the route's request under the key; with `spaces` it has another body that says the same."""
    body = ROUTE_CASES[route].body
    content = b"" if body is None else json.dumps(body).encode()
    return client.post(route.split()[1].format(**there), content=content + b" " * spaces, headers=KEY)


def place(api: Api, route: str) -> dict[str, str]:
    there = create_objects(api, "anna")
    if route.endswith("/retry"):
        there["job_id"] = create_job_in_status(api.services.db, Status.FAILED)
    if route.endswith(("/edits", "/rollback")):
        there["job_id"] = create_editable_job(api)
    return there


def create_editable_job(api: Api) -> str:
    """Return a running job with a checkpoint, whose network can be inspected."""
    schema = named_dataset_schema(parse_job(SPEC))
    assert schema is not None
    job = create_running_job(api.services.db, spec=SPEC, data_schema=schema.model_dump(mode="json"))
    create_checkpoint(api.services.db, api.services.store, job, 5, {"weights.safetensors": b"x"})
    return job.id


@pytest.mark.parametrize("route", sorted(ONCE))
def test_the_same_request_again_is_answered_the_same_and_does_nothing(api: Api, route: str) -> None:
    anna, there = api.client("anna"), place(api, route)
    first, again = send(anna, route, there), send(anna, route, there)
    assert first.is_success, first.text
    assert (again.status_code, again.json()) == (first.status_code, first.json())
    assert again.headers.get("location") == first.headers.get("location")
    has_address = route != "POST /v1/session/links"  # what is used once is read by nobody
    assert (first.status_code == 201 and has_address) == ("location" in first.headers)
    assert ("idempotency-replayed" in first.headers, again.headers["idempotency-replayed"]) == (False, "true")
    assert_problem(send(anna, route, there, spaces=1), 422, "idempotency_key_reused")
    assert audited(api) == 1


def audited(api: Api) -> int:
    """Return how many requests under the key had an effect that is audited."""
    return len(api.services.db.read(lambda session: session.scalars(select(AuditRow.id)).all()))


@pytest.mark.parametrize("route", sorted(ONCE - {"POST /v1/jobs", "POST /v1/jobs/{job_id}/fork"}))
def test_twenty_at_once_have_one_effect(api: Api, route: str) -> None:
    anna, there = api.client("anna"), place(api, route)
    with ThreadPoolExecutor(20) as pool:
        found = list(pool.map(lambda _: send(anna, route, there), range(20)))
    answered = [response for response in found if response.is_success]
    assert {response.status_code for response in found} <= {answered[0].status_code, 409, 503}
    assert {response.json()["code"] for response in found if response.status_code == 409} <= {"idempotency_key_in_use"}
    assert sum("idempotency-replayed" not in response.headers for response in answered) == 1
    assert len({response.content for response in answered}) == 1
    assert audited(api) == 1


@pytest.mark.parametrize("route", sorted(SECRETS))
def test_a_secret_in_an_answer_is_kept_sealed(api: Api, route: str) -> None:
    anna, there = api.client("anna"), place(api, route)
    secret = send(anna, route, there).json()[SECRETS[route]]
    assert send(anna, route, there).json()[SECRETS[route]] == secret
    (row,) = api.services.db.read(lambda session: session.scalars(select(IdempotencyRow)).all())
    assert row.body.keys() == {"sealed"}
    assert row.body["sealed"].startswith(SEALED_PREFIX)
    assert secret[-24:] not in row.body["sealed"]  # its random part


def test_a_secret_sealed_with_a_lost_key_is_a_conflict(serve: StartApp, api: Api) -> None:
    anna, there = api.client("anna"), place(api, "POST /v1/keys")
    send(anna, "POST /v1/keys", there)
    other = serve(secret_key="x" * 40).client("anna")
    assert_problem(send(other, "POST /v1/keys", there), 409, "secret_sealed")


@pytest.mark.parametrize("key", ["", "x" * 256, "é", "\x7f"])
@pytest.mark.parametrize("route", sorted(ONCE))
def test_a_key_that_is_none_is_refused(api: Api, route: str, key: str) -> None:
    anna = api.client("anna")
    there = dict.fromkeys(["job_id", "dataset_id", "key_id", "webhook_id", "message_id"], "x")
    headers = [(b"Idempotency-Key", key.encode("latin-1"))]
    response = anna.post(route.split()[1].format(**there), headers=headers, json={})
    assert response.status_code in (400, 404)
    if "{" not in route:
        assert_problem(response, 400, "invalid_parameter")
