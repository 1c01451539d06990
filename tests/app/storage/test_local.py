"""What a directory adds to the contract: nothing half-written is ever visible, and a full disk has its own error."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from app.errors import StorageFull
from app.storage.local import LocalStore

KILLED_IN_THE_MIDDLE = """
import os, signal, sys
from pathlib import Path
from app.storage.local import LocalStore

def pieces():
    yield b"x" * 1000
    os.kill(os.getpid(), signal.SIGKILL)

LocalStore(Path(sys.argv[1]))._put("a/b", pieces())
"""


def failing(code: int) -> Callable[..., None]:
    def fail(*arguments: object) -> None:
        raise OSError(code, os.strerror(code))

    return fail


def test_a_put_killed_in_the_middle_leaves_nothing_visible(tmp_path: Path) -> None:
    root = tmp_path / "store"
    done = subprocess.run([sys.executable, "-c", KILLED_IN_THE_MIDDLE, str(root)], check=False)
    assert done.returncode == -9
    store = LocalStore(root)
    assert list(store.keys("")) == []
    leftover = next((root / ".incoming").iterdir())
    assert leftover.stat().st_size == 1000
    os.utime(leftover, (0, 0))
    LocalStore(root)  # a later start removes what is certainly dead
    assert not leftover.exists()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_told_as_such_and_cleaned_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    store = LocalStore(tmp_path)
    monkeypatch.setattr(os, "fsync", failing(code))
    with pytest.raises(StorageFull, match="no room"):
        store.put_bytes("a/b", b"x")
    assert list(store.keys("")) == []
    assert list((tmp_path / ".incoming").iterdir()) == []


def test_another_failure_keeps_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = LocalStore(tmp_path)
    monkeypatch.setattr(os, "fsync", failing(errno.EIO))
    with pytest.raises(OSError, match="Input/output") as raised:
        store.put_bytes("a", b"x")
    assert raised.type is OSError
    assert list(store.keys("")) == []


def test_everything_is_synced_before_a_put_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = LocalStore(tmp_path)
    synced: list[tuple[str, bool]] = []
    real = os.fsync

    def note(descriptor: int) -> None:
        path = os.readlink(f"/proc/self/fd/{descriptor}")
        synced.append((path, (tmp_path / "a" / "b").exists()))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    store.put_bytes("a/b", b"x")
    assert ".incoming" in synced[0][0]  # the content, before the file has its name
    assert not synced[0][1]
    assert (str(tmp_path), False) in synced  # the entry of the new folder
    assert synced[-1] == (str(tmp_path / "a"), True)  # the entry of the file


def test_emptied_folders_are_removed(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.put_bytes("jobs/a/1/x", b"x")
    store.put_bytes("jobs/b/1/x", b"x")
    store.delete("jobs/a/1/x")
    assert not (tmp_path / "jobs" / "a").exists()
    assert (tmp_path / "jobs" / "b").exists()


def test_a_folder_that_is_removed_while_it_is_made_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """mkdir finds the folder there, and when it looks whether that is one a delete has removed it."""
    store, make, races = LocalStore(tmp_path), Path.mkdir, [1, 2]

    def raced(path: Path, *args: object, **options: object) -> None:
        if races:
            races.pop()
            raise FileExistsError(errno.EEXIST, "File exists", str(path))
        make(path, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "mkdir", raced)
    store.put_bytes("shared/deep/file", b"x")
    assert b"".join(store.read("shared/deep/file")) == b"x"


def test_a_file_where_a_folder_should_be_is_an_error(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.put_bytes("a", b"x")
    with pytest.raises((FileExistsError, NotADirectoryError)):
        store.put_bytes("a/b", b"y")
    assert list(store.keys("")) == ["a"]
