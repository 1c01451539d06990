"""Resumable downloads, verified by their SHA-256."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import httpx

from graftwerk.errors import ApiStatusError, CorruptDownload, ServerError
from graftwerk.http.transport import Reconnection, Transport
from graftwerk.types import File

PARTIAL_SUFFIX = ".part"


async def download(
    transport: Transport, path: str, file: File, folder: Path, on_progress: Callable[[int], None] = lambda size: None
) -> Path:
    """Download a file into a folder and return its path.

    An interrupted download is resumed by a Range request; the file gets its name once its SHA-256 is verified.
    `on_progress` is called with the bytes on disk after every chunk. Raises `CorruptDownload`, `Unreachable` or an
    `ApiStatusError`.
    """
    if Path(file.name).name != file.name or file.name in ("", ".", ".."):
        raise CorruptDownload(f'"{file.name}", a name sent by the service, is not a plain file name')
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / file.name
    if target.is_file() and await transport.driver.work(sha256, target) == file.sha256:
        on_progress(file.size)
        return target
    part = folder / (file.name + PARTIAL_SUFFIX)
    for fresh in (False, True):  # a partial file may belong to another version: then start over, once
        if fresh:
            part.unlink(missing_ok=True)
        await _fetch(transport, path, file, part, on_progress)
        if await transport.driver.work(sha256, part) == file.sha256:
            part.replace(target)
            return target
    part.unlink(missing_ok=True)
    raise CorruptDownload(f"the SHA-256 of {file.name} differed twice from the service's ({file.sha256})")


async def _fetch(transport: Transport, path: str, file: File, part: Path, on_progress: Callable[[int], None]) -> None:
    """Download the rest of the partial file; reconnect as long as there is progress."""
    reconnection = Reconnection(transport)
    while True:
        received = part.stat().st_size if part.exists() else 0
        if received >= file.size and part.exists():
            return
        failure: Exception | None = None
        try:
            await _download_once(transport, path, file, part, received, on_progress)
        except (httpx.TransportError, ServerError) as error:
            failure = error
        except ApiStatusError as error:
            if error.status != 416:
                raise
            part.unlink(missing_ok=True)  # longer than what the service has
        now = part.stat().st_size if part.exists() else 0
        if now >= file.size and part.exists():
            return
        if now > received:
            reconnection.progress()
        await reconnection.pause(failure, "the download")


async def _download_once(
    transport: Transport, path: str, file: File, part: Path, received: int, on_progress: Callable[[int], None]
) -> None:
    headers = {"Accept": "*/*", "Accept-Encoding": "identity"}
    if received:
        headers |= {"Range": f"bytes={received}-", "If-Range": f'"{file.sha256}"'}
    async with transport.stream(path, headers=headers) as response:
        is_partial = response.status_code == 206
        size = received if is_partial else 0
        with part.open("ab" if is_partial else "wb") as out:
            async for chunk in response.aiter_bytes():
                await transport.driver.work(out.write, chunk)
                size += len(chunk)
                on_progress(size)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
