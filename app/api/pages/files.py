"""Static files in memory, each with its digest, and compressed where that saves something."""

import gzip
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

TEXT_TYPES = frozenset({"application/json", "image/svg+xml"})
MEDIA_TYPES: Mapping[str, str] = {".js": "text/javascript", ".ipynb": "application/json", ".webp": "image/webp"}
_GZIP_LEVEL = 9


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file: its content, the same in gzip or `None` where that is not shorter, and its type and digest."""

    content: bytes
    compressed: bytes | None
    media_type: str
    digest: str


@cache
def load_files(folder: Path) -> Mapping[str, StaticFile]:
    """Return the files of a folder and those below it by their paths, such as ``assets/index.js``; none if it is away.

    It reads once in the life of a process: a new build is served after a restart.
    """
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return {path.relative_to(folder).as_posix(): _load(path) for path in paths}


def _load(path: Path) -> StaticFile:
    media_type = MEDIA_TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return make_file(path.read_bytes(), media_type)


def make_file(content: bytes, media_type: str) -> StaticFile:
    """Return a file of a content, compressed if that is shorter."""
    compressed = None
    if media_type.startswith("text/") or media_type in TEXT_TYPES:
        shorter = gzip.compress(content, _GZIP_LEVEL, mtime=0)
        compressed = shorter if len(shorter) < len(content) else None
    if media_type.startswith("text/"):
        media_type += "; charset=utf-8"
    return StaticFile(content, compressed, media_type, sha256(content).hexdigest())
