"""Data sets over a script of answers: what is sent, and what a lost answer changes."""

import hashlib
from pathlib import Path
from typing import Any

import httpx
import pytest

from graftwerk import datasets
from graftwerk.client import Client
from graftwerk.errors import Conflict, InvalidRequest, NotData
from tests.graftwerk.fake import URL, Script, problem

CONTENT = b"a,y\n1,2\n3,4\n"


def document(status: str = "awaiting_content", received: int = 0, sha256: str | None = None) -> dict[str, Any]:
    return {"id": "ds_1", "name": "table", "status": status, "received": received, "sha256": sha256}


def answer(status: int, received: int, told: str = "awaiting_content") -> httpx.Response:
    return httpx.Response(status, json=document(told, received), headers={"Upload-Offset": str(received)})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "table.csv"
    path.write_bytes(CONTENT)
    return path


def client_for(*answers: Any) -> tuple[Client, Script]:
    script = Script(*answers)
    client = Client(URL, "gw_test", transport=script)
    client.transport.pause = lambda seconds: None
    return client, script


def sent(script: Script) -> list[tuple[str, bytes]]:
    puts = [request for request in script.requests if request.method == "PUT"]
    return [(request.headers["Content-Range"], request.content) for request in puts]


def test_a_file_is_registered_and_sent_in_pieces(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "PIECE", 8)
    client, script = client_for(
        httpx.Response(201, json=document()),
        httpx.Response(200, json=document()),
        answer(202, 8),
        answer(200, 12, "ready"),
    )
    told: list[tuple[int, int]] = []
    made = client.datasets.add(file, told=lambda have, size: told.append((have, size)))
    assert made.status == "ready"
    assert sent(script) == [("bytes 0-7/12", CONTENT[:8]), ("bytes 8-11/12", CONTENT[8:])]
    assert told == [(8, 12), (12, 12)]


def test_an_upload_goes_on_where_the_service_is(file: Path) -> None:
    client, script = client_for(httpx.Response(200, json=document(received=5)), answer(200, 12, "ready"))
    client.datasets.upload("ds_1", file)
    assert sent(script) == [("bytes 5-11/12", CONTENT[5:])]


def test_a_whole_that_lacks_only_its_end_is_finished(file: Path) -> None:
    client, script = client_for(httpx.Response(200, json=document(received=12)), answer(200, 12, "ready"))
    client.datasets.upload("ds_1", file)
    assert sent(script) == [("bytes */12", b"")]


def test_a_lost_answer_to_a_piece_costs_nothing(file: Path) -> None:
    client, script = client_for(
        httpx.Response(200, json=document()),
        problem(409, "wrong_offset"),
        httpx.Response(200, json=document(received=6)),
        answer(200, 12, "ready"),
    )
    client.datasets.upload("ds_1", file)
    assert sent(script)[-1] == ("bytes 6-11/12", CONTENT[6:])


def test_a_lost_answer_to_the_last_piece_costs_nothing(file: Path) -> None:
    digest = hashlib.sha256(CONTENT).hexdigest()
    ready = httpx.Response(200, json=document("ready", 12, digest))
    client, _ = client_for(httpx.Response(200, json=document()), problem(409, "state_forbids"), ready)
    assert client.datasets.upload("ds_1", file).status == "ready"


def test_other_content_does_not_replace_what_is_ready(file: Path) -> None:
    ready = httpx.Response(200, json=document("ready", 12, "0" * 64))
    client, _ = client_for(ready, problem(409, "state_forbids"), ready)
    with pytest.raises(Conflict):
        client.datasets.upload("ds_1", file)


def test_content_with_problems_is_told(file: Path) -> None:
    errors = [{"pointer": "/2", "code": "not_a_number", "detail": "line 2", "hint": ""}]
    client, _ = client_for(httpx.Response(200, json=document()), problem(422, "invalid_input", errors=errors))
    with pytest.raises(InvalidRequest, match="line 2"):
        client.datasets.upload("ds_1", file)


@pytest.mark.parametrize("named", [{"builtin": "digits"}, {"torchvision": "MNIST"}])
def test_a_name_is_registered(named: dict[str, str]) -> None:
    client, script = client_for(httpx.Response(201, json=document("ready")))
    assert client.datasets.add(**named).status == "ready"  # type: ignore[arg-type]
    assert b'"upload"' not in script.requests[0].content


def test_one_source_is_wanted(file: Path) -> None:
    client, _ = client_for()
    for given in ({}, {"path": file, "builtin": "digits"}, {"path": file.with_suffix(".txt")}):
        with pytest.raises(NotData):
            client.datasets.add(**given)  # type: ignore[arg-type]
