"""Extreme numbers, texts and lists: never a mistake of the service, never a long wait, and always JSON that parses."""

import time
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.access.first_key import OWNER
from tests.app.api.client import Api, Client
from tests.app.api.conftest import StartApp
from tests.app.api.extremes import (
    BODIES,
    HEADERS,
    NUMBERS,
    TEXTS,
    assert_answered,
    blocks_of_repeats,
    dump,
    example_specs,
    extreme_documents,
    nested_repeats,
)
from tests.app.api.route_cases import ROUTE_CASES, create_objects
from tests.full import FULL

SPECS = example_specs()
EXAMPLES = settings(
    derandomize=not FULL, deadline=None, database=None, suppress_health_check=list(HealthCheck), max_examples=1
)
ODD_HEADERS = [(name, text) for name, texts in HEADERS.items() for text in texts]
WORDS = [*map(str, NUMBERS), *TEXTS]


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


@pytest.fixture
def api(serve: StartApp) -> Api:
    return serve(auth=False)


LOOPS = {"six": nested_repeats(6), "twenty": nested_repeats(20), "in blocks": blocks_of_repeats(31, 1)}


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/jobs/validate"])
@pytest.mark.parametrize("name", LOOPS)
def test_counts_of_loops_in_loops_end_at_64_bits(api: Api, path: str, name: str) -> None:
    began = time.monotonic()
    response = api.client(None).post(path, json=LOOPS[name])
    assert_answered(response, began)
    assert "too_complex" in {problem["code"] for problem in response.json()["errors"]}
    assert response.json()["partial_graph"]["totals"]["flops"] == 2**63 - 1


def test_bodies_nest_only_so_deep_that_every_reader_of_them_has_room(api: Api) -> None:
    response = api.client(None).post("/v1/jobs/validate", json=blocks_of_repeats(31, 18))
    assert [problem["code"] for problem in response.json()["errors"]] == ["too_deep"]


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/jobs/validate"])
def test_specs(api: Api, path: str) -> None:
    client = api.client(None)

    @settings(EXAMPLES, max_examples=4000 if FULL else 60)
    @given(st.sampled_from(sorted(SPECS)).flatmap(lambda name: extreme_documents(SPECS[name])))
    def attack(document: Any) -> None:
        began = time.monotonic()
        assert_answered(client.post(path, content=dump(document)), began)

    attack()


@st.composite
def extreme_requests(draw: st.DrawFn, route: str, known: dict[str, str], query: list[str]) -> dict[str, Any]:
    """Draw a request to a route: of an object that exists, or of none; with extreme parameters, headers and body."""
    method, path = route.split()
    for name, value in known.items():
        odd = draw(st.sampled_from([None, None, None, *WORDS]))
        path = path.replace(f"{{{name}}}", value if odd is None else quote(odd[:2000], safe="", errors="replace"))
    words = st.sampled_from(WORDS).map(lambda text: text[:4000].encode("utf-8", "replace").decode())
    names = st.sampled_from([*query, "unknown"])
    params = draw(st.lists(st.tuples(names, words), max_size=3))
    headers = draw(st.lists(st.tuples(st.sampled_from(sorted(HEADERS)), st.sampled_from(WORDS)), max_size=2))
    headers += draw(st.lists(st.sampled_from(ODD_HEADERS), max_size=2))
    body = BODIES.get(route, ROUTE_CASES[route].body)
    content = b""
    if isinstance(body, bytes):
        content = draw(st.sampled_from([body, b"", b"\xff\xfe\x00", b"a\n" * 1000, b"," * 5000, b'"']))
    elif body is not None:
        content = dump(draw(extreme_documents(body)))
    sent = [(name.encode(), text[:8000].encode("utf-8", "surrogatepass")) for name, text in headers]
    return {"method": method, "path": path, "params": params, "headers": sent, "content": content}


@pytest.mark.parametrize("route", [route for route in ROUTE_CASES if not route.endswith("/jobs")])
def test_every_route(api: Api, described: dict[str, Any], route: str) -> None:
    client, known = api.client(None), create_objects(api, OWNER)
    method, path = route.split()
    operation = described["paths"][path][method.lower()]
    parameters = [each for each in operation.get("parameters", ()) if each["name"] != "wait"]
    query = [each["name"] for each in parameters if each["in"] == "query"]

    @settings(EXAMPLES, max_examples=1500 if FULL else 10)
    @given(extreme_requests(route, known, query))
    def attack(request: dict[str, Any]) -> None:
        began = time.monotonic()
        response = send(client, request)
        if response is not None:
            assert_answered(response, began)

    attack()


def send(client: Client, request: dict[str, Any]) -> httpx.Response | None:
    """Send a request, unless the client itself refuses to."""
    try:
        return client(request.pop("method"), request.pop("path"), **request)
    except (httpx.InvalidURL, httpx.LocalProtocolError):
        return None
