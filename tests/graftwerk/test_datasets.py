"""Data sets over a script of answers: what is sent, and what a lost answer changes."""

import hashlib
import json
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest

from graftwerk import datasets
from graftwerk.errors import Conflict, InvalidData, InvalidRequest
from tests.graftwerk.client_kinds import ClientKind
from tests.graftwerk.scripted_transport import ScriptedTransport, problem_response

CONTENT = b"a,y\n1,2\n3,4\n"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def document(status: str = "awaiting_content", received: int = 0, sha256: str | None = None) -> dict[str, Any]:
    return {"id": "ds_1", "name": "table", "status": status, "received": received, "sha256": sha256}


def answer(status: int, received: int, told: str = "awaiting_content") -> httpx.Response:
    return httpx.Response(status, json=document(told, received), headers={"Upload-Offset": str(received)})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "table.csv"
    path.write_bytes(CONTENT)
    return path


def sent(script: ScriptedTransport) -> list[tuple[str, bytes]]:
    puts = [request for request in script.requests if request.method == "PUT"]
    return [(request.headers["Content-Range"], request.content) for request in puts]


def test_a_file_is_registered_and_sent_in_pieces(api: ClientKind, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "UPLOAD_CHUNK_BYTES", 8)
    created = httpx.Response(201, json=document())
    client, script = api.client(created, httpx.Response(200, json=document()), answer(202, 8), answer(200, 12, "ready"))
    told: list[tuple[int, int]] = []
    made = client.datasets.add(file, on_progress=lambda have, size: told.append((have, size)))
    assert made.status == "ready"
    assert sent(script) == [("bytes 0-7/12", CONTENT[:8]), ("bytes 8-11/12", CONTENT[8:])]
    assert told == [(8, 12), (12, 12)]
    assert json.loads(script.requests[0].content) == {
        "name": "table",
        "source": {"kind": "upload", "file": "table.csv", "sha256": SHA256},
    }


def test_what_is_told_of_a_file_is_sent(api: ClientKind, file: Path) -> None:
    ready = httpx.Response(200, json=document("ready", 12, SHA256))
    client, script = api.client(httpx.Response(201, json=document()), ready)
    client.datasets.add(file, name="mine", format="csv", target="a", types={"a": "text"})
    body = json.loads(script.requests[0].content)
    assert body["name"] == "mine"
    assert body["source"] == {
        "kind": "upload",
        "file": "table.csv",
        "sha256": SHA256,
        "format": "csv",
        "target": "a",
        "types": {"a": "text"},
    }


def test_what_the_service_has_is_not_sent(api: ClientKind, file: Path) -> None:
    ready = document("ready", 12, SHA256)
    client, script = api.client(httpx.Response(201, json=ready), httpx.Response(200, json=ready))
    assert client.datasets.add(file).status == "ready"
    assert sent(script) == []


def test_adding_again_asks_for_the_same_data_set(api: ClientKind, file: Path) -> None:
    ready = document("ready", 12, SHA256)
    client, script = api.client(*[httpx.Response(200, json=ready)] * 6)
    for name in (None, None, "other"):
        client.datasets.add(file, name=name)
    keys = [request.headers["Idempotency-Key"] for request in script.requests if request.method == "POST"]
    assert keys[0] == keys[1] != keys[2]


def test_one_that_was_deleted_is_made_anew(api: ClientKind, file: Path) -> None:
    ready = httpx.Response(200, json=document("ready", 12, SHA256))
    created = httpx.Response(201, json=document())
    client, script = api.client(created, problem_response(404, "not_found"), created, ready)
    assert client.datasets.add(file).status == "ready"
    keys = [request.headers["Idempotency-Key"] for request in script.requests if request.method == "POST"]
    assert keys[0] != keys[1]


