"""What an S3-compatible store says when it has no room, and when it is broken."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from app.errors import StorageFull, Unavailable
from app.storage.catalog import open_store
from app.storage.protocol import ArtifactStore

Refusing = Callable[[int, str], ArtifactStore]


@pytest.fixture
def refusing() -> Iterator[Refusing]:
    """A function that returns a store which answers every request with a status and a code of S3's."""
    servers = []

    def store(status: int, code: str) -> ArtifactStore:
        answer = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>no</Message></Error>".encode()

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        options = {
            "endpoint": f"http://127.0.0.1:{server.server_port}",
            "region": "us-east-1",
            "access_key_id": "a",
            "secret_access_key": "b",
        }
        return open_store("s3://bucket", options)

    yield store
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (507, "XMinioStorageFull", StorageFull),
        (403, "QuotaExceeded", StorageFull),
        (409, "XMinioAdminBucketQuotaExceeded", StorageFull),
        (507, "", StorageFull),
        (500, "InternalError", Unavailable),
        (403, "AccessDenied", Unavailable),
    ],
)
def test_want_of_room_is_told_from_other_refusals(
    refusing: Refusing, status: int, code: str, error: type[Exception]
) -> None:
    with pytest.raises(error) as raised:
        refusing(status, code).put_bytes("a/b", b"x")
    assert type(raised.value) is error
