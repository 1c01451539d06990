"""Downloads that go on where they broke off, and that are what the service has, byte for byte."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import httpx

from graftwerk.errors import ApiStatusError, CorruptDownload, ServerError, Unreachable
from graftwerk.http.transport import Transport, retry_delay
from graftwerk.types import File

PARTIAL_SUFFIX = ".part"


def download(
    transport: Transport, path: str, file: File, folder: Path, told: Callable[[int], None] = lambda size: None
) -> Path:
    """Fetch one file into the folder and return where it lies.

    An interrupted download goes on by Range; the file appears under its name only once its SHA-256 is right.
    `told` hears the bytes that lie on disk, after every piece. Raises `DamagedFile`, `Unreachable`, or a kind
    of `Answered`.
    """
    if Path(file.name).name != file.name or file.name in ("", ".", ".."):
        raise CorruptDownload(f'the service offers a file with the name "{file.name}", which is no plain file name')
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / file.name
    if target.is_file() and _sha256(target) == file.sha256:
        told(file.size)
        return target
    part = folder / (file.name + PARTIAL_SUFFIX)
    for fresh in (False, True):  # what an earlier run left may be of another file: then once more from the start
        if fresh:
            part.unlink(missing_ok=True)
        _fetch(transport, path, file, part, told)
        if _sha256(part) == file.sha256:
            part.replace(target)
            return target
    part.unlink(missing_ok=True)
    raise CorruptDownload(f"{file.name} arrived twice with another SHA-256 than the service tells ({file.sha256})")


def _fetch(transport: Transport, path: str, file: File, part: Path, told: Callable[[int], None]) -> None:
    """Bring the part to its full size, over as many connections as it takes while there is progress."""
    failures = 0
    while True:
        have = part.stat().st_size if part.exists() else 0
        if have >= file.size and part.exists():
            return
        trouble: Exception | None = None
        try:
            _download_once(transport, path, file, part, have, told)
        except (httpx.TransportError, ServerError) as error:
            trouble = error
        except ApiStatusError as error:
            if error.status != 416:
                raise
            part.unlink(missing_ok=True)  # longer than what the service has
        now = part.stat().st_size if part.exists() else 0
        if now >= file.size and part.exists():
            return
        failures = 0 if now > have else failures + 1
        if failures >= transport.attempts:
            reason = trouble or ConnectionError("the file keeps ending early")
            raise Unreachable(transport.unreachable_message(reason)) from trouble
        transport.sleep(retry_delay(max(failures, 1)) or 0.0)


def _download_once(
    transport: Transport, path: str, file: File, part: Path, have: int, told: Callable[[int], None]
) -> None:
    headers = {"Accept": "*/*", "Accept-Encoding": "identity"}
    if have:
        headers |= {"Range": f"bytes={have}-", "If-Range": f'"{file.sha256}"'}
    with transport.stream(path, headers=headers) as response:
        goes_on = response.status_code == 206
        size = have if goes_on else 0
        with part.open("ab" if goes_on else "wb") as out:
            for piece in response.iter_bytes():
                out.write(piece)
                size += len(piece)
                told(size)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
