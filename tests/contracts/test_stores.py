"""What every store promises."""

import hashlib
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.errors import NotFound
from app.storage.protocol import ArtifactStore, StoredFile

BIG = bytes(range(256)) * (12 << 12)  # 12 MiB: more than one part, not a multiple of a piece


def content(store: ArtifactStore, key: str, start: int = 0, stop: int | None = None) -> bytes:
    return b"".join(store.read(key, start, stop))


@pytest.mark.parametrize("body", [b"", b"weights", BIG + b"tail"], ids=["empty", "small", "large"])
def test_what_is_put_can_be_read(store: ArtifactStore, tmp_path: Path, body: bytes) -> None:
    source = tmp_path / "source"
    source.write_bytes(body)
    expected = hashlib.sha256(body).hexdigest()
    assert store.put_bytes("jobs/a/one.bin", body) == StoredFile("jobs/a/one.bin", len(body), expected)
    assert store.put_file("jobs/a/two.bin", source) == StoredFile("jobs/a/two.bin", len(body), expected)
    for key in ("jobs/a/one.bin", "jobs/a/two.bin"):
        assert store.size(key) == len(body)
        assert content(store, key) == body
        assert store.fetch(key, tmp_path / "fetched").read_bytes() == body


def test_pieces_are_small(store: ArtifactStore) -> None:
    store.put_bytes("big", BIG)
    assert max(len(piece) for piece in store.read("big")) <= 1 << 20


@pytest.mark.parametrize(
    ("start", "stop", "expected"),
    [
        (0, 1, b"0"),
        (3, 6, b"345"),
        (9, 10, b"9"),
        (5, None, b"56789"),
        (0, 99, b"0123456789"),
        (10, None, b""),
        (4, 4, b""),
        (20, 30, b""),
    ],
)
def test_ranges(store: ArtifactStore, start: int, stop: int | None, expected: bytes) -> None:
    store.put_bytes("digits", b"0123456789")
    assert content(store, "digits", start, stop) == expected


def test_a_range_over_the_border_of_pieces(store: ArtifactStore) -> None:
    store.put_bytes("big", BIG)
    start, stop = (1 << 20) - 3, (2 << 20) + 5
    assert content(store, "big", start, stop) == BIG[start:stop]


def test_a_missing_key_is_not_found(store: ArtifactStore, tmp_path: Path) -> None:
    store.put_bytes("a/b", b"x")
    for key in ("nothing", "a", "a/b/c"):
        with pytest.raises(NotFound):
            store.size(key)
        with pytest.raises(NotFound):
            store.read(key)  # at once, not at the first piece
        with pytest.raises(NotFound):
            store.fetch(key, tmp_path / "fetched")
    assert not (tmp_path / "fetched").exists()


def test_a_deleted_file_is_gone_and_may_be_deleted_again(store: ArtifactStore) -> None:
    store.put_bytes("a/b", b"x")
    store.delete("a/b")
    store.delete("a/b")
    for never in ("never/was", "a/b/c"):
        store.delete(never)
    with pytest.raises(NotFound):
        store.size("a/b")
    assert list(store.keys("")) == []


def test_a_second_put_replaces_the_first(store: ArtifactStore) -> None:
    store.put_bytes("a", b"first, and longer")
    store.put_bytes("a", b"second")
    assert content(store, "a") == b"second"


def test_keys_are_listed_by_prefix(store: ArtifactStore) -> None:
    for key in ("jobs/a/1/x", "jobs/a/1/y", "jobs/ab/1/x", "other"):
        store.put_bytes(key, b"x")
    assert sorted(store.keys("jobs/a/")) == ["jobs/a/1/x", "jobs/a/1/y"]
    assert sorted(store.keys("jobs/a")) == ["jobs/a/1/x", "jobs/a/1/y", "jobs/ab/1/x"]
    assert sorted(store.keys("")) == ["jobs/a/1/x", "jobs/a/1/y", "jobs/ab/1/x", "other"]
    assert list(store.keys("nothing/")) == []


@pytest.mark.parametrize(
    "key", ["", "/etc/passwd", "../x", "a/../b", "a//b", "a/.hidden", "./a", "a/", "a\\b", "ä", "a\n"]
)
def test_a_key_that_is_no_plain_path_is_refused(store: ArtifactStore, key: str) -> None:
    with pytest.raises(ValueError, match="not a key"):
        store.put_bytes(key, b"x")
    with pytest.raises(ValueError, match="not a key"):
        store.read(key)
    with pytest.raises(ValueError, match="not a key"):
        store.delete(key)


def test_concurrent_puts_under_one_key_leave_one_of_them_whole(store: ArtifactStore) -> None:
    bodies = [bytes([number]) * (1 << 18) for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda body: store.put_bytes("a/b/c", body), bodies))
    assert content(store, "a/b/c") in bodies
    assert list(store.keys("")) == ["a/b/c"]


def test_puts_beside_deletes_in_one_folder_all_arrive(store: ArtifactStore) -> None:
    def write(number: int) -> None:
        store.put_bytes(f"folder/{number}/kept", b"x")
        store.put_bytes(f"folder/{number}/dropped/deep", b"x")
        store.delete(f"folder/{number}/dropped/deep")
        store.put_bytes("shared/deep/file", b"x")
        store.delete("shared/deep/file")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(16)))
    assert sorted(store.keys("folder/")) == sorted(f"folder/{number}/kept" for number in range(16))


def test_young_files_are_told_from_old_ones(store: ArtifactStore) -> None:
    store.put_bytes("a/b", b"x")
    assert list(store.keys("a/", older=60.0)) == []
    time.sleep(1.1)  # S3 counts whole seconds
    assert list(store.keys("a/", older=0.1)) == ["a/b"]
    store.remove_temporary_files()
    assert list(store.keys("")) == ["a/b"]
