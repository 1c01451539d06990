"""Checkpoints and their files, from a directory and from S3."""

import hashlib
from typing import Any

import httpx
import pytest

from app.db.tables import JobRow
from app.storage.protocol import ArtifactStore
from tests.app.api.client import Api, Client, assert_problem
from tests.app.api.job_factories import SPEC, create_checkpoint, create_queued_job, create_running_job

BODY = bytes(range(256)) * 40
SIZE = len(BODY)
ETAG = f'"{hashlib.sha256(BODY).hexdigest()}"'
FILES = {"weights.safetensors": BODY, "weights.pth": b"pth", "model.py": b"import torch\n"}
PRIVATE = {"state.safetensors": b"private", "state.json": b"{}"}
UNKNOWN = "ckpt_" + "0" * 32


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


@pytest.fixture
def job(api: Api) -> JobRow:
    return create_running_job(api.services.db)


@pytest.fixture
def path(api: Api, job: JobRow) -> str:
    """Where the weights of a checkpoint are."""
    checkpoint = create_checkpoint(api.services.db, api.services.store, job, 7, FILES, 0.5, PRIVATE)
    return f"/v1/checkpoints/{checkpoint}/files/weights.safetensors"


def is_whole(response: httpx.Response) -> None:
    assert response.status_code == 200
    assert response.content == BODY
    assert response.headers["content-length"] == str(SIZE)
    assert "content-range" not in response.headers


class TestOnEveryStore:
    @pytest.fixture
    def artifacts(self, store: ArtifactStore) -> ArtifactStore:
        return store

    def test_a_file_is_downloaded_whole(self, anna: Client, path: str) -> None:
        response = anna.get(path)
        is_whole(response)
        assert response.headers["etag"] == ETAG
        assert response.headers["accept-ranges"] == "bytes"
        assert response.headers["content-type"] == "application/octet-stream"
        assert response.headers["content-disposition"] == 'attachment; filename="weights.safetensors"'
        assert response.headers["cache-control"] == "private, max-age=31536000, immutable"
        described = anna("HEAD", path)
        assert (described.status_code, described.content) == (200, b"")
        assert {**described.headers, "x-request-id": ""} == {**response.headers, "x-request-id": ""}

    @pytest.mark.parametrize(
        ("asked", "start", "stop"),
        [
            ("bytes=0-0", 0, 1),
            ("bytes=0-99", 0, 100),
            ("bytes=100-", 100, SIZE),
            ("bytes=-5", SIZE - 5, SIZE),
            (f"bytes={SIZE - 1}-", SIZE - 1, SIZE),
            (f"bytes=0-{SIZE + 99}", 0, SIZE),
            (f"bytes=-{SIZE + 1}", 0, SIZE),
            ("bytes=5-" + "9" * 18, 5, SIZE),
            ("Bytes=1-2", 1, 3),
            (" bytes= 1 - 2 ", 1, 3),
            ("bytes=007-8", 7, 9),
        ],
    )
    def test_a_range(self, anna: Client, path: str, asked: str, start: int, stop: int) -> None:
        response = anna.get(path, headers={"Range": asked})
        assert response.status_code == 206
        assert response.content == BODY[start:stop]
        assert response.headers["content-range"] == f"bytes {start}-{stop - 1}/{SIZE}"
        assert response.headers["content-length"] == str(stop - start)
        assert response.headers["etag"] == ETAG

    def test_a_file_that_is_gone(self, api: Api, anna: Client, path: str) -> None:
        for key in list(api.services.store.keys("jobs/")):
            api.services.store.delete(key)
        assert_problem(anna.get(path), 404, "not_found")

    def test_a_deleted_job_s_files_are_gone(self, api: Api, anna: Client, job: JobRow, path: str) -> None:
        anna.post(f"/v1/jobs/{job.id}/cancel")
        api.services.db.run(lambda session: setattr(session.get(JobRow, job.id), "status", "cancelled"))
        assert anna.delete(f"/v1/jobs/{job.id}", params={"purge": True}).status_code == 204
        assert list(api.services.store.keys("")) == []
        assert_problem(anna.get(path), 404, "not_found")


