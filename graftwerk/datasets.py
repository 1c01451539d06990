"""Data sets: registered by name, or uploaded from a file."""

import hashlib
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from graftwerk.errors import Conflict, NotData
from graftwerk.pages import pages
from graftwerk.transport import Transport
from graftwerk.types import Dataset

PIECE = 8 << 20  # bytes of one request of an upload
FORMATS = {".csv": "csv", ".npz": "npz", ".safetensors": "safetensors"}


class Datasets:
    """The data sets of the key's owner."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def add(
        self,
        path: str | Path | None = None,
        *,
        builtin: str | None = None,
        torchvision: str | None = None,
        name: str | None = None,
        told: Callable[[int, int], None] = lambda have, size: None,
    ) -> Dataset:
        """Register a data set: a CSV, NPZ or safetensors file, or a name from one of the service's tables.

        An upload goes on where it broke off. `told` hears the bytes sent and the size. Raises `NotData` unless
        exactly one source is given, or for a file of another kind.
        """
        named = {"builtin": builtin, "torchvision": torchvision}
        given = {kind: value for kind, value in named.items() if value is not None}
        if len(given) + (path is not None) != 1:
            raise NotData("give a file, or builtin=, or torchvision=")
        if path is None:
            kind, source = next(iter(given.items()))
            return self._create(name or source, {"kind": kind, "name": source})
        file = Path(path)
        if file.suffix.lower() not in FORMATS:
            raise NotData(f"{file.name}: a data set is one of {', '.join(FORMATS)}")
        made = self._create(name or file.stem, {"kind": "upload", "format": FORMATS[file.suffix.lower()]})
        return self.upload(made.id, file, told)

    def upload(
        self, dataset_id: str, file: Path, told: Callable[[int, int], None] = lambda have, size: None
    ) -> Dataset:
        """Send a file's content in pieces, from the byte on that the service lacks.

        Raises `InvalidRequest` with every problem if the content is no data set.
        """
        size = file.stat().st_size
        offset = int(self.get(dataset_id).document.get("received") or 0)
        path = f"/v1/datasets/{dataset_id}/content"
        with file.open("rb") as content:
            while True:
                content.seek(offset)
                piece = content.read(PIECE)
                stretch = f"bytes {offset}-{offset + len(piece) - 1}" if piece else "bytes *"
                headers = {"Content-Range": f"{stretch}/{size}"}
                try:
                    answer = self._transport.request("PUT", path, content=piece, headers=headers)
                except Conflict:  # an answer was lost, so a piece was sent that had arrived before
                    dataset = self.get(dataset_id)
                    if dataset.status == "ready" and dataset.document["sha256"] == _sha256(file):
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

    def list(self) -> Iterator[Dataset]:
        """Yield the data sets, newest first."""
        for document in pages(self._transport, "/v1/datasets"):
            yield Dataset.from_document(document)

    def delete(self, dataset_id: str) -> None:
        """Delete a data set."""
        self._transport.request("DELETE", f"/v1/datasets/{dataset_id}")

    def _create(self, name: str, source: Mapping[str, Any]) -> Dataset:
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        body = {"name": name, "source": source}
        return Dataset.from_document(self._transport.json("POST", "/v1/datasets", json=body, headers=headers))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
