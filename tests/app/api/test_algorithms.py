"""Jobs with an algorithm over HTTP: the answers lead into the user's document, what is stored is the long form."""

from copy import deepcopy
from typing import Any

import pytest

from tests.app.api.client import Client

SPEC: dict[str, Any] = {
    "model": {
        "actor": {"layers": [{"kind": "Linear", "out_features": 8}, "ReLU", {"kind": "Linear", "out_features": 2}]},
        "critic": {"layers": [{"kind": "Linear", "out_features": 8}, "ReLU", {"kind": "Linear", "out_features": 1}]},
    },
    "data": {"kind": "environment", "name": "Pendulum-v1"},
    "objective": {"kind": "sac"},
    "training": {"steps": 100},
}


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


def changed(path: list[Any], value: Any) -> dict[str, Any]:
    spec = deepcopy(SPEC)
    here: Any = spec
    for part in path[:-1]:
        here = here[part]
    here[path[-1]] = value
    return spec


def pointers(inspection: Any) -> set[str]:
    """Return the pointers of all nodes of an inspection, at any depth."""
    if isinstance(inspection, dict):
        own = {inspection["pointer"]} if isinstance(inspection.get("pointer"), str) else set()
        return own.union(*map(pointers, inspection.values()))
    return set().union(*map(pointers, inspection)) if isinstance(inspection, list) else set()


@pytest.mark.parametrize(
    ("path", "value", "pointer"),
    [
        (["objective", "gamma"], 2, "/objective/gamma"),
        (["model", "actor", "layers", 2, "out_features"], 3, "/model/actor/layers/2/out_features"),
        (["model", "critic", "layers", 0, "in_features"], 3, "/model/critic/layers/0/in_features"),
        (["training", "epochs"], 3, "/training/epochs"),
    ],
)
def test_a_mistake_is_told_at_its_place(anna: Client, path: list[Any], value: Any, pointer: str) -> None:
    answers = [anna.post(route, json=changed(path, value)) for route in ("/v1/jobs/validate", "/v1/jobs")]
    assert [answer.status_code for answer in answers] == [422, 422]
    assert [[error["pointer"] for error in answer.json()["errors"]] for answer in answers] == [[pointer], [pointer]]


def test_a_report_leads_into_what_the_user_wrote(anna: Client) -> None:
    report = anna.post("/v1/jobs/validate", json=SPEC)
    assert report.status_code == 200, report.text
    bodies = {f"/model/{body}" for body in ("actor", "critic")}
    layers = {f"{body}/layers/{place}" for body in bodies for place in range(3)}
    found = pointers(report.json()["inspection"])
    assert bodies | layers <= found
    assert not {each for each in found if each.startswith(("/model/nodes", "/model/blocks"))}
    assert report.json()["spec"]["objective"].keys() == {"heads"}


def test_what_is_stored_is_the_long_form(anna: Client) -> None:
    job = anna.post("/v1/jobs", json=SPEC).json()
    assert job["spec"]["model"].keys() == {"inputs", "nodes", "outputs", "blocks"}
    assert job["spec"]["model"]["blocks"]["actor"]["layers"][2] == {"kind": "Linear", "out_features": 2}
    found = pointers(anna.get(f"/v1/jobs/{job['id']}/network").json())
    assert {"/model/nodes/0", "/model/blocks/actor/layers/2"} <= found
    assert not {each for each in found if each.startswith(("/model/actor", "/objective"))}
    again = anna.post("/v1/jobs/validate", json=job["spec"])
    assert again.status_code == 200, again.text
    assert again.json()["spec"] == job["spec"]
