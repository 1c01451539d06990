"""A store on an S3 server that fails and lies: it says so, or tells the truth; and no lie removes what is needed."""

import random
import uuid
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest

from app.api.http.uploads import _append_part
from app.db.session import Database
from app.db.tables import ContentRow
from app.errors import GraftwerkError, Unavailable
from app.lifecycle.orphans import deployment_id, remove_orphans
from app.storage.cache import ArtifactCache
from app.storage.catalog import open_store
from app.storage.protocol import ArtifactStore, PartRecord
from tests.conftest import BUCKET
from tests.faults.s3.lying_server import LIES, LyingServer
from tests.full import FULL, choose

SHORT = (
    "put: done, and the answer lost",
    "put: 412",
    "get: half of the bytes",
    "get: a wrong bit",
    "get: reset in the middle",
    "list: without some",
    "list: an old one",
    "list: broken off",
)  # in `make test`
CONTENT = bytes(range(256)) * 5000  # more than one piece of a read
KEYS = [f"contents/{number}/data.csv" for number in range(6)]


@pytest.fixture
def lying(s3_options: dict[str, str]) -> Iterator[LyingServer]:
    """A server that tells the truth until it is told not to."""
    server = LyingServer(s3_options["endpoint"], chance=random.Random(1))
    yield server
    server.stop()


@pytest.fixture
def location() -> str:
    """The address of an empty store."""
    return f"s3://{BUCKET}/{uuid.uuid4().hex}"


@pytest.fixture
def told(location: str, lying: LyingServer, s3_options: dict[str, str]) -> ArtifactStore:
    """The store as the lying server tells it."""
    return open_store(location, s3_options | {"endpoint": lying.endpoint})


@pytest.fixture
def true(location: str, s3_options: dict[str, str]) -> ArtifactStore:
    """The same store as it is."""
    return open_store(location, s3_options)


def lies_of(*kinds: str) -> list[str]:
    of_kinds = [name for name, (answered, _) in LIES.items() if answered in kinds]
    return choose(of_kinds, *(name for name in SHORT if name in of_kinds))


@pytest.mark.parametrize("name", lies_of("PUT"))
def test_a_put_that_is_said_to_be_done_is_done(
    name: str, lying: LyingServer, told: ArtifactStore, true: ArtifactStore
) -> None:
    lying.lies = {name: 1.0}
    try:
        stored = told.put_bytes("a/b", CONTENT)
    except GraftwerkError:
        pass
    else:
        assert stored.size == len(CONTENT)
        assert b"".join(true.read("a/b")) == CONTENT
    assert lying.told[name]
    lying.lies = {}
    told.put_bytes("a/b", CONTENT)  # whatever was there is no obstacle
    assert b"".join(true.read("a/b")) == CONTENT


@pytest.mark.parametrize("name", lies_of("GET", "HEAD"))
@pytest.mark.parametrize("probability", [1.0, 0.4] if FULL else [0.4])
def test_bytes_that_are_read_are_those_that_were_stored(
    name: str, probability: float, lying: LyingServer, told: ArtifactStore, true: ArtifactStore, tmp_path: Path
) -> None:
    stored = true.put_bytes("a/b", CONTENT)
    lying.lies = {name: probability}
    cache = ArtifactCache(tmp_path / "cache", 1 << 30)
    for _ in range(3):
        try:
            read = b"".join(told.read("a/b"))
        except GraftwerkError:
            pass
        else:
            assert len(read) == len(CONTENT)
            assert read == CONTENT or name == "get: a wrong bit"  # which only the SHA-256 shows
        try:
            with cache.local_files(told, [{"path": "a/b", "sha256": stored.sha256}]) as (path,):
                assert path.read_bytes() == CONTENT
        except GraftwerkError:
            pass
    lying.lies = {}
    assert b"".join(told.read("a/b")) == CONTENT


def test_content_is_not_put_together_from_wrong_bytes(
    lying: LyingServer, told: ArtifactStore, true: ArtifactStore
) -> None:
    stored = true.put_bytes("datasets/d/parts/p", CONTENT)
    part: PartRecord = {"path": stored.key, "size": stored.size, "sha256": stored.sha256, "total": stored.size}
    lying.lies = {"get: a wrong bit": 1.0}
    with pytest.raises(Unavailable):
        _append_part(told, part, BytesIO())
    lying.lies, whole = {}, BytesIO()
    _append_part(told, part, whole)
    assert whole.getvalue() == CONTENT


@pytest.mark.parametrize("name", lies_of("LIST", "DELETE"))
def test_no_lie_removes_a_file_that_a_row_lists(
    name: str, lying: LyingServer, told: ArtifactStore, true: ArtifactStore, tmp_path: Path, migrated_file: Path
) -> None:
    (tmp_path / "graftwerk.db").write_bytes(migrated_file.read_bytes())
    database = Database(f"sqlite:///{tmp_path / 'graftwerk.db'}")
    true.put_bytes("deployment", database.read(deployment_id).encode())
    list(told.keys("contents/", 0.0))  # what an old list shows: nothing
    for key in KEYS:
        true.put_bytes(key, b"x")
    referenced = KEYS[::2]
    database.run(
        lambda session: session.add_all(
            ContentRow(owner="anna", sha256=str(number), path=key) for number, key in enumerate(referenced)
        )
    )
    lying.lies = {name: 0.7}
    for _ in range(3):
        try:
            remove_orphans(database, told, seconds=0)
        except GraftwerkError:
            continue
    assert set(referenced) <= set(true.keys(""))
    lying.lies = {}
    remove_orphans(database, told, seconds=0)
    assert set(true.keys("contents/")) == set(referenced)
    database.close()
