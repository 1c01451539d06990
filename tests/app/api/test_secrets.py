"""No secret reaches the log, or an answer: sent everywhere, and looked for."""

import base64
import io
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.access import keys
from app.api.routes import health
from app.db.session import Database
from app.jobs.dispatch import Waker
from app.logs import configure
from app.settings import Settings
from app.storage.catalog import open_store
from tests.app.api.client import Api
from tests.app.api.conftest import StartApp
from tests.app.api.job_factories import SPEC
from tests.app.api.route_cases import ROUTE_CASES, ROUTES_DELETE_LAST, create_objects, request_options

MARKS = ("hunter2", "aHVudGVyMg")  # in every secret below, also where base64 hides it
COOKIE, BASIC = "session=hunter2cookie", base64.b64encode(b"hunter2:x").decode()
WHSEC = "whsec_hunter2+/hunter2="
NOWHERE = "127.0.0.1:1"


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


@pytest.fixture(autouse=True)
def logged() -> Iterator[io.StringIO]:
    """Log as the service does, with everything that libraries tell, and look at it at the end."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    configure(Settings(log_json=True))
    (handler,) = (each for each in root.handlers if isinstance(each.formatter, structlog.stdlib.ProcessorFormatter))
    stream = io.StringIO()
    handler.setStream(stream)  # type: ignore[attr-defined]
    root.setLevel(logging.DEBUG)
    yield stream
    structlog.get_logger().info("the end")
    text = stream.getvalue()
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)
    assert "the end" in text
    assert not [line for line in text.splitlines() if any(mark in line for mark in MARKS)]


def clean(text: str) -> None:
    assert not [mark for mark in MARKS if mark in text]


def test_what_is_sent_in_headers_is_told_nowhere(api: Api) -> None:
    there, nobody, anna = create_objects(api, "anna"), api.client(None), api.client("anna")
    for route in ROUTES_DELETE_LAST:
        method, path = route.split(" ")
        place, body = path.format(**there), request_options(ROUTE_CASES[route])
        for secret in (f"Bearer gw_{'0' * 32}_hunter2", f"Basic {BASIC}", f"Bearer {WHSEC}", "hunter2"):
            headers = {"Authorization": secret, "Cookie": COOKIE, "Proxy-Authorization": secret, "X-Api-Key": WHSEC}
            clean(nobody(method, place, headers=headers, **body).text)
        clean(anna(method, place, headers={"Cookie": COOKIE, "X-Request-ID": "?" + WHSEC}, **body).text)


def test_a_key_in_the_wrong_place_is_masked_in_the_log(api: Api) -> None:
    token = "gw_0199_hunter2"
    anna = api.client("anna")
    for place in (f"/v1/jobs/{token}", f"/v1/jobs?after={token}", f"/{WHSEC}", f"/v1/jobs?name={token}"):
        assert anna.get(place).status_code in (200, 400, 404)
    anna.post("/v1/jobs", content=f'{{"token": "{token}"'.encode(), headers={"Content-Type": "application/json"})
    structlog.get_logger().info("event", url="redis://user:hunter2@host/0", headers={"authorization": f"Basic {BASIC}"})
    structlog.get_logger().info("event", url=f"postgresql+psycopg://:hunter2@host/{token}", secret=WHSEC)


def test_a_database_that_is_away_keeps_its_password(serve: StartApp) -> None:
    away = Database(f"postgresql+psycopg://nobody:hunter2@{NOWHERE}/none")
    api = serve(other={"db": away})
    response = api.client_with_token("gw_0199_hunter2").get("/v1/jobs")
    assert response.status_code == 503
    clean(response.text)
    away.close()


def test_a_store_that_fails_keeps_its_keys(
    serve: StartApp, s3_options: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = s3_options | {"access_key_id": "hunter2id", "secret_access_key": "hunter2secret"}
    api = serve(other={"store": open_store("s3://nowhere/x", secret)})
    with pytest.raises(Exception) as error:  # noqa: PT011 - whatever the store raises
        create_objects(api, "anna")
    logging.getLogger("store").error("failed", exc_info=error.value)


def test_a_broker_that_is_away_keeps_its_password(serve: StartApp, portal: Any) -> None:
    with Waker(f"redis://:hunter2@{NOWHERE}/0") as waker:
        api = serve(other={"waker": waker})
        assert api.client("anna").post("/v1/jobs", json=SPEC).status_code == 201


def test_a_mistake_of_the_service_tells_nothing(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise SQLAlchemyError(f"Bearer gw_0199_hunter2 {WHSEC} postgresql://u:hunter2@h/d")

    monkeypatch.setattr(health.revisions, "revision_mismatch", broken)
    response = api.client(None).get("/readyz")
    assert response.status_code == 500
    clean(response.text)


def test_what_is_made_is_told_once_and_logged_never(serve: StartApp, logged: io.StringIO) -> None:
    api = serve(webhook_private=True)
    anna = api.client("anna")
    key = anna.post("/v1/keys", json={"name": "x"}).json()
    hook = anna.post("/v1/webhooks", json={"url": "https://127.0.0.1/?token=hunter2"}).json()
    api.services.db.read(keys.authenticate, key["token"])
    api.client_with_token(key["token"]).get("/v1/jobs")
    anna.post(f"/v1/webhooks/{hook['id']}/ping")
    text = logged.getvalue()
    assert '"request"' in text
    for secret in (key["token"], hook["secret"], key["token"].split("_", 2)[2], hook["secret"].removeprefix("whsec_")):
        assert secret not in text
        assert secret not in anna.get("/v1/keys").text + anna.get("/v1/webhooks").text
    clean(text)
