"""Content of data sets on its way in: whole, in pieces, and what is refused."""

import asyncio
import hashlib
import io
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.datasets import registry
from app.errors import ServiceOverloaded
from app.storage.local import LocalStore
from app.storage.protocol import StoredFile
from tests.app.api.client import Api, Client, assert_problem
from tests.app.api.conftest import StartApp
from tests.app.api.job_factories import SPEC
from tests.app.api.uploads import CSV, assert_ready, finish_upload, register_upload, send_chunk

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
SHA = hashlib.sha256(CSV).hexdigest()


def test_a_whole_upload(api: Api, anna: Client) -> None:
    place = register_upload(anna, target="kind", sha256=SHA)
    response = anna.put(f"{place}/content", content=CSV)
    assert response.status_code == 200, response.text
    assert response.headers["upload-offset"] == str(len(CSV))
    row = assert_ready(api, anna, place)
    assert response.json() == row
    assert row["data_schema"]["target"] == "kind"
    assert row["data_schema"]["rows"] == {"train": 100}
    assert len(row["preview"]) == 5
    assert_problem(anna.put(f"{place}/content", content=b"other"), 409, "state_forbids")  # it never changes
    assert_problem(send_chunk(anna, place, 0, 5), 409, "state_forbids")
    assert_problem(finish_upload(anna, place), 409, "state_forbids")
    assert_ready(api, anna, place)


@SQLITE
def test_arrays(api: Api, anna: Client) -> None:
    file = io.BytesIO()
    np.savez(file, x=np.zeros((6, 3), np.float32), y=np.arange(6) % 2)
    place = register_upload(anna, format="npz")
    assert anna.put(f"{place}/content", content=file.getvalue()).status_code == 200
    row = assert_ready(api, anna, place, file.getvalue())
    spec = SPEC | {"data": {"kind": "dataset", "id": row["id"]}}
    assert anna.post("/v1/jobs", json=spec).status_code == 201


def test_an_upload_in_pieces_that_goes_on_after_a_break(api: Api, anna: Client) -> None:
    place = register_upload(anna)
    half = len(CSV) // 2
    response = send_chunk(anna, place, 0, half)
    assert (response.status_code, response.headers["upload-offset"]) == (202, str(half))
    assert response.json()["received"] == anna.get(place).json()["received"] == half
    for start in (0, half - 1, half + 1):  # again, and with a gap
        refused = send_chunk(anna, place, start, len(CSV))
        assert_problem(refused, 409, "wrong_offset")
        assert refused.headers["upload-offset"] == str(half)
    asked = finish_upload(anna, place)  # how far is it?
    assert_problem(asked, 409, "wrong_offset")
    assert asked.headers["upload-offset"] == str(half)
    assert len(list(api.services.store.keys("datasets/"))) == 1
    assert send_chunk(anna, place, half, len(CSV) - 1).status_code == 202
    assert send_chunk(anna, place, len(CSV) - 1, len(CSV)).status_code == 200
    assert_ready(api, anna, place)


@SQLITE
def test_pieces_agree_on_the_size_of_the_whole(api: Api, anna: Client) -> None:
    place = register_upload(anna)
    assert send_chunk(anna, place, 0, 10).status_code == 202
    for content_range in (f"bytes 10-19/{len(CSV) + 1}", f"bytes 10-19/{len(CSV) - 1}", "bytes 10-19/20", "bytes */10"):
        refused = anna.put(
            f"{place}/content",
            content=b"" if "*" in content_range else CSV[10:20],
            headers={"Content-Range": content_range},
        )
        document = assert_problem(refused, 409, "state_forbids")
        assert f"{len(CSV):,} bytes by its first piece" in document["detail"]
    assert anna.get(place).json()["received"] == 10
    assert len(list(api.services.store.keys("datasets/"))) == 1
    assert send_chunk(anna, place, 10, len(CSV)).status_code == 200
    assert_ready(api, anna, place)


