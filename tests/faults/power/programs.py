"""Small programs that write files and say when something is durable: ``python -m tests.faults.power.programs``.

They run with the log's environment, each in a folder of its own. `PROGRAMS` has the check of what each has said, on
what a power cut leaves.
"""

import hashlib
import os
import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path

from app.backup import create, restore
from app.backup.manifest import Manifest
from app.db import migrate
from app.db.sealing import SecretSealed, open_sealer
from app.db.session import Database
from app.disk.durability import sync_file
from app.errors import BackupError
from app.settings import Settings
from app.storage.cache import ArtifactCache
from app.storage.local import LocalStore
from graftwerk.supervise.home import create_home, write_private

CONTENT = bytes(range(256)) * 40
Acknowledge = Callable[[str], None]
Program = Callable[[Path, Acknowledge], None]
Check = Callable[[Path, set[str]], Iterator[str]]


def put_files(root: Path, acknowledge: Acknowledge) -> None:
    """Store files in new folders, of which one was made by somebody who has not synced it yet."""
    store = LocalStore(root / "artifacts")
    (root / "artifacts" / "jobs").mkdir()
    for key in ("a", "contents/b", "jobs/c/1/2/weights", "jobs/c/1/3/weights"):
        store.put_bytes(key, CONTENT)
        acknowledge(key)
    acknowledge("deleted")
    store.delete("jobs/c/1/3/weights")  # and its folder
    store.put_bytes("jobs/c/1/3/again", CONTENT)
    acknowledge("jobs/c/1/3/again")


def check_stored(root: Path, told: set[str]) -> Iterator[str]:
    """Every file that was stored, and not deleted since, is there and whole."""
    for key in told - ({"jobs/c/1/3/weights"} if "deleted" in told else set()) - {"deleted"}:
        path = root / "artifacts" / key
        if not path.is_file() or path.read_bytes() != CONTENT:
            yield f"{key} was stored, and is gone or torn"


def check_files(root: Path, told: set[str]) -> Iterator[str]:
    """So it is; and what has its name, though nobody was told so, is whole, too."""
    yield from check_stored(root, told)
    for path in (root / "artifacts").rglob("*"):
        if path.is_file() and ".incoming" not in path.parts and path.read_bytes() != CONTENT:
            yield f"{path.name} has its name and not its content"


def fill_cache(root: Path, acknowledge: Acknowledge) -> None:
    """Copy files of a store on another machine."""

    class Elsewhere(LocalStore):
        def fetch(self, key: str, target: Path) -> Path:
            target.write_bytes(b"".join(self.read(key)))
            return target

    store = Elsewhere(root / "artifacts")
    cache = ArtifactCache(root / "cache", 1 << 30)
    for number in range(3):
        content = CONTENT + bytes([number])
        stored = store.put_bytes(f"a/{number}", content)
        with cache.local_files(store, [{"path": stored.key, "sha256": stored.sha256}]):
            acknowledge(stored.sha256)


def check_cache(root: Path, told: set[str]) -> Iterator[str]:
    """A copy may be gone. One that is there, under its SHA-256, is never verified again."""
    for path in (root / "cache").glob("?" * 64):
        if hashlib.sha256(path.read_bytes()).hexdigest() != path.name:
            yield f"the copy {path.name} is not what its name says"


def write_key(root: Path, acknowledge: Acknowledge) -> None:
    """Write a key into a new home directory, and another one over it."""
    create_home(root / "new" / "home")
    for key in ("gw_first", "gw_second"):
        write_private(root / "new" / "home" / "key", key)
        acknowledge(key)


def check_key(root: Path, told: set[str]) -> Iterator[str]:
    """The latest key is there."""
    path = root / "new" / "home" / "key"
    allowed = {"gw_second"} if "gw_second" in told else {"gw_first", "gw_second"}
    if (told or path.exists()) and (not path.exists() or path.read_text().strip() not in allowed):
        yield "the key is gone or torn"


def seal_secrets(root: Path, acknowledge: Acknowledge) -> None:
    """Seal with a key that is made for it, in a home directory that is there already."""
    (root / "home").mkdir()
    sync_file(root)
    acknowledge(open_sealer(Settings(home=root / "home")).seal("secret"))


