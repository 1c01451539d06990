"""Which address opens which store, and what an S3 server that is away looks like."""

import socket
from pathlib import Path

import pytest

from app.errors import Unavailable
from app.storage.catalog import open_store
from app.storage.local import LocalStore
from app.storage.s3 import S3Store


def test_a_directory(tmp_path: Path) -> None:
    for url in (str(tmp_path / "a"), f"file://{tmp_path / 'b'}"):
        store = open_store(url, {})
        assert isinstance(store, LocalStore)
        store.put_bytes("x", b"1")
    assert (tmp_path / "a" / "x").read_bytes() == (tmp_path / "b" / "x").read_bytes() == b"1"


@pytest.mark.parametrize("url", ["gs://bucket", "https://example.org/x"])
def test_another_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="s3://bucket/prefix"):
        open_store(url, {})


def test_an_s3_server_that_is_away_is_unavailable() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        options = {
            "endpoint": f"http://127.0.0.1:{closed.getsockname()[1]}",
            "region": "us-east-1",
            "access_key_id": "a",
            "secret_access_key": "b",
        }
        store = open_store("s3://bucket", options)
        assert isinstance(store, S3Store)
        with pytest.raises(Unavailable):
            store.size("x")
