"""Disks that are full, really: 507 wherever a request meets one, and all is well when there is room again."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from app.api.children.predictor import PredictorPool
from app.settings import Settings
from app.storage.catalog import open_store
from tests.app.api.client import Api, Client, assert_problem
from tests.app.api.conftest import StartApp
from tests.app.api.test_exports import checkpoint
from tests.app.api.test_predictions import JOB, asked, labels
from tests.app.api.trained_jobs import train_job_cached
from tests.app.api.uploads import CSV, finish_upload, register_upload, send_chunk
from tests.disks import TinyDisk, tiny_disk

DISK_BYTES = 1 << 20
TOO_LARGE = 3 << 20


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[TinyDisk]:
    with tiny_disk(tmp_path / "disk", DISK_BYTES) as mounted:
        yield mounted


@pytest.fixture
def spooling(serve: StartApp, disk: TinyDisk) -> Api:
    """A service whose spool is on the tiny disk."""
    return serve(spool=disk.folder / "spool", spool_reserve=0)


@pytest.fixture
def client(spooling: Api) -> Client:
    return spooling.client()


def nothing_left(api: Api) -> bool:
    return list(api.services.spool.own_folder().iterdir()) == []


async def endless(sent: list[int]) -> AsyncIterator[bytes]:
    for _ in range(TOO_LARGE >> 16):
        sent.append(1 << 16)
        yield bytes(1 << 16)


def test_a_body_that_cannot_fit_is_refused_before_it_is_sent(spooling: Api, client: Client) -> None:
    place, sent = register_upload(client), list[int]()
    headers = {"Content-Length": str(TOO_LARGE)}
    document = assert_problem(
        client.put(f"{place}/content", content=endless(sent), headers=headers), 507, "storage_full"
    )
    assert f"no room for {TOO_LARGE:,} bytes" in document["detail"]
    assert "GRAFTWERK_SPOOL" in document["errors"][0]["hint"]
    assert sent == []
    assert nothing_left(spooling)
    assert client.put(f"{place}/content", content=CSV).status_code == 200


def test_a_body_of_unknown_length_is_refused_where_it_no_longer_fits(spooling: Api, client: Client) -> None:
    place, sent = register_upload(client), list[int]()
    assert_problem(client.put(f"{place}/content", content=endless(sent)), 507, "storage_full")
    assert 0 < sum(sent) < TOO_LARGE
    assert nothing_left(spooling)
    assert client.get(place).json()["received"] == 0


def test_no_room_for_the_pieces_together(spooling: Api, client: Client, disk: TinyDisk) -> None:
    """The pieces stay: the upload is finished when there is room."""
    place = register_upload(client)
    assert send_chunk(client, place, 0, 10).status_code == 202
    disk.fill(left=len(CSV) // 2)
    assert_problem(send_chunk(client, place, 10, len(CSV)), 507, "storage_full")
    disk.empty()
    start = client.get(place).json()["received"]
    response = send_chunk(client, place, start, len(CSV)) if start < len(CSV) else finish_upload(client, place)
    assert response.status_code == 200, response.text


def test_no_room_for_anything(spooling: Api, client: Client, disk: TinyDisk) -> None:
    place = register_upload(client)
    disk.fill()
    assert_problem(client.put(f"{place}/content", content=CSV), 507, "storage_full")
    assert client.get(place).status_code == 200
    disk.empty()
    assert client.put(f"{place}/content", content=CSV).status_code == 200


def test_no_room_for_a_prediction(spooling: Api, client: Client, disk: TinyDisk) -> None:
    """The rows fit, and what the child process writes does not."""
    path = f"/v1/jobs/{train_job_cached(spooling, client, JOB)}/predict"
    rows = [{"x": [number, 0, 0, 0]} for number in range(2000)]
    wanted = {"outputs": ["labels", "probabilities", "raw"], "top": 3}
    expected = asked(client, path, rows, **wanted)
    size = len(expected.request.content)
    assert len(expected.content) > 2 * size
    disk.fill(left=size + (16 << 10))
    assert_problem(asked(client, path, rows, **wanted), 507, "storage_full")
    disk.fill()
    assert_problem(asked(client, path, rows[:1]), 507, "storage_full")
    disk.empty()
    assert labels(asked(client, path, rows)) == labels(expected)
    assert nothing_left(spooling)


@pytest.mark.parametrize(("form", "left"), [("onnx", 0), ("onnx", 4096), ("torch_export", 8192), ("bundle", 4096)])
def test_no_room_for_an_export(spooling: Api, client: Client, disk: TinyDisk, form: str, left: int) -> None:
    _, path = checkpoint(spooling)
    disk.fill(left)
    response = client.get(f"{path}/{form}")
    if response.status_code != 200:  # some are small
        assert_problem(response, 507, "storage_full")
    assert response.status_code == 507 or left > 0
    disk.empty()
    assert client.get(f"{path}/{form}").status_code == 200
    assert nothing_left(spooling)


def test_a_full_artifact_store(serve: StartApp, disk: TinyDisk) -> None:
    api = serve(other={"store": open_store(str(disk.folder / "artifacts"), {})})
    client = api.client()
    place, other = register_upload(client), register_upload(client)
    disk.fill()
    document = assert_problem(client.put(f"{place}/content", content=CSV), 507, "storage_full")
    assert "artifacts" in document["detail"]
    assert_problem(send_chunk(client, other, 0, 10), 507, "storage_full")
    assert client.get(other).json()["received"] == 0
    disk.empty()
    assert client.put(f"{place}/content", content=CSV).status_code == 200
    assert send_chunk(client, other, 0, 10).status_code == 202
    assert list((disk.folder / "artifacts" / ".incoming").iterdir()) == []


def test_no_room_for_a_copy_of_weights(serve: StartApp, disk: TinyDisk, s3_options: dict[str, str]) -> None:
    """Those that lie in a bucket are copied into the home directory."""
    store = open_store("s3://graftwerk/full", s3_options)
    predictors = PredictorPool(Settings(home=disk.folder, predictors=1))
    api = serve(other={"store": store, "predictors": predictors})
    client = api.client()
    path = f"/v1/jobs/{train_job_cached(api, client, JOB)}/predict"
    rows = [{"x": [1, 2, 3, 4]}]
    disk.fill(left=8192)
    assert_problem(asked(client, path, rows), 507, "storage_full")
    disk.empty()
    assert labels(asked(client, path, rows))
    predictors.close()