def check_sealed(root: Path, told: set[str]) -> Iterator[str]:
    """What was sealed can be opened."""
    for stored in told:
        try:
            if open_sealer(Settings(home=root / "home")).open(stored) != "secret":
                yield "another secret was opened"
        except (SecretSealed, ValueError):
            yield "the key that sealed a secret is gone"


def _database(root: Path, folder: str) -> Database:
    (root / folder).mkdir(exist_ok=True)
    database = Database(f"sqlite:///{root / folder / 'graftwerk.db'}")
    migrate.upgrade(database)
    return database


def _set_deployment(database: Database, name: str) -> None:
    with database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE deployment SET id = ?", (name,))


def back_up(root: Path, acknowledge: Acknowledge) -> None:
    """Make a backup of a database."""
    database = _database(root, "home")
    create.create(database, LocalStore(root / "home" / "artifacts"), root / "backups" / "monday")
    acknowledge("backup")
    database.close()


def check_backup(root: Path, told: set[str]) -> Iterator[str]:
    """A backup that has ended is whole; one with a manifest is, too."""
    folder = root / "backups" / "monday"
    if not told and not (folder / "manifest.json").exists():
        return
    try:
        Manifest.read(folder).verify(folder)
    except BackupError as error:
        yield f"the backup is not whole: {error.detail}"


def put_back(root: Path, acknowledge: Acknowledge) -> None:
    """Restore a backup over a database that was not closed."""
    database = _database(root, "home")
    _set_deployment(database, "restored")
    store = LocalStore(root / "artifacts")
    create.create(database, store, root / "backup")
    _set_deployment(database, "overwritten")
    acknowledge("overwritten")
    reader = sqlite3.connect(root / "home" / "graftwerk.db")  # so that the log of the database stays
    reader.execute("SELECT id FROM deployment").fetchone()
    restore.restore(database, LocalStore(root / "artifacts"), root / "backup", overwrite=True)
    acknowledge("restored")
    reader.close()
    database.close()


def check_restored(root: Path, told: set[str]) -> Iterator[str]:
    """The database is whole: the one of before, or that of the backup; the latter once the restoring has ended."""
    if not told:
        return
    with closing(sqlite3.connect(root / "home" / "graftwerk.db")) as connection:
        state = connection.execute("PRAGMA integrity_check").fetchone()[0]
        found = connection.execute("SELECT id FROM deployment").fetchone()[0] if state == "ok" else state
    if found not in ({"restored"} if "restored" in told else {"restored", "overwritten"}):
        yield f"the database is {found}"


def forget_to_sync(root: Path, acknowledge: Acknowledge) -> None:
    """Store files as a careless program does."""
    (root / "artifacts").mkdir()
    for key in ("a", "b"):
        part = root / "artifacts" / f"{key}.part"
        part.write_bytes(CONTENT)
        part.replace(root / "artifacts" / key)
        acknowledge(key)


def forget_the_folder(root: Path, acknowledge: Acknowledge) -> None:
    """Sync the bytes of a file, and not the folder that has its name."""
    (root / "artifacts").mkdir()
    for key in ("a", "b"):
        with (root / "artifacts" / key).open("wb") as file:
            file.write(CONTENT)
            file.flush()
            os.fsync(file.fileno())
        acknowledge(key)


PROGRAMS: Mapping[str, tuple[Program, Check]] = {
    "put_files": (put_files, check_files),
    "fill_cache": (fill_cache, check_cache),
    "write_key": (write_key, check_key),
    "seal_secrets": (seal_secrets, check_sealed),
    "back_up": (back_up, check_backup),
    "put_back": (put_back, check_restored),
}
CARELESS: Mapping[str, tuple[Program, Check]] = {
    "forget_to_sync": (forget_to_sync, check_stored),
    "forget_the_folder": (forget_the_folder, check_stored),
}


def main() -> None:
    """Run the programs; each line is a position of the log, a program, and what is durable from there on."""
    log, root = Path(os.environ["POWER_LOG"]), Path(os.environ["POWER_ROOT"])
    for name, (program, _) in {**PROGRAMS, **CARELESS}.items():
        (root / name).mkdir()
        sync_file(root)

        def acknowledge(what: str, name: str = name) -> None:
            sys.stdout.write(f"{log.stat().st_size} {name} {what}\n")

        acknowledge("")
        program(root / name, acknowledge)
        acknowledge("")


if __name__ == "__main__":
    main()
