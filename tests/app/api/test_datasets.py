"""Data sets over HTTP: register, list, delete, and jobs that need them."""

import hashlib
from typing import Any

import pytest

from app.jobs.states import Status
from app.spec.data.sources import BUILTIN_SCHEMAS
from app.storage.protocol import ArtifactStore
from tests.app.api.client import Api, Client, assert_problem
from tests.app.api.job_factories import SPEC, create_job_in_status
from tests.app.api.uploads import CSV, assert_ready, register_upload, send_chunk

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
UNKNOWN = "ds_" + "0" * 32


@pytest.mark.parametrize("name", ["iris", "digits"])
def test_a_named_data_set_is_ready_at_once(api: Api, anna: Client, name: str) -> None:
    made = anna.post("/v1/datasets", json={"name": "mine", "source": {"kind": "builtin", "name": name}})
    assert made.status_code == 201
    row = made.json()
    assert made.headers["location"] == f"/v1/datasets/{row['id']}"
    assert (row["status"], row["received"], row["preview"]) == ("ready", 0, None)
    assert row["data_schema"] == BUILTIN_SCHEMAS[name].model_dump(mode="json")
    assert anna.get(made.headers["location"]).json() == row
    assert_problem(anna.put(f"{made.headers['location']}/content", content=CSV), 409, "state_forbids")
    assert anna.delete(made.headers["location"]).status_code == 204
    assert_problem(anna.get(made.headers["location"]), 404, "not_found")


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
    document = assert_problem(anna.post("/v1/datasets", json=body), 422, "invalid_input")
    assert [item["pointer"] for item in document["errors"]] == [pointer]
    assert hint in document["errors"][0]["hint"]


def test_one_key_makes_one_data_set(anna: Client) -> None:
    body, key = {"name": "x", "source": {"kind": "builtin", "name": "iris"}}, {"Idempotency-Key": "once"}
    first, again = (anna.post("/v1/datasets", json=body, headers=key) for _ in range(2))
    assert first.content == again.content
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["idempotency-replayed"] == "true"
    assert_problem(anna.post("/v1/datasets", json=body | {"name": "y"}, headers=key), 422, "idempotency_key_reused")
    assert_problem(anna.post("/v1/jobs", json=SPEC, headers=key), 422, "idempotency_key_reused")
    assert len(anna.get("/v1/datasets").json()["items"]) == 1


@pytest.mark.parametrize("status", list(Status))
def test_a_data_set_lives_as_long_as_a_job_needs_it(api: Api, anna: Client, status: Status) -> None:
    place = register_upload(anna)
    anna.put(f"{place}/content", content=CSV)
    dataset_id = place.rpartition("/")[2]
    job_id = create_job_in_status(api.services.db, status, spec=SPEC | {"data": {"kind": "dataset", "id": dataset_id}})
    response = anna.delete(place)
    if status in (Status.SUCCEEDED, Status.FAILED, Status.CANCELLED):
        assert (response.status_code, response.content) == (204, b"")
        assert list(api.services.store.keys("")) == []
        assert_problem(anna.get(place), 404, "not_found")
    else:
        assert job_id in assert_problem(response, 409, "state_forbids")["detail"]
        assert_ready(api, anna, place)


@SQLITE
def test_deleting_forgets_pieces_too(api: Api, anna: Client) -> None:
    place = register_upload(anna)
    send_chunk(anna, place, 0, 10)
    assert anna.delete(place).status_code == 204
    assert list(api.services.store.keys("")) == []
    assert_problem(send_chunk(anna, place, 10, 20), 404, "not_found")
    assert_problem(anna.put(f"/v1/datasets/{UNKNOWN}/content", content=CSV), 404, "not_found")


@SQLITE
def test_a_job_needs_a_ready_data_set(anna: Client) -> None:
    place = register_upload(anna)
    for dataset_id, code in ((place.rpartition("/")[2], "dataset_not_ready"), (UNKNOWN, "unknown_dataset")):
        spec = SPEC | {"data": {"kind": "dataset", "id": dataset_id}}
        document = assert_problem(anna.post("/v1/jobs", json=spec), 422, "invalid_input")
        assert [(item["pointer"], item["code"]) for item in document["errors"]] == [("/data/id", code)]
        assert document["errors"][0]["hint"]


@SQLITE
def test_lists_are_filtered(anna: Client) -> None:
    names = {}
    for name in ("a", "b"):
        for source in ({"kind": "builtin", "name": "iris"}, {"kind": "upload"}):
            made = anna.post("/v1/datasets", json={"name": name, "source": source}).json()
            names[made["id"]] = (name, made["status"])

    def found(query: str) -> list[Any]:
        return sorted(names[item["id"]] for item in anna.get(f"/v1/datasets?{query}").json()["items"])

    assert found("name=a") == [("a", "awaiting_content"), ("a", "ready")]
    assert found("status=ready") == [("a", "ready"), ("b", "ready")]
    assert found("status=ready&status=awaiting_content&name=b") == [("b", "awaiting_content"), ("b", "ready")]
    assert anna.get("/v1/datasets?status=lost").status_code == 400


