"""Content is stored once for every owner, and is there as long as a data set has it: on both databases and stores."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from app.datasets import registry, uploads
from app.datasets.uploads import DatasetContent
from app.db.session import Database
from app.db.tables import DatasetRow
from app.ids import new_id
from app.spec.data.sources import BUILTIN_SCHEMAS, NewDataset
from app.storage.protocol import ArtifactStore
from app.storage.removal import remove_files

BODY = b"a,y\n1,2\n"
SHA256 = hashlib.sha256(BODY).hexdigest()


def register(database: Database, owner: str = "anna", **source: Any) -> DatasetRow:
    new = NewDataset.model_validate({"name": "rows", "source": {"kind": "upload"} | source})
    return database.run(registry.register, owner, new)


def uploaded(database: Database, store: ArtifactStore, owner: str = "anna", **source: Any) -> DatasetRow:
    """Register a data set and give it its content, as a request does."""
    key = f"contents/{SHA256}/{new_id('content')}"
    store.put_bytes(key, BODY)
    content = DatasetContent(BUILTIN_SCHEMAS["iris"], [{"a": 1}], "csv", key, len(BODY), SHA256)
    row, superfluous = database.run(uploads.accept, owner, register(database, owner, **source).id, content)
    remove_files(store, superfluous)
    return row


def delete(database: Database, store: ArtifactStore, row: DatasetRow) -> None:
    remove_files(store, database.run(registry.delete, row.owner, row.id))


def held(store: ArtifactStore, row: DatasetRow) -> bytes:
    assert row.path is not None
    return b"".join(store.read(row.path))


def test_equal_content_of_an_owner_is_one_file(database: Database, store: ArtifactStore) -> None:
    first, second, third = (uploaded(database, store) for _ in range(3))
    assert first.path == second.path == third.path
    assert list(store.keys("")) == [first.path]
    for row in (first, third):
        delete(database, store, row)
        assert held(store, second) == BODY
    delete(database, store, second)
    assert list(store.keys("")) == []
    assert held(store, uploaded(database, store)) == BODY  # and again


def test_owners_share_nothing(database: Database, store: ArtifactStore) -> None:
    annas, berts = uploaded(database, store), uploaded(database, store, "bert")
    assert annas.path != berts.path
    delete(database, store, annas)
    assert held(store, berts) == BODY
    assert register(database, sha256=SHA256).status == "awaiting_content"
    assert register(database, "bert", sha256=SHA256).status == "ready"


@pytest.mark.parametrize(
    ("source", "status"),
    [
        ({}, "ready"),
        ({"format": "csv"}, "ready"),
        ({"file": "a.csv"}, "ready"),
        ({"types": {}}, "ready"),
        ({"format": "tsv"}, "awaiting_content"),
        ({"target": "a"}, "awaiting_content"),
        ({"types": {"a": "text"}}, "awaiting_content"),
        ({"encoding": "windows-1252"}, "awaiting_content"),
        ({"background": "black"}, "awaiting_content"),
        ({"file": "a.tsv"}, "awaiting_content"),
    ],
)
def test_content_that_is_told_and_there_need_not_be_sent(
    database: Database, store: ArtifactStore, source: dict[str, Any], status: str
) -> None:
    first = uploaded(database, store)
    second = register(database, sha256=SHA256, **source)
    assert second.status == status
    if status == "ready":
        assert (second.path, second.size, second.sha256) == (first.path, len(BODY), SHA256)
        assert (second.data_schema, second.preview) == (first.data_schema, first.preview)
        assert second.source["format"] == "csv"
        delete(database, store, first)
        assert held(store, second) == BODY


@pytest.mark.parametrize(
    ("first", "second", "status"),
    [
        ({"format": "csv"}, {}, "awaiting_content"),  # what would be detected is not known
        ({"file": "a.csv"}, {"file": "a.txt"}, "awaiting_content"),
        ({"file": "a.csv"}, {"file": "b.csv"}, "ready"),
        ({"format": "csv", "file": "a.txt"}, {"file": "b.csv"}, "ready"),
        ({"file": "a.txt"}, {"file": "b.dat"}, "ready"),
        ({"encoding": "koi8-r"}, {"encoding": "koi8-r"}, "ready"),
        ({"encoding": "koi8-r"}, {}, "awaiting_content"),
    ],
)
def test_equal_content_is_read_again_if_it_may_mean_something_else(
    database: Database, store: ArtifactStore, first: dict[str, Any], second: dict[str, Any], status: str
) -> None:
    uploaded(database, store, **first)
    assert register(database, sha256=SHA256, **second).status == status


def test_whoever_is_first_nobody_is_left_without_content(database: Database, store: ArtifactStore) -> None:
    """Data sets come and go at the same time; in the end every one that is there has its content, and all have one."""

    def come_and_go(number: int) -> DatasetRow | None:
        row = uploaded(database, store) if number % 3 else register(database, sha256=SHA256)
        if number % 2:
            delete(database, store, row)
            return None
        return row

    with ThreadPoolExecutor(4) as pool:
        left = [row for row in pool.map(come_and_go, range(24)) if row is not None and row.status == "ready"]
    assert len({row.path for row in left}) == 1
    assert list(store.keys("")) == [left[0].path]
    assert held(store, left[0]) == BODY


def test_a_last_one_that_goes_while_another_comes(database: Database, store: ArtifactStore) -> None:
    for _ in range(6):
        last = uploaded(database, store)
        with ThreadPoolExecutor(2) as pool:
            gone = pool.submit(delete, database, store, last)
            row = pool.submit(uploaded, database, store).result()
            gone.result()
        assert held(store, row) == BODY
        assert list(store.keys("")) == [row.path]
        delete(database, store, row)
        assert list(store.keys("")) == []
