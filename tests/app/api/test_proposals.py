"""Proposals over HTTP: what comes back is submitted untouched, and what cannot be learned is refused at its place."""

import random
from typing import Any

import pytest

from tests.app.api.client import Api, Client, assert_problem
from tests.app.api.trained_jobs import train_job
from tests.app.api.uploads import register_upload

UNKNOWN = "ds_" + "0" * 32


def plane(rows: int = 240) -> bytes:
    """Return a table whose price is a sum of its columns, in tens of thousands, and whose `id` numbers the rows."""
    draw = random.Random(0)
    lines = ["id,size,age,town,price,kind"]
    for row in range(rows):
        size, age, town = draw.gauss(80, 20), draw.gauss(30, 9), draw.choice(("Ulm", "Bonn"))
        price = 300_000 + 4_000 * size - 2_000 * age + (90_000 if town == "Ulm" else 0)
        lines.append(f"{row},{size:.2f},{age:.2f},{town},{price:.0f},{'dear' if price > 600_000 else 'cheap'}")
    return "\n".join([*lines, ""]).encode()


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


@pytest.fixture
def place(anna: Client) -> str:
    """The path of an uploaded table."""
    path = register_upload(anna)
    assert anna.put(f"{path}/content", content=plane()).status_code == 200
    return path


def proposed(anna: Client, place: str, **request: Any) -> dict[str, Any]:
    response = anna.post(f"{place}/propose", json=request)
    assert response.status_code == 200, response.text
    document: dict[str, Any] = response.json()
    return document


@pytest.mark.parametrize(
    ("target", "loss"), [("price", "MSELoss"), ("kind", "CrossEntropyLoss"), ("town", "CrossEntropyLoss")]
)
def test_a_proposal_is_submitted_untouched(anna: Client, place: str, target: str, loss: str) -> None:
    proposal = proposed(anna, place, target=target)
    assert proposal["spec"]["objective"]["loss"]["kind"] == loss
    assert {reason["pointer"] for reason in proposal["reasons"]} >= {"/training/epochs", "/objective/loss"}
    made = anna.post("/v1/jobs", json=proposal["spec"])
    assert made.status_code == 201, made.text
    assert made.json()["spec"] == proposal["spec"]
    roles = {role["column"]: role["role"] for role in made.json()["columns"]}
    assert roles.pop("id") == "ignored"
    assert {column for column, role in roles.items() if role == "target"} == {target}


def test_what_is_proposed_learns_and_answers_in_the_units_of_the_data(api: Api, anna: Client, place: str) -> None:
    spec = proposed(anna, place, target="price")["spec"]
    spec["data"]["features"]["x"]["columns"].remove("kind")
    job_id = train_job(api, anna, spec)
    rows = [{"size": 80.0, "age": 30.0, "town": town} for town in ("Ulm", "Bonn")]
    response = anna.post(f"/v1/jobs/{job_id}/predict", json={"rows": rows})
    assert response.status_code == 200, response.text
    ulm, bonn = (row["scores"]["value"] for row in response.json()["predictions"])
    assert (ulm, bonn) == (pytest.approx(650_000, abs=20_000), pytest.approx(560_000, abs=20_000))


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({"target": "prise"}, "/target", "unknown_column"),
        ({"target": "id"}, "/target", "nothing_to_learn"),
        ({"target": "price", "task": "classes"}, "/task", "numbers_as_classes"),
        ({"target": "kind", "loss": "MSELoss"}, "/loss", "contradiction"),
        ({"target": "kind", "task": "anything"}, "/task", None),
        ({"goal": "kind"}, "/goal", None),
    ],
)
def test_what_cannot_be_learned_is_refused(
    anna: Client, place: str, body: dict[str, Any], pointer: str, code: str | None
) -> None:
    document = assert_problem(anna.post(f"{place}/propose", json=body), 422, "invalid_input")
    (problem,) = document["errors"]
    assert problem["pointer"] == pointer
    assert code in (None, problem["code"])


def test_data_that_is_not_there_has_no_proposal(anna: Client, bert: Client, place: str) -> None:
    assert_problem(anna.post(f"/v1/datasets/{UNKNOWN}/propose", json={}), 404, "not_found")
    assert_problem(bert.post(f"{place}/propose", json={"target": "price"}), 404, "not_found")
    document = assert_problem(anna.post(f"{register_upload(anna)}/propose", json={}), 409, "conflict")
    assert "awaiting_content" in document["detail"]
    vectors = register_upload(anna, format="vectors")
    assert anna.put(f"{vectors}/content", content=b"a 1 2\nb 3 4\n").status_code == 200
    assert_problem(anna.post(f"{vectors}/propose", json={}), 409, "conflict")


def test_a_named_data_set_is_proposed_for_too(anna: Client) -> None:
    made = anna.post("/v1/datasets", json={"name": "mine", "source": {"kind": "builtin", "name": "digits"}})
    proposal = proposed(anna, made.headers["location"])
    assert [node["kind"] for node in proposal["spec"]["model"]["nodes"]].count("Conv2d") > 1
    assert anna.post("/v1/jobs", json=proposal["spec"]).status_code == 201