@SQLITE
def test_the_last_answer_was_lost(api: Api, anna: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """All bytes are there, but they were not described: finishing does that."""
    place = register_upload(anna)

    def busy(*args: Any) -> None:
        raise ServiceOverloaded

    with monkeypatch.context() as patch:
        patch.setattr(type(api.services.inspector), "describe_upload", busy)
        assert_problem(send_chunk(anna, place, 0, len(CSV)), 503, "overloaded")
    assert anna.get(place).json()["received"] == len(CSV)
    response = finish_upload(anna, place)
    assert (response.status_code, response.headers["upload-offset"]) == (200, str(len(CSV)))
    assert_ready(api, anna, place)


@SQLITE
def test_the_whole_replaces_pieces(api: Api, anna: Client) -> None:
    place = register_upload(anna)
    send_chunk(anna, place, 0, 10)
    assert anna.put(f"{place}/content", content=CSV).status_code == 200
    assert_ready(api, anna, place)


@pytest.mark.parametrize("pieces", [False, True])
@pytest.mark.parametrize(
    ("source", "content", "code"),
    [
        ({"sha256": "0" * 64}, CSV, "digest_mismatch"),
        ({}, b"a,b\n1,2\n3\n", None),
        ({"format": "npz"}, CSV, None),
        ({"format": "safetensors"}, CSV, None),
        ({"target": "nothing"}, CSV, None),
    ],
)
@SQLITE
def test_content_that_is_no_data_set(
    api: Api, anna: Client, source: dict[str, str], content: bytes, code: str | None, pieces: bool
) -> None:
    place = register_upload(anna, **source)
    response = send_chunk(anna, place, 0, len(content), content, with_range=pieces)
    document = assert_problem(response, 422, "invalid_input")
    row = anna.get(place).json()
    assert (row["status"], row["received"], row["data_schema"]) == ("invalid", 0, None)
    assert row["problems"] == document["errors"] != []
    assert code in (None, document["errors"][0]["code"])
    assert list(api.services.store.keys("")) == []


def test_invalid_content_is_replaced_by_good(api: Api, anna: Client) -> None:
    place = register_upload(anna)
    assert_problem(anna.put(f"{place}/content", content=b""), 422, "invalid_input")
    assert anna.get(place).json()["status"] == "invalid"
    assert send_chunk(anna, place, 0, 10).json()["status"] == "awaiting_content"
    assert send_chunk(anna, place, 10, len(CSV)).status_code == 200
    assert_ready(api, anna, place)


@SQLITE
@pytest.mark.parametrize(
    "content_range",
    [
        "",
        "bytes",
        "bytes 0-1",
        "bytes 0-1/*",
        "bytes 1-0/5",
        "bytes 0-5/5",
        "bytes -1-2/5",
        "items 0-1/2",
        "bytes */x",
        "bytes 0-1/" + "9" * 5000,
        "bytes 0-4/10 x",
    ],
)
def test_a_content_range_has_a_form(anna: Client, content_range: str) -> None:
    response = anna.put(f"{register_upload(anna)}/content", content=b"12345", headers={"Content-Range": content_range})
    has_numbers = content_range in ("bytes 1-0/5", "bytes 0-5/5")  # as described, and impossible
    assert_problem(response, 400, "malformed" if has_numbers else "invalid_parameter")


@SQLITE
def test_a_piece_is_as_long_as_it_says(api: Api, anna: Client) -> None:
    place = register_upload(anna)
    for content in (b"1234", b"123456", b""):
        response = anna.put(f"{place}/content", content=content, headers={"Content-Range": "bytes 0-4/10"})
        assert_problem(response, 400, "malformed")
    response = anna.put(f"{place}/content", content=b"1", headers={"Content-Range": "bytes */0"})
    assert_problem(response, 400, "malformed")
    assert anna.get(place).json()["received"] == 0
    assert list(api.services.store.keys("")) == []


async def slowly(content: bytes) -> Any:
    for start in range(0, len(content), 512):
        yield content[start : start + 512]


@SQLITE
def test_an_upload_has_a_limit(serve: StartApp) -> None:
    api = serve(upload_limit=2048)
    anna = api.client()
    place = register_upload(anna)
    large = b"x" * 2049
    assert_problem(anna.put(f"{place}/content", content=large), 413, "too_large")
    assert_problem(anna.put(f"{place}/content", content=slowly(large)), 413, "too_large")
    assert_problem(send_chunk(anna, place, 0, 10, large), 413, "too_large")
    assert_problem(finish_upload(anna, place, 2049), 413, "too_large")
    assert anna.put(f"{place}/content", content=slowly(b"a,b\n1,2\n3,4\n")).status_code == 200


def test_pieces_at_the_same_place_do_not_both_count(api: Api, anna: Client) -> None:
    place = register_upload(anna)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: send_chunk(anna, place, 0, 50).status_code, range(4)))
    assert sorted(found) == [202, 409, 409, 409]
    assert len(list(api.services.store.keys("datasets/"))) == 1
    assert send_chunk(anna, place, 50, len(CSV)).status_code == 200
    assert_ready(api, anna, place)


def test_of_whole_uploads_at_the_same_time_one_counts(api: Api, anna: Client) -> None:
    place = register_upload(anna)
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda _: anna.put(f"{place}/content", content=CSV).status_code, range(3)))
    assert set(found) <= {200, 409, 503}
    assert found.count(200) == 1
    assert_ready(api, anna, place)


@SQLITE
def test_a_piece_of_a_data_set_deleted_meanwhile_is_not_kept(
    api: Api, anna: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = register_upload(anna)
    put_file = LocalStore.put_file

    def late(store: LocalStore, key: str, source: Path) -> StoredFile:
        stored = put_file(store, key, source)
        api.services.db.run(registry.delete, "anna", place.rpartition("/")[2])
        return stored

    monkeypatch.setattr(LocalStore, "put_file", late)
    assert_problem(send_chunk(anna, place, 0, 10), 404, "not_found")
    assert list(api.services.store.keys("")) == []


@SQLITE
def test_so_many_uploads_arrive_at_the_same_time(serve: StartApp) -> None:
    api = serve(max_uploads=1)
    anna = api.client()
    place, begun, go_on = register_upload(anna), threading.Event(), threading.Event()

    async def held(content: bytes) -> Any:
        yield content[:10]
        begun.set()
        while not go_on.is_set():
            await asyncio.sleep(0.01)
        yield content[10:]

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(anna.put, f"{place}/content", content=held(CSV))
        assert begun.wait(10)
        refused = anna.put(f"{register_upload(anna)}/content", content=CSV)
        assert_problem(refused, 503, "overloaded")
        assert refused.headers["retry-after"]
        go_on.set()
        assert first.result().status_code == 200
    assert anna.put(f"{register_upload(anna)}/content", content=CSV).status_code == 200