@pytest.mark.parametrize("asked", [f"bytes={SIZE}-", f"bytes={SIZE + 5}-{SIZE + 9}", "bytes=-0", f"bytes={'9' * 18}-"])
def test_a_range_outside(anna: Client, path: str, asked: str) -> None:
    response = anna.get(path, headers={"Range": asked})
    assert_problem(response, 416, "range_not_satisfiable")
    assert response.headers["content-range"] == f"bytes */{SIZE}"


@pytest.mark.parametrize(
    "asked",
    [
        "bytes=5-4",
        "bytes=-",
        "bytes=",
        "bytes=a-b",
        "bytes=0-1,3-4",
        "lines=0-1",
        "0-1",
        "bytes=-1-2",
        "bytes=1",
        "",
        f"bytes=0-{'9' * 5000}",
        f"bytes={'9' * 5000}-",
    ],
)
def test_a_range_that_is_none_is_ignored(anna: Client, path: str, asked: str) -> None:
    is_whole(anna.get(path, headers={"Range": asked}))


@pytest.mark.parametrize("known", [ETAG, f"W/{ETAG}", f'"x", {ETAG}', "*"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_file_that_is_known_is_not_sent(anna: Client, path: str, method: str, known: str) -> None:
    response = anna(method, path, headers={"If-None-Match": known, "Range": "bytes=0-9"})
    assert (response.status_code, response.content) == (304, b"")
    assert response.headers["etag"] == ETAG
    assert response.headers["cache-control"] == "private, max-age=31536000, immutable"  # of the answer it stands for
    assert "content-length" not in response.headers


def test_a_range_of_the_known_file_only(anna: Client, path: str) -> None:
    part = {"Range": "bytes=0-9"}
    assert anna.get(path, headers=part | {"If-Range": ETAG}).status_code == 206
    for other in ('"x"', f"W/{ETAG}", "Wed, 21 Oct 2015 07:28:00 GMT", ""):
        is_whole(anna.get(path, headers=part | {"If-Range": other}))
    is_whole(anna.get(path, headers={"Range": "bytes=999999-", "If-Range": '"x"'}))


def test_head_knows_no_ranges(anna: Client, path: str) -> None:
    for asked in ("bytes=0-9", "bytes=999999-"):
        response = anna("HEAD", path, headers={"Range": asked})
        assert (response.status_code, response.headers["content-length"]) == (200, str(SIZE))


def test_an_empty_file(api: Api, anna: Client, job: JobRow) -> None:
    checkpoint = create_checkpoint(api.services.db, api.services.store, job, 1, {"model.py": b""})
    path = f"/v1/checkpoints/{checkpoint}/files/model.py"
    assert anna.get(path).content == b""
    assert_problem(anna.get(path, headers={"Range": "bytes=0-"}), 416, "range_not_satisfiable")


@pytest.mark.parametrize("name", [*PRIVATE, "nothing", "x" * 101, "model.py%00", "MODEL.PY"])
def test_private_and_unknown_files_are_not_found(anna: Client, path: str, name: str) -> None:
    assert_problem(anna.get(path.replace("weights.safetensors", name)), 404, "not_found")


def test_a_name_is_no_path(anna: Client, path: str) -> None:
    assert_problem(anna.get(path.replace("weights.safetensors", "..%2f..%2fmodel.py")), 404, "no_such_route")


def test_the_list_shows_what_can_be_downloaded(api: Api, anna: Client, job: JobRow) -> None:
    db, store = api.services.db, api.services.store
    first, second = (
        create_checkpoint(db, store, job, 5, FILES, 0.25, PRIVATE),
        create_checkpoint(db, store, job, 9, FILES, float("nan")),
    )
    response = anna.get(f"/v1/jobs/{job.id}/checkpoints")
    assert response.json()["has_more"] is False
    newest, oldest = response.json()["items"]
    assert (newest["id"], oldest["id"]) == (second, first)
    assert (oldest["step"], oldest["epoch"], oldest["values"], oldest["final"]) == (5, 0.5, {"val/loss": 0.25}, False)
    assert newest["values"] == {}
    assert (oldest["best"], newest["best"]) == (True, False), "the loss of the newest is no number"
    assert {file["name"] for file in oldest["files"]} == set(FILES)
    assert anna.get(f"/v1/checkpoints/{first}").json() == oldest
    for file in oldest["files"]:
        content = anna.get(file["url"]).content
        assert (len(content), hashlib.sha256(content).hexdigest()) == (file["size"], file["sha256"])
    assert anna.get(f"/v1/checkpoints/{first}/files/model.py").headers["content-type"].startswith("text/x-python")
    assert_problem(anna.get(f"/v1/checkpoints/{UNKNOWN}"), 404, "not_found")


def weights(anna: Client, job: JobRow, **params: str) -> Any:
    return anna.get(f"/v1/jobs/{job.id}/weights", params=params)


def test_the_best_and_the_latest_weights(api: Api, anna: Client, job: JobRow) -> None:
    db, store = api.services.db, api.services.store
    for step, loss in ((1, 0.9), (2, 0.1), (3, 0.5), (4, float("nan"))):
        names = {name: f"{name} {step}".encode() for name in FILES}
        create_checkpoint(db, store, job, step, names, loss)
    assert weights(anna, job).content == b"weights.safetensors 2"
    listed = anna.get(f"/v1/jobs/{job.id}/checkpoints").json()["items"]
    assert [each["best"] for each in listed] == [False, False, True, False]
    assert weights(anna, job, which="best", format="pth").content == b"weights.pth 2"
    latest = weights(anna, job, which="latest", format="pth")
    assert latest.content == b"weights.pth 4"
    assert latest.headers["content-disposition"] == 'attachment; filename="weights.pth"'
    described = anna("HEAD", f"/v1/jobs/{job.id}/weights", params={"which": "latest", "format": "pth"})
    assert described.headers["etag"] == latest.headers["etag"]


def test_the_best_is_by_the_spec_s_monitor(api: Api, anna: Client) -> None:
    db, store = api.services.db, api.services.store
    plan = {"checkpoint": {"monitor": "val/loss", "mode": "max"}}
    job = create_running_job(db, spec=SPEC | {"training": plan})
    for step, loss in ((1, 0.2), (2, 0.9), (3, 0.5)):
        create_checkpoint(db, store, job, step, {"weights.safetensors": str(step).encode()}, loss)
    assert weights(anna, job).content == b"2"


def test_without_values_the_latest_is_the_best(api: Api, anna: Client, job: JobRow) -> None:
    for step in (1, 2):
        create_checkpoint(api.services.db, api.services.store, job, step, {"weights.safetensors": str(step).encode()})
    assert weights(anna, job).content == b"2"
    assert_problem(weights(anna, job, format="pth"), 404, "not_found")


def test_before_the_first_checkpoint_there_is_nothing(api: Api, anna: Client) -> None:
    path = f"/v1/jobs/{create_queued_job(api.services.db)}"
    document = assert_problem(anna.get(f"{path}/weights"), 404, "not_found")
    assert document["errors"][0]["hint"]
    assert anna.get(f"{path}/checkpoints").json() == {"items": [], "has_more": False}


def test_another_owner_gets_nothing(bert: Client, job: JobRow, path: str) -> None:
    for place in (path, path.partition("/files")[0], f"/v1/jobs/{job.id}/weights", f"/v1/jobs/{job.id}/checkpoints"):
        assert_problem(bert.get(place, headers={"If-None-Match": ETAG}), 404, "not_found")
