import hashlib
from pathlib import Path

import httpx
import pytest

from graftwerk.errors import CorruptDownload, NotFound
from graftwerk.http.downloads import download
from graftwerk.types import File
from tests.graftwerk.client_kinds import ClientKind
from tests.graftwerk.scripted_transport import ChunkedStream, ScriptedTransport, problem_response

CONTENT = bytes(range(256)) * 40
FILE = File("weights.pth", len(CONTENT), hashlib.sha256(CONTENT).hexdigest())


def serve(request: httpx.Request, content: bytes = CONTENT, breaks_after: int | None = None) -> httpx.Response:
    """Answer as the service does, optionally breaking off after some bytes."""
    start = 0
    etag = f'"{hashlib.sha256(content).hexdigest()}"'
    if "Range" in request.headers and request.headers.get("If-Range") == etag:
        start = int(request.headers["Range"].removeprefix("bytes=").rstrip("-"))
        if start >= len(content):
            return problem_response(416, "range")
    body = content[start:]
    stream = ChunkedStream(body) if breaks_after is None else ChunkedStream(body[:breaks_after], broken=True)
    return httpx.Response(206 if start else 200, stream=stream, headers={"ETag": etag})


def test_a_download_goes_on_where_it_broke_off(api: ClientKind, tmp_path: Path) -> None:
    script = ScriptedTransport(
        lambda request: serve(request, breaks_after=3000),
        httpx.ConnectError("restarting"),
        lambda request: serve(request, breaks_after=5000),
        serve,
    )
    transport = api.transport(script)
    told: list[int] = []
    path = api.run(download(transport, "/f", FILE, tmp_path / "new", told.append))
    assert path.read_bytes() == CONTENT
    assert [request.headers.get("Range") for request in script.requests] == [
        None,
        "bytes=3000-",
        "bytes=3000-",
        "bytes=8000-",
    ]
    assert told == sorted(told)
    assert told[-1] == len(CONTENT)
    assert [entry.name for entry in path.parent.iterdir()] == ["weights.pth"]


def test_a_whole_file_is_not_fetched_again(api: ClientKind, tmp_path: Path) -> None:
    (tmp_path / FILE.name).write_bytes(CONTENT)
    script = ScriptedTransport()
    transport = api.transport(script)
    api.run(download(transport, "/f", FILE, tmp_path))
    assert script.requests == []


def test_a_part_of_an_older_file_is_thrown_away(api: ClientKind, tmp_path: Path) -> None:
    (tmp_path / "weights.pth.part").write_bytes(b"older" * 100)
    transport = api.transport(ScriptedTransport(serve, serve))
    assert api.run(download(transport, "/f", FILE, tmp_path)).read_bytes() == CONTENT


def test_a_part_longer_than_the_file_is_thrown_away(api: ClientKind, tmp_path: Path) -> None:
    (tmp_path / "weights.pth.part").write_bytes(CONTENT + b"more")
    transport = api.transport(ScriptedTransport(serve))
    assert api.run(download(transport, "/f", FILE, tmp_path)).read_bytes() == CONTENT


def test_a_damaged_file_never_gets_its_name(api: ClientKind, tmp_path: Path) -> None:
    wrong = CONTENT[:-1] + b"x"
    transport = api.transport(ScriptedTransport(*[lambda request: serve(request, wrong)] * 2))
    (tmp_path / FILE.name).write_bytes(b"what was there")
    with pytest.raises(CorruptDownload, match="SHA-256"):
        api.run(download(transport, "/f", FILE, tmp_path))
    assert (tmp_path / FILE.name).read_bytes() == b"what was there"
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "", ".."])
def test_a_file_stays_in_its_folder(api: ClientKind, tmp_path: Path, name: str) -> None:
    transport = api.transport(ScriptedTransport(serve))
    with pytest.raises(CorruptDownload, match="plain file name"):
        api.run(download(transport, "/f", File(name, 1, ""), tmp_path / "in"))


def test_a_file_that_is_gone_is_told(api: ClientKind, tmp_path: Path) -> None:
    transport = api.transport(ScriptedTransport(problem_response(404, "not_found")))
    with pytest.raises(NotFound):
        api.run(download(transport, "/f", FILE, tmp_path))


def test_an_empty_file(api: ClientKind, tmp_path: Path) -> None:
    empty = File("empty", 0, hashlib.sha256(b"").hexdigest())
    transport = api.transport(ScriptedTransport(lambda request: serve(request, b"")))
    assert api.run(download(transport, "/f", empty, tmp_path)).read_bytes() == b""
