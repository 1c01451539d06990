"""Who may do what: every route of the description, with every kind of key."""

from typing import Any

import pytest

from app import datasets, keys
from app.api.main import create_app
from app.first_key import OWNER
from app.jobs import repository
from app.jobs.states import Status
from app.settings import Settings
from app.spec.data import NewDataset
from app.webhooks import outbox
from app.webhooks import repository as repository_of_webhooks
from tests.app.api.client import Api, problem
from tests.app.api.conftest import Serve
from tests.app.api.scenes import SPEC, curve, end, job_in, running, saved
from tests.app.webhooks.scenes import webhook

PATHS = create_app(Settings()).openapi()["paths"]
OPEN = ["/livez", "/metrics", "/readyz"]
ROUTES = sorted((method.upper(), path) for path, methods in PATHS.items() if path not in OPEN for method in methods)
OF_AN_OBJECT = [(method, path) for method, path in ROUTES if "{" in path]
NEW = NewDataset.model_validate({"name": "theirs", "source": {"kind": "upload", "format": "csv"}})


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


def needed(method: str, path: str) -> str:
    """The scope that a route should ask for."""
    if path.startswith(("/v1/keys", "/v1/webhooks", "/v1/workers", "/v1/audit")):
        return "admin"
    asks = path == "/v1/models/inspect" or path.endswith("/predict")
    return "read" if method in ("GET", "HEAD") or asks else "write"


def objects(api: Api, owner: str) -> dict[str, str]:
    """Make one object of every kind, which a path may name."""
    db = api.services.db
    job = running(db, owner)
    curve(db, job, 10)
    report = b'{"version": 1, "step": 5, "rows": 30, "heads": []}'
    files = {"model.py": b"x", "weights.safetensors": b"y", "report.json": report}
    checkpoint = saved(db, api.services.store, job, 5, files)
    hook = webhook(db, owner)
    message = db.run(lambda session: outbox.ping(session, repository_of_webhooks.find(session, owner, hook)))
    return {
        "webhook_id": hook, "message_id": message.id,
        "job_id": end(db, job), "checkpoint_id": checkpoint, "name": "model.py", "form": "onnx",
        "dataset_id": db.run(datasets.register, owner, NEW).id,
        "key_id": db.run(keys.create, owner, "theirs", ["read"])[0].id,
    }  # fmt: skip


def test_the_description_is_whole() -> None:
    assert len(ROUTES) >= 23
    assert all(path.startswith("/v1/") for _, path in ROUTES)


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_a_route_needs_a_key_with_its_scope(api: Api, method: str, path: str) -> None:
    place = path.format(**objects(api, "anna"))
    revoked, token = api.services.db.run(keys.create, "anna", "old", keys.SCOPES)
    api.services.db.run(keys.revoke, "anna", revoked.id)
    whole = api.services.db.run(keys.create, "anna", "new", keys.SCOPES)[1]
    for strange in (token, whole[:-1], whole + "x", whole.upper(), "gw__", "gw_x_y", "", "x" * 5000, "é"):
        client = api.holding("")
        response = client(method, place, headers={"Authorization": f"Bearer {strange}".encode()})
        refused(method, response, 401, "unauthenticated")
        assert response.headers["www-authenticate"].startswith("Bearer")
    for header in ("", whole, f"Basic {whole}", f"Token {whole}"):
        refused(method, api.holding("")(method, place, headers={"Authorization": header}), 401, "unauthenticated")
    refused(method, api.client(None)(method, place), 401, "unauthenticated")
    scope = needed(method, path)
    others = tuple({"read", "write"} - {scope})
    refused(method, api.client("anna", others)(method, place), 403, "forbidden")
    assert api.client("anna", (scope,))(method, place).status_code not in (401, 403, 404, 405)
    other = path.format(**objects(api, "anna"))  # the first may be deleted now
    assert api.client("anna", ("admin",))(method, other).status_code not in (401, 403, 404, 405)


@pytest.mark.parametrize(("method", "path"), OF_AN_OBJECT)
def test_another_owner_s_object_is_not_found(api: Api, method: str, path: str) -> None:
    theirs = objects(api, "bert")
    before = everything(api, "bert")
    response = api.client("anna")(method, path.format(**theirs), content=b"a,b\n1,2\n" if method == "PUT" else None)
    refused(method, response, 404, "not_found")
    assert everything(api, "bert") == before


def refused(method: str, response: Any, status: int, code: str) -> None:
    if method == "HEAD":  # which has no body
        assert (response.status_code, response.content) == (status, b"")
    else:
        problem(response, status, code)


def everything(api: Api, owner: str) -> list[Any]:
    """All that an owner can see."""
    client = api.client(owner)
    listed = [client.get(f"/v1/{noun}").json()["items"] for noun in ("jobs", "datasets", "keys", "webhooks")]
    return [[item for item in items if item.get("name") != "test"] for items in listed]


def test_lists_hold_the_owner_s_objects_only(api: Api) -> None:
    mine = objects(api, "anna")
    objects(api, "bert")
    anna = api.client("anna")
    assert [item["id"] for item in anna.get("/v1/jobs").json()["items"]] == [mine["job_id"]]
    assert [item["id"] for item in anna.get("/v1/datasets").json()["items"]] == [mine["dataset_id"]]
    assert {item["name"] for item in anna.get("/v1/keys").json()["items"]} == {"theirs", "test"}


def test_the_page_after_another_owner_s_job_shows_nothing_of_it(api: Api) -> None:
    db = api.services.db
    mine = job_in(db, Status.QUEUED)
    theirs = job_in(db, Status.QUEUED, "bert")
    assert [item["id"] for item in api.client().get(f"/v1/jobs?after={theirs}").json()["items"]] == [mine]


def test_a_data_set_of_another_owner_is_unknown_to_jobs(api: Api) -> None:
    spec = SPEC | {"data": {"kind": "dataset", "id": objects(api, "bert")["dataset_id"]}}
    document = problem(api.client("anna").post("/v1/jobs", json=spec), 422, "invalid_input")
    assert [(item["pointer"], item["code"]) for item in document["errors"]] == [("/data/id", "unknown_dataset")]


@pytest.mark.parametrize("path", OPEN)
def test_health_needs_no_key(api: Api, path: str) -> None:
    assert api.client(None).get(path).status_code == 200
    assert api.holding("nonsense").get(path).status_code == 200


@pytest.mark.parametrize("token", [None, "nonsense"])
def test_without_auth_everybody_is_the_operator(serve: Serve, token: str | None) -> None:
    api = serve(auth=False)
    anybody = api.client(None) if token is None else api.holding(token)
    job = anybody.post("/v1/jobs", json=SPEC).json()
    assert api.services.db.read(repository.find, OWNER, job["id"]).name == job["name"]
    assert anybody.get("/v1/keys").status_code == 200
    problem(anybody.get(f"/v1/jobs/{job_in(api.services.db, Status.QUEUED, 'bert')}"), 404, "not_found")
