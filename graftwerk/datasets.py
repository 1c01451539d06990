"""Data sets: registered by name, or uploaded from files."""

import hashlib
import json
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from graftwerk.archives import write_zip
from graftwerk.errors import Conflict, InvalidData, NotFound
from graftwerk.http import downloads
from graftwerk.http.pagination import paginate
from graftwerk.http.transport import Transport
from graftwerk.types import Dataset, File

UPLOAD_CHUNK_BYTES = 8 << 20  # bytes of one request of an upload
UPLOAD_TIMEOUT_SECONDS = 300.0  # which the service may take to read what has arrived


class Datasets:
    """The data sets of the key's owner."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def add(
        self,
        *paths: str | Path,
        builtin: str | None = None,
        torchvision: str | None = None,
        name: str | None = None,
        format: str | None = None,
        target: str | None = None,
        types: Mapping[str, str] | None = None,
        told: Callable[[int, int], None] = lambda have, size: None,
    ) -> Dataset:
        """Register a data set: of a file, of several (`train.csv`, `test.csv`), of a folder; or of a known name.

        What the service has already is not sent, and an upload goes on where it broke off. `format` is seen from the
        content unless it is told, `target` is the column that is learned, and `types` says of columns what they are
        where they do not look like it. `told` hears the bytes sent and the size.

        Raises `NotData` unless exactly one source is given, and `InvalidRequest` if the content is no data set.
        """
        named = {"builtin": builtin, "torchvision": torchvision}
        given = {kind: value for kind, value in named.items() if value is not None}
        if len(given) + bool(paths) != 1:
            raise InvalidData("give files, or builtin=, or torchvision=")
        if not paths:
            kind, source = next(iter(given.items()))
            return self._create(name or source, {"kind": kind, "name": source}, str(uuid.uuid4()))
        chosen = [Path(path) for path in paths]
        missing = next((path for path in chosen if not path.exists()), None)
        if missing is not None:
            raise InvalidData(f"{missing} is not there")
        described = {"format": format, "target": target, "types": dict(types) if types else None}
        if len(chosen) == 1 and chosen[0].is_file():
            return self._upload_file(chosen[0], chosen[0].name, name or chosen[0].stem, described, told)
        with tempfile.TemporaryDirectory(prefix="graftwerk-") as folder:
            whole = Path(folder) / "content.zip"
            write_zip(chosen, whole)
            base = name or (chosen[0].resolve().name if len(chosen) == 1 else chosen[0].resolve().parent.name)
            return self._upload_file(whole, f"{base}.zip", base, described, told)

    def _upload_file(
        self, file: Path, file_name: str, name: str, described: Mapping[str, Any], told: Callable[[int, int], None]
    ) -> Dataset:
        """Register a file and send it. Doing so again within a day finds the same data set, and goes on with it."""
        chosen = {key: value for key, value in described.items() if value is not None}
        source = {"kind": "upload", "file": file_name[-255:], "sha256": _sha256(file), **chosen}
        digest = hashlib.sha256(json.dumps([name, source], sort_keys=True).encode()).hexdigest()
        made = self._create(name, source, digest)
        try:
            return self.upload(made.id, file, told)
        except NotFound:  # it was deleted since
            return self.upload(self._create(name, source, str(uuid.uuid4())).id, file, told)

    def upload(
        self, dataset_id: str, file: Path, told: Callable[[int, int], None] = lambda have, size: None
    ) -> Dataset:
        """Send a file's content in pieces, from the byte on that the service lacks.

        Raises `InvalidRequest` with every problem if the content is no data set.
        """
        size = file.stat().st_size
        found = self.get(dataset_id)
        if _is_uploaded(found, file):
            told(size, size)
            return found
        offset = int(found.document.get("received") or 0)
        path = f"/v1/datasets/{dataset_id}/content"
        with file.open("rb") as content:
            while True:
                content.seek(offset)
                piece = content.read(UPLOAD_CHUNK_BYTES)
                stretch = f"bytes {offset}-{offset + len(piece) - 1}" if piece else "bytes *"
                headers = {"Content-Range": f"{stretch}/{size}"}
                try:
                    answer = self._transport.request(
                        "PUT", path, content=piece, headers=headers, seconds=UPLOAD_TIMEOUT_SECONDS
                    )
                except Conflict:  # an answer was lost, so a piece was sent that had arrived before
                    dataset = self.get(dataset_id)
                    if _is_uploaded(dataset, file):
                        return dataset
                    if dataset.status == "ready" or dataset.document["received"] == offset:
                        raise
                    offset = dataset.document["received"]
                    continue
                offset = int(answer.headers["Upload-Offset"])
                told(offset, size)
                if answer.status_code == 200:
                    return Dataset.from_document(answer.json())

    def get(self, dataset_id: str) -> Dataset:
        """Return a data set. Raises `NotFound`."""
        return Dataset.from_document(self._transport.json("GET", f"/v1/datasets/{dataset_id}"))

    def list(self, status: str | None = None, name: str | None = None) -> Iterator[Dataset]:
        """Yield the data sets, newest first."""
        for document in paginate(self._transport, "/v1/datasets", {"status": status, "name": name}):
            yield Dataset.from_document(document)

    def download(
        self, dataset_id: str, folder: str | Path = ".", told: Callable[[int], None] = lambda size: None
    ) -> Path:
        """Fetch what was uploaded into a folder, and return where it lies; it is what the service has, byte for byte.

        Raises `NotData` if it has no content, and as the download of a job's files does.
        """
        document = self.get(dataset_id).document
        source = document["source"]
        if source["kind"] != "upload" or document["status"] != "ready":
            raise InvalidData(f"{dataset_id} has no content to download")
        name = source.get("file") or ""
        plain = name if name and Path(name).name == name else f"{dataset_id}.{source['format']}"
        file = File(plain, document["received"], document["sha256"])
        return downloads.download(self._transport, f"/v1/datasets/{dataset_id}/content", file, Path(folder), told)

    def delete(self, dataset_id: str) -> None:
        """Delete a data set."""
        self._transport.request("DELETE", f"/v1/datasets/{dataset_id}")

    def _create(self, name: str, source: Mapping[str, Any], key: str) -> Dataset:
        body = {"name": name[:200], "source": source}
        headers = {"Idempotency-Key": key}
        return Dataset.from_document(self._transport.json("POST", "/v1/datasets", json=body, headers=headers))


def _is_uploaded(dataset: Dataset, file: Path) -> bool:
    return dataset.status == "ready" and dataset.document.get("sha256") == _sha256(file)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
