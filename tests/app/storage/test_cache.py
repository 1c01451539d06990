"""Copies of stored files: verified, shared, bounded."""

import hashlib
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from app.errors import CorruptCheckpoint, NotFound
from app.storage.cache import ArtifactCache
from app.storage.protocol import ArtifactStore


@pytest.fixture
def fetched(store: ArtifactStore, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys that were fetched, in order."""
    keys: list[str] = []
    real = type(store).fetch

    def fetch(self: Any, key: str, target: Path) -> Path:
        keys.append(key)
        return real(self, key, target)

    monkeypatch.setattr(type(store), "fetch", fetch)
    return keys


def stored(store: ArtifactStore, name: str, content: bytes) -> Mapping[str, Any]:
    store.put_bytes(name, content)
    return {"path": name, "sha256": hashlib.sha256(content).hexdigest()}


def complete_files(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_file()]


def test_a_file_is_fetched_once(store: ArtifactStore, fetched: list[str], tmp_path: Path) -> None:
    copies = ArtifactCache(tmp_path / "cache", 100)
    files = [stored(store, "a", b"one"), stored(store, "b", b"two")]
    for _ in range(3):
        with copies.local_files(store, files) as paths:
            assert [path.read_bytes() for path in paths] == [b"one", b"two"]
    assert fetched == ["a", "b"]


def test_threads_fetch_a_file_once(store: ArtifactStore, fetched: list[str], tmp_path: Path) -> None:
    copies, file, found = ArtifactCache(tmp_path / "cache", 100), stored(store, "a", b"one"), list[bytes]()

    def look() -> None:
        with copies.local_files(store, [file]) as (path,):
            found.append(path.read_bytes())

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [b"one"] * 8
    assert fetched == ["a"]


def test_what_is_not_what_was_stored_is_refused(store: ArtifactStore, tmp_path: Path) -> None:
    copies = ArtifactCache(tmp_path / "cache", 100)
    damaged = stored(store, "a", b"one") | {"sha256": "0" * 64}
    with pytest.raises(CorruptCheckpoint), copies.local_files(store, [damaged]):
        pass
    with pytest.raises(NotFound), copies.local_files(store, [{"path": "gone", "sha256": "1" * 64}]):
        pass
    assert not complete_files(tmp_path / "cache")


class TestOfTheStoresOwnFiles:
    @pytest.fixture
    def store_location(self, tmp_path: Path) -> tuple[str, dict[str, Any]]:
        return str(tmp_path / "artifacts"), {}

    def test_nothing_is_copied(self, store: ArtifactStore, tmp_path: Path) -> None:
        copies = ArtifactCache(tmp_path / "cache", 0)
        with copies.local_files(store, [stored(store, "a", b"one")]) as (path,):
            assert path == tmp_path / "artifacts" / "a"
        assert not complete_files(tmp_path / "cache")

    def test_one_that_has_changed_is_looked_at_again(self, store: ArtifactStore, tmp_path: Path) -> None:
        copies, file = ArtifactCache(tmp_path / "cache", 0), stored(store, "a", b"one")
        with copies.local_files(store, [file]) as (path,):
            pass
        path.write_bytes(b"other")
        with pytest.raises(CorruptCheckpoint), copies.local_files(store, [file]):
            pass
        path.unlink()
        with pytest.raises(NotFound), copies.local_files(store, [file]):
            pass


class TestOfAStoreElsewhere:
    @pytest.fixture
    def store_location(self, s3_options: dict[str, str], tmp_path: Path) -> tuple[str, dict[str, Any]]:
        return f"s3://graftwerk/{tmp_path.name}", s3_options

    def test_the_least_recently_used_goes_first(self, store: ArtifactStore, tmp_path: Path) -> None:
        copies, folder = ArtifactCache(tmp_path / "cache", 10), tmp_path / "cache"
        files = {name: stored(store, name, name.encode() * 4) for name in "abc"}
        for age, name in enumerate("bab"):
            with copies.local_files(store, [files[name]]) as (path,):
                os.utime(path, (age, age))
        with copies.local_files(store, [files["c"]]):
            pass
        assert {path.name for path in complete_files(folder)} == {files[name]["sha256"] for name in "bc"}

    def test_what_is_in_use_stays(self, store: ArtifactStore, tmp_path: Path) -> None:
        copies, folder = ArtifactCache(tmp_path / "cache", 0), tmp_path / "cache"
        first, second = stored(store, "a", b"one"), stored(store, "b", b"two")
        with copies.local_files(store, [first]) as (path,), copies.local_files(store, [second]):
            assert path.read_bytes() == b"one"
        with copies.local_files(store, [stored(store, "c", b"three")]) as (third,):
            assert complete_files(folder) == [third]
