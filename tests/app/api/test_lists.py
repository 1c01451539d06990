"""Lists: pages, and filters of jobs."""

from typing import Any
from urllib.parse import quote

import pytest

from app.access import keys
from app.datasets import registry
from app.jobs.states import Status
from app.spec.data.sources import NewDataset
from tests.app.api.client import Api, Client, assert_problem
from tests.app.api.job_factories import create_job_in_status, create_queued_job

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def ids(anna: Client, **params: Any) -> list[str]:
    response = anna.get("/v1/jobs", params=params)
    assert response.status_code == 200, response.text
    return [item["id"] for item in response.json()["items"]]


def walk(anna: Client, path: str) -> list[list[Any]]:
    """Follow the links from page to page; returns the ids of each."""
    pages = []
    while path:
        response = anna.get(path)
        page = response.json()
        pages.append([item["id"] for item in page["items"]])
        link = response.headers.get("link", "")
        assert page["has_more"] == bool(link)
        assert not link or link.endswith('>; rel="next"')
        path = link[1:].partition(">")[0]
    return pages


def test_pages_of_jobs(api: Api, anna: Client) -> None:
    made = [create_queued_job(api.services.db, name="a b&c") for _ in range(7)]
    create_queued_job(api.services.db, name="other")
    newest = made[::-1]
    pages = walk(anna, "/v1/jobs?limit=3&status=queued&status=running&name=a%20b%26c")
    assert pages == [newest[:3], newest[3:6], newest[6:]]
    assert walk(anna, "/v1/jobs?limit=7&name=a%20b%26c") == [newest]
    assert ids(anna, limit=3, after=newest[2], name="a b&c") == newest[3:6]
    assert ids(anna, after=made[0]) == []


def test_pages_of_data_sets_and_events(api: Api, anna: Client) -> None:
    db = api.services.db
    new = NewDataset.model_validate({"name": "x", "source": {"kind": "builtin", "name": "iris"}})
    made = [db.run(registry.register, "anna", new).id for _ in range(3)][::-1]
    assert walk(anna, "/v1/datasets?limit=2") == [made[:2], made[2:]]
    job_id = create_job_in_status(db, Status.SUCCEEDED)
    assert walk(anna, f"/v1/jobs/{job_id}/events?limit=2") == [[1, 2], [3]]
    assert walk(anna, f"/v1/jobs/{job_id}/events?after=3") == [[]]


def test_pages_of_keys(api: Api) -> None:
    admin = api.client("anna")
    made = [api.services.db.run(keys.create, "anna", "x", ["read"])[0].id for _ in range(3)][::-1]
    (own,) = {item["id"] for item in admin.get("/v1/keys").json()["items"]} - set(made)
    assert walk(admin, "/v1/keys?limit=2") == [made[:2], [made[2], own]]


def test_an_empty_list(anna: Client) -> None:
    for noun in ("jobs", "datasets"):
        assert anna.get(f"/v1/{noun}").json() == {"items": [], "has_more": False}


def test_filters(api: Api, anna: Client) -> None:
    db = api.services.db
    by_status = {status: create_job_in_status(db, status) for status in Status}
    assert ids(anna) == sorted(by_status.values(), reverse=True)
    for status, job_id in by_status.items():
        assert ids(anna, status=status.value) == [job_id]
    assert set(ids(anna, status=["failed", "queued"])) == {by_status[Status.FAILED], by_status[Status.QUEUED]}
    named = create_queued_job(db, name="ünï%_'\"")
    assert ids(anna, name="ünï%_'\"") == [named]
    assert ids(anna, name="%") == []
    assert ids(anna, name="") == []


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("digits", ["Digits 1", "more DIGITS"]),
        ("S 1", ["Digits 1"]),
        ("100%", ["100%_a/b"]),
        ("%_a/", ["100%_a/b"]),
        ("_", ["100%_a/b"]),
        ("ünï", ["ünï"]),
        ("absent", []),
    ],
)
def test_a_search_by_a_part_of_the_name(api: Api, anna: Client, search: str, found: list[str]) -> None:
    db = api.services.db
    made = {name: create_queued_job(db, name=name) for name in ("Digits 1", "100%_a/b", "more DIGITS", "ünï")}
    newest = [made[name] for name in reversed(made) if name in found]
    assert ids(anna, search=search) == newest
    assert ids(anna, search=search, status="queued") == newest
    assert ids(anna, search=search, status="paused") == []
    pages = walk(anna, f"/v1/jobs?search={quote(search)}&limit=1")
    assert pages == ([[each] for each in newest] or [[]])
    assert ids(anna, search=search, name="ünï") == [made["ünï"]] * ("ünï" in found)


def test_a_search_beside_metadata_and_among_deleted_jobs(api: Api, anna: Client) -> None:
    db = api.services.db
    labelled = create_queued_job(db, name="digits", labels={"team": "a"})
    create_queued_job(db, name="other", labels={"team": "a"})
    create_queued_job(db, name="digits")
    deleted = create_job_in_status(db, Status.SUCCEEDED, name="old digits")
    assert anna.delete(f"/v1/jobs/{deleted}").status_code == 204
    assert ids(anna, search="GIT", **{"metadata[team]": "a"}) == [labelled]
    assert ids(anna, search="GIT", deleted=True) == [deleted]
    assert ids(anna, search="other", deleted=True) == []
    assert_problem(anna.get("/v1/jobs?search="), 400, "invalid_parameter")


KEYS = ["team", "ünï", "a.b", "a b", "$", "'", "0", "[0]", "a]b", "", "%", "x" * 64, "team; DROP TABLE jobs"]


@pytest.mark.parametrize("key", KEYS)
def test_a_filter_by_metadata(api: Api, anna: Client, key: str) -> None:
    db = api.services.db
    wanted = create_queued_job(db, labels={key: "vi'si\"on", "more": "1"})
    create_queued_job(db, labels={key: "vi'si\"on2"})
    create_queued_job(db, labels={"else": "vi'si\"on"})
    create_queued_job(db)
    assert ids(anna, **{f"metadata[{key}]": "vi'si\"on"}) == [wanted]
    assert ids(anna, **{f"metadata[{key}]": "vi'si\"on", "metadata[more]": "1"}) == [wanted]
    assert ids(anna, **{f"metadata[{key}]": "vi'si\"on", "metadata[more]": "2"}) == []
    assert ids(anna, **{f"metadata[{key}]": ""}) == []


@pytest.mark.parametrize("key", ['"', "\\", 'a"b', "\\u0000", "\0"])
def test_a_key_that_no_database_looks_for(anna: Client, key: str) -> None:
    assert_problem(anna.get("/v1/jobs", params={f"metadata[{key}]": "x"}), 400, "malformed")


def test_many_filters(api: Api, anna: Client) -> None:
    labels = {f"k{number}": "v" for number in range(33)}
    wanted = create_queued_job(api.services.db, labels=labels)
    params = {f"metadata[{key}]": value for key, value in labels.items()}
    assert_problem(anna.get("/v1/jobs", params=params), 400, "malformed")
    params.popitem()
    assert ids(anna, **params) == [wanted]
    assert ids(anna, status=["queued"] * 500) == [wanted]