def packed_by(
    api: ClientKind, client_answers: tuple[Any, ...], *paths: Path
) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Return what an archive of files held when it was sent, and how it was registered."""
    client, script = api.client(*client_answers)
    client.datasets.add(*paths)
    (put,) = [request for request in script.requests if request.method == "PUT"]
    with zipfile.ZipFile(BytesIO(put.content)) as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    source = json.loads(script.requests[0].content)["source"]
    assert source["sha256"] == hashlib.sha256(put.content).hexdigest()
    return held, source


def answers() -> tuple[Any, ...]:
    return httpx.Response(201, json=document()), httpx.Response(200, json=document()), answer(200, 12, "ready")


@pytest.mark.parametrize(
    ("names", "held"),
    [
        (("train.csv", "test.csv"), {"train.csv", "test.csv"}),
        (("test.csv", "train.csv"), {"train.csv", "test.csv"}),
        (("a.csv", "b.csv"), {"train.csv", "test.csv"}),
        (("train.tsv", "val.tsv"), {"train.tsv", "val.tsv"}),
        (
            (
                "train-images-idx3-ubyte.gz",
                "train-labels-idx1-ubyte.gz",
                "t10k-images-idx3-ubyte",
                "t10k-labels-idx1-ubyte",
            ),
            {
                "train-images-idx3-ubyte.gz",
                "train-labels-idx1-ubyte.gz",
                "t10k-images-idx3-ubyte",
                "t10k-labels-idx1-ubyte",
            },
        ),
    ],
)
def test_several_files_are_one_archive(api: ClientKind, tmp_path: Path, names: tuple[str, ...], held: set[str]) -> None:
    paths = [tmp_path / name for name in names]
    for path in paths:
        path.write_text(path.name)
    found, source = packed_by(api, answers(), *paths)
    assert set(found) == held
    assert source["file"] == f"{tmp_path.name}.zip"
    if names[0] == "a.csv":
        assert found == {"train.csv": b"a.csv", "test.csv": b"b.csv"}
    again = packed_by(api, answers(), *paths)[1]
    assert again == source  # the same bytes


def test_a_folder_is_one_archive(api: ClientKind, tmp_path: Path) -> None:
    for name in ("pets/cat/1.png", "pets/dog/2.png", "pets/.DS_Store"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    found, source = packed_by(api, answers(), tmp_path / "pets")
    assert set(found) == {"cat/1.png", "dog/2.png"}
    assert source["file"] == "pets.zip"


def test_files_that_are_no_splits_are_refused(api: ClientKind, tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a.csv", "b.csv", "c.csv")]
    for path in paths:
        path.write_text("x")
    (tmp_path / "empty").mkdir()
    client, _ = api.client()
    for given in (paths, [tmp_path / "empty"], [paths[0], tmp_path / "empty"], [tmp_path / "nowhere.csv"]):
        with pytest.raises(InvalidData):
            client.datasets.add(*given)


def test_content_is_downloaded_and_compared(api: ClientKind, tmp_path: Path) -> None:
    ready = document("ready", 12, SHA256) | {"source": {"kind": "upload", "file": "table.csv", "format": "csv"}}
    client, script = api.client(httpx.Response(200, json=ready), httpx.Response(200, content=CONTENT))
    path = client.datasets.download("ds_1", tmp_path / "here")
    assert (path.name, path.read_bytes()) == ("table.csv", CONTENT)
    assert script.requests[-1].url.path == "/v1/datasets/ds_1/content"


@pytest.mark.parametrize(("file_name", "name"), [(None, "ds_1.csv"), ("../evil", "ds_1.csv"), ("a/b.csv", "ds_1.csv")])
def test_a_download_is_put_where_it_is_wanted(
    api: ClientKind, tmp_path: Path, file_name: str | None, name: str
) -> None:
    ready = document("ready", 12, SHA256) | {"source": {"kind": "upload", "file": file_name, "format": "csv"}}
    client, _ = api.client(httpx.Response(200, json=ready), httpx.Response(200, content=CONTENT))
    assert client.datasets.download("ds_1", tmp_path / "here") == tmp_path / "here" / name


def test_what_has_no_content_is_not_downloaded(api: ClientKind, tmp_path: Path) -> None:
    for told in (document() | {"source": {"kind": "upload"}}, document("ready") | {"source": {"kind": "builtin"}}):
        client, _ = api.client(httpx.Response(200, json=told))
        with pytest.raises(InvalidData):
            client.datasets.download("ds_1", tmp_path)


def test_lists_are_filtered(api: ClientKind) -> None:
    client, script = api.client(httpx.Response(200, json={"items": [document()], "has_more": False}))
    assert [item.id for item in client.datasets.list(status="ready", name="x")] == ["ds_1"]
    assert dict(script.requests[0].url.params) == {"status": "ready", "name": "x"}


def test_an_upload_goes_on_where_the_service_is(api: ClientKind, file: Path) -> None:
    client, script = api.client(httpx.Response(200, json=document(received=5)), answer(200, 12, "ready"))
    client.datasets.upload("ds_1", file)
    assert sent(script) == [("bytes 5-11/12", CONTENT[5:])]


@pytest.mark.parametrize(("status", "code"), [(408, "body_timeout"), (503, "overloaded")])
def test_a_piece_that_was_not_taken_is_sent_again(api: ClientKind, file: Path, status: int, code: str) -> None:
    """After 408 and 503 the service has kept nothing of the piece."""
    refused = problem_response(status, code, headers={"Connection": "close"})
    client, script = api.client(httpx.Response(200, json=document()), refused, answer(200, 12, "ready"))
    client.datasets.upload("ds_1", file)
    assert sent(script) == [("bytes 0-11/12", CONTENT)] * 2


def test_a_whole_that_lacks_only_its_end_is_finished(api: ClientKind, file: Path) -> None:
    client, script = api.client(httpx.Response(200, json=document(received=12)), answer(200, 12, "ready"))
    client.datasets.upload("ds_1", file)
    assert sent(script) == [("bytes */12", b"")]


def test_a_lost_answer_to_a_piece_costs_nothing(api: ClientKind, file: Path) -> None:
    client, script = api.client(
        httpx.Response(200, json=document()),
        problem_response(409, "wrong_offset"),
        httpx.Response(200, json=document(received=6)),
        answer(200, 12, "ready"),
    )
    client.datasets.upload("ds_1", file)
    assert sent(script)[-1] == ("bytes 6-11/12", CONTENT[6:])


def test_a_lost_answer_to_the_last_piece_costs_nothing(api: ClientKind, file: Path) -> None:
    ready = httpx.Response(200, json=document("ready", 12, SHA256))
    client, _ = api.client(httpx.Response(200, json=document()), problem_response(409, "state_forbids"), ready)
    assert client.datasets.upload("ds_1", file).status == "ready"


def test_other_content_does_not_replace_what_is_ready(api: ClientKind, file: Path) -> None:
    ready = httpx.Response(200, json=document("ready", 12, "0" * 64))
    client, _ = api.client(ready, problem_response(409, "state_forbids"), ready)
    with pytest.raises(Conflict):
        client.datasets.upload("ds_1", file)


def test_content_with_problems_is_told(api: ClientKind, file: Path) -> None:
    errors = [{"pointer": "/2", "code": "not_a_number", "detail": "line 2", "hint": ""}]
    client, _ = api.client(httpx.Response(200, json=document()), problem_response(422, "invalid_input", errors=errors))
    with pytest.raises(InvalidRequest, match="line 2"):
        client.datasets.upload("ds_1", file)


@pytest.mark.parametrize("named", [{"builtin": "digits"}, {"torchvision": "MNIST"}])
def test_a_name_is_registered(api: ClientKind, named: dict[str, str]) -> None:
    client, script = api.client(httpx.Response(201, json=document("ready")))
    assert client.datasets.add(**named).status == "ready"  # type: ignore[arg-type]
    assert b'"upload"' not in script.requests[0].content


def test_one_source_is_wanted(api: ClientKind, file: Path) -> None:
    client, _ = api.client()
    with pytest.raises(InvalidData):
        client.datasets.add()
    with pytest.raises(InvalidData):
        client.datasets.add(file, builtin="digits")


def test_a_proposal_is_requested_with_what_is_said(api: ClientKind) -> None:
    reply = {"spec": {"name": "x"}, "reasons": [{"pointer": "", "text": "Why."}], "warnings": []}
    client, script = api.client(*(httpx.Response(200, json=reply) for _ in range(2)))
    proposal = client.datasets.propose("ds_1", "y", loss="L1Loss")
    assert (proposal.spec, proposal.reasons, proposal.warnings) == ({"name": "x"}, tuple(reply["reasons"]), ())
    client.datasets.propose("ds_1")
    assert [json.loads(request.content) for request in script.requests] == [{"target": "y", "loss": "L1Loss"}, {}]