def test_vectors_are_needed_by_the_job_that_names_them(api: Api, anna: Client) -> None:
    glove = register_upload(anna, format="auto")
    row = anna.put(f"{glove}/content", content=b"the 0.1 0.2\nof 0.3 0.4\n").json()
    assert (row["source"]["format"], row["data_schema"]["rows"]) == ("vectors", {"vectors": 2})
    vectors = {"dataset": row["id"], "into": "embedding"}
    features = {"text": {"kind": "text", "column": "text", "vectors": vectors}}
    spec = SPEC | {"data": SPEC["data"] | {"features": features}}
    job_id = create_job_in_status(api.services.db, Status.QUEUED, spec=spec)
    assert job_id in assert_problem(anna.delete(glove), 409, "state_forbids")["detail"]
    trained = anna.post("/v1/jobs", json=SPEC | {"data": {"kind": "dataset", "id": row["id"]}})
    document = assert_problem(trained, 422, "invalid_input")
    assert [(item["pointer"], item["code"]) for item in document["errors"]] == [("/data/id", "wrong_dataset")]


def test_vectors_that_do_not_fit_are_told_when_a_job_is_posted(anna: Client) -> None:
    glove, reviews = register_upload(anna, format="auto"), register_upload(anna, format="jsonl", target="label")
    vectors = anna.put(f"{glove}/content", content=b"the 0.1 0.2\nof 0.3 0.4\n").json()["id"]
    rows = b"".join(b'{"text": "the film number %d of many", "label": "%d"}\n' % (row, row % 2) for row in range(40))
    data = {"kind": "dataset", "id": anna.put(f"{reviews}/content", content=rows).json()["id"]}
    part = {"kind": "text", "column": "text", "vectors": {"dataset": vectors, "into": "embedding1"}}
    layers = [
        {"kind": "Embedding", "embedding_dim": 3},
        {"kind": "pool_sequence"},
        {"kind": "Linear", "out_features": 2},
    ]
    spec = SPEC | {"data": data | {"features": {"text": part}}, "model": {"layers": layers}}
    document = assert_problem(anna.post("/v1/jobs", json=spec), 422, "invalid_input")
    assert [(item["pointer"], item["hint"]) for item in document["errors"]] == [
        ("/model/layers/0/embedding_dim", "set embedding_dim to 2")
    ]
    layers[0]["embedding_dim"] = 2
    assert anna.post("/v1/jobs", json=spec).status_code == 201


class TestDownloads:
    """On every store."""

    @pytest.fixture
    def database_url(self, sqlite_url: str) -> str:
        return sqlite_url

    @pytest.fixture
    def artifacts(self, store: ArtifactStore) -> ArtifactStore:
        return store

    def test_content_is_downloaded_whole_or_in_part(self, anna: Client) -> None:
        place = register_upload(anna, file="../my table.csv")
        path = f"{place}/content"
        anna.put(path, content=CSV)
        whole = anna.get(path)
        assert (whole.status_code, whole.content) == (200, CSV)
        etag = whole.headers["etag"]
        assert etag == f'"{hashlib.sha256(CSV).hexdigest()}"'
        assert whole.headers["content-disposition"] == 'attachment; filename="_my_table.csv"'
        part = anna.get(path, headers={"Range": "bytes=10-19", "If-Range": etag})
        assert (part.status_code, part.content) == (206, CSV[10:20])
        assert part.headers["content-range"] == f"bytes 10-19/{len(CSV)}"
        described = anna("HEAD", path)
        assert (described.status_code, described.content) == (200, b"")
        assert described.headers["content-length"] == str(len(CSV))
        assert anna.get(path, headers={"If-None-Match": etag}).status_code == 304
        assert_problem(anna.get(path, headers={"Range": f"bytes={len(CSV)}-"}), 416, "range_not_satisfiable")

    def test_equal_content_is_kept_once_and_goes_with_the_last(self, api: Api, anna: Client, bert: Client) -> None:
        places = [register_upload(anna) for _ in range(2)]
        for place in places:
            assert anna.put(f"{place}/content", content=CSV).status_code == 200
        assert len(list(api.services.store.keys(""))) == 1
        digest = hashlib.sha256(CSV).hexdigest()
        created = anna.post(
            "/v1/datasets", json={"name": "c", "source": {"kind": "upload", "format": "csv", "sha256": digest}}
        )
        assert (created.json()["status"], created.json()["received"]) == ("ready", len(CSV))
        theirs = register_upload(bert, sha256=digest)
        assert bert.get(theirs).json()["status"] == "awaiting_content"
        for place in places:
            assert anna.delete(place).status_code == 204
        last = created.headers["location"]
        assert anna.get(f"{last}/content").content == CSV
        assert anna.delete(last).status_code == 204
        assert list(api.services.store.keys("")) == []

    def test_what_has_no_content_is_told(self, anna: Client, bert: Client) -> None:
        place = register_upload(anna)
        assert_problem(anna.get(f"{place}/content"), 409, "state_forbids")
        assert_problem(bert.get(f"{place}/content"), 404, "not_found")
        named = anna.post("/v1/datasets", json={"name": "a", "source": {"kind": "builtin", "name": "iris"}})
        assert_problem(anna.get(f"{named.headers['location']}/content"), 409, "state_forbids")
