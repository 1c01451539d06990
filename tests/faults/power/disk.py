"""A disk that keeps what was synced, and of what was not an arbitrary part: the log of changes, played again.

The model promises no more than POSIX does: the bytes of a file are durable when the file is synced, its name when the
folder is. What is pending at the cut survives or not, each change by itself, and a write in sectors.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from tests.faults.power.log import Kind, PowerLog, Record

SECTOR_BYTES = 512


class Change(NamedTuple):
    """A pending change of a file's bytes: some written at an offset, or (`None`) the size set to it."""

    position: int
    offset: int
    data: bytes | None


class Entry(NamedTuple):
    """A pending change of a folder: a name that stands for a file or a folder, or (`None`) for nothing any more."""

    position: int
    name: str
    node: "File | Folder | None"


@dataclass
class File:
    """A file."""

    durable: bytearray = field(default_factory=bytearray)
    pending: list[Change] = field(default_factory=list)

    def sync(self, position: int) -> None:
        """Make durable what was written before a position."""
        for change in self.pending:
            if change.position < position:
                _apply(self.durable, change)
        self.pending = [change for change in self.pending if change.position >= position]


@dataclass
class Folder:
    """A folder."""

    durable: "dict[str, File | Folder]" = field(default_factory=dict)
    pending: list[Entry] = field(default_factory=list)

    def find(self, name: str) -> "File | Folder | None":
        """Return what a name stands for at this moment."""
        for entry in reversed(self.pending):
            if entry.name == name:
                return entry.node
        return self.durable.get(name)

    def sync(self, position: int) -> None:
        """Make durable the entries that were made before a position."""
        for entry in self.pending:
            if entry.position < position:
                _enter(self.durable, entry)
        self.pending = [entry for entry in self.pending if entry.position >= position]


Survival = Callable[[list[Change] | list[Entry]], Iterator[Change | Entry]]


def nothing_pending(pending: list[Change] | list[Entry]) -> Iterator[Change | Entry]:
    """Let no change survive that was not synced."""
    yield from ()


def everything_pending(pending: list[Change] | list[Entry]) -> Iterator[Change | Entry]:
    """Let every change survive, as after a `kill -9`."""
    yield from pending


def some_pending(chance: random.Random) -> Survival:
    """Let each change survive or not; of a write that does, some sectors may be lost."""

    def survive(pending: list[Change] | list[Entry]) -> Iterator[Change | Entry]:
        for each in pending:
            if chance.random() < 0.5:
                continue
            if isinstance(each, Entry) or each.data is None or chance.random() < 0.5:
                yield each
            else:
                yield from _torn(each, each.data, chance)

    return survive


def _torn(change: Change, data: bytes, chance: random.Random) -> Iterator[Change]:
    start = 0
    while start < len(data):
        stop = min(len(data), (change.offset + start) // SECTOR_BYTES * SECTOR_BYTES + SECTOR_BYTES - change.offset)
        if chance.random() < 0.7:
            yield Change(change.position, change.offset + start, data[start:stop])
        start = stop


class Disk:
    """A disk on which a log is played."""

    def __init__(self, log: PowerLog) -> None:
        self._root = log.root
        self._top = Folder()
        self._files: dict[int, File] = {}
        self._records = log.records()
        self._next = next(self._records, None)

    def play(self, stop: int | None = None) -> "Disk":
        """Go on with the log, up to a position; returns itself."""
        while self._next is not None and (stop is None or self._next.position < stop):
            self._play(self._next)
            self._next = next(self._records, None)
        return self

    def _play(self, record: Record) -> None:
        if record.kind == Kind.SYNC_FOLDER:
            folder = self._folder(record.path)
            if folder is not None:
                folder.sync(record.offset)
        elif record.kind in (Kind.WRITE, Kind.TRUNCATE, Kind.SYNC):
            self._play_bytes(record)
        else:
            self._play_names(record)

    def _play_bytes(self, record: Record) -> None:
        file = self._files.setdefault(record.inode, File())
        if record.kind == Kind.SYNC:
            file.sync(record.offset)
        else:
            data = record.data if record.kind == Kind.WRITE else None
            file.pending.append(Change(record.position, record.offset, data))

    def _play_names(self, record: Record) -> None:
        if record.kind == Kind.CREATE:
            self._files[record.inode] = File()  # the inode of a file that is gone may be used again
            self._enter(record, record.path, self._files[record.inode])
        elif record.kind == Kind.MKDIR:
            self._enter(record, record.path, Folder())
        elif record.kind in (Kind.UNLINK, Kind.RMDIR):
            self._enter(record, record.path, None)
        else:
            node = self._parent(record.path).find(record.path.name)
            assert isinstance(node, File), f"{record.path} is not a file that was made here"
            self._enter(record, record.target, node)
            if record.kind == Kind.RENAME:
                self._enter(record, record.path, None)

    def _enter(self, record: Record, path: Path, node: File | Folder | None) -> None:
        self._parent(path).pending.append(Entry(record.position, path.name, node))

    def _folder(self, path: Path) -> Folder | None:
        node: File | Folder | None = self._top
        for name in path.relative_to(self._root).parts:
            if not isinstance(node, Folder):
                return None
            node = node.find(name)
        return node if isinstance(node, Folder) else None

    def _parent(self, path: Path) -> Folder:
        folder = self._folder(path.parent)
        assert folder is not None, f"{path.parent} was not made here"
        return folder

    def write(self, target: Path, survive: Survival = nothing_pending, only: str = "") -> None:
        """Write into a new folder what is left when the power fails now; `only` what has one name, with everything."""
        target.mkdir(mode=0o700)
        _write_folder(self._top, target, survive, only)


def _write_folder(folder: Folder, target: Path, survive: Survival, only: str = "") -> None:
    entries = dict(folder.durable)
    for entry in survive(folder.pending):
        assert isinstance(entry, Entry)
        _enter(entries, entry)
    for name, node in entries.items():
        if only and name != only:
            continue
        if isinstance(node, Folder):
            (target / name).mkdir(mode=0o700)
            _write_folder(node, target / name, survive)
        else:
            content = bytearray(node.durable)
            for change in survive(node.pending):
                assert isinstance(change, Change)
                _apply(content, change)
            (target / name).write_bytes(content)


def _apply(content: bytearray, change: Change) -> None:
    end = change.offset + len(change.data or b"")
    if change.data is None:
        del content[change.offset :]
    if len(content) < end:
        content.extend(bytes(end - len(content)))
    if change.data is not None:
        content[change.offset : end] = change.data


def _enter(entries: dict[str, File | Folder], entry: Entry) -> None:
    if entry.node is None:
        entries.pop(entry.name, None)
    else:
        entries[entry.name] = entry.node
