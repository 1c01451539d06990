"""Data sets: registered by name, or uploaded from files."""

import hashlib
import json
import tempfile
import uuid
from collections.abc import AsyncGenerator, Callable, Mapping
from pathlib import Path
from typing import Any

from graftwerk.archives import write_zip
from graftwerk.errors import Conflict, InvalidData, NotFound
from graftwerk.http import downloads
from graftwerk.http.downloads import sha256
from graftwerk.http.pagination import paginate
from graftwerk.http.resources import AsyncResource, BlockingResource, Resource, iterator, operation
from graftwerk.types import Dataset, File, Proposal

UPLOAD_CHUNK_BYTES = 8 << 20  # of one request
UPLOAD_TIMEOUT_SECONDS = 300.0  # for the service to read the content


class DatasetsResource(Resource):
    """The data sets of the key's owner."""

    @operation
    async def add(
        self,
        *paths: str | Path,
        builtin: str | None = None,
        torchvision: str | None = None,
        name: str | None = None,
        format: str | None = None,
        target: str | None = None,
        types: Mapping[str, str] | None = None,
        encoding: str | None = None,
        background: str | None = None,
        formats: Mapping[str, str] | None = None,
        on_bad: str | None = None,
        on_progress: Callable[[int, int], None] = lambda received, size: None,
    ) -> Dataset:
        """Register a data set: a file, several files (`train.csv`, `test.csv`), a folder, or a known name.

        Content that the service already has is not sent again, and an interrupted upload is resumed. `format` is
        detected by default, `target` is the column to learn, and `types` overrides the detected types of columns.
        `encoding` is that of a text, and `background` what shows through transparent pixels of images.
        `formats` says how the numbers or dates of columns are written, such as `{"price": "1.234,5"}`; with
        `on_bad="missing"` cells that are none are missing values instead of errors.
        `on_progress` is called with the bytes sent and the total size.

        Raises `InvalidData` unless exactly one source is given, and `InvalidRequest` if the content is not a data set.
        """
        named = {"builtin": builtin, "torchvision": torchvision}
        given = {kind: value for kind, value in named.items() if value is not None}
        if len(given) + bool(paths) != 1:
            raise InvalidData("give exactly one of files, builtin= and torchvision=")
        if not paths:
            kind, source = next(iter(given.items()))
            return await self._create(name or source, {"kind": kind, "name": source}, str(uuid.uuid4()))
        files = [Path(path) for path in paths]
        missing = next((path for path in files if not path.exists()), None)
        if missing is not None:
            raise InvalidData(f"{missing} does not exist")
        options = {
            "format": format,
            "target": target,
            "types": dict(types) if types else None,
            "encoding": encoding,
            "background": background,
            "formats": dict(formats) if formats else None,
            "on_bad": on_bad,
        }
        if len(files) == 1 and files[0].is_file():
            return await self._upload_file(files[0], files[0].name, name or files[0].stem, options, on_progress)
        with tempfile.TemporaryDirectory(prefix="graftwerk-") as folder:
            archive = Path(folder) / "content.zip"
            await self._transport.driver.work(write_zip, files, archive)
            base = name or (files[0].resolve().name if len(files) == 1 else files[0].resolve().parent.name)
            return await self._upload_file(archive, f"{base}.zip", base, options, on_progress)

    async def _upload_file(
        self, file: Path, file_name: str, name: str, options: Mapping[str, Any], on_progress: Callable[[int, int], None]
    ) -> Dataset:
        """Register a file and upload it. A second call within a day resumes the same data set."""
        settings = {key: value for key, value in options.items() if value is not None}
        content = await self._transport.driver.work(sha256, file)
        source = {"kind": "upload", "file": file_name[-255:], "sha256": content, **settings}
        digest = hashlib.sha256(json.dumps([name, source], sort_keys=True).encode()).hexdigest()
        dataset = await self._create(name, source, digest)
        try:
            return await DatasetsResource.upload(self, dataset.id, file, on_progress)
        except NotFound:  # it was deleted since
            dataset = await self._create(name, source, str(uuid.uuid4()))
            return await DatasetsResource.upload(self, dataset.id, file, on_progress)

    @operation
    async def upload(
        self, dataset_id: str, file: str | Path, on_progress: Callable[[int, int], None] = lambda received, size: None
    ) -> Dataset:
        """Upload a file in chunks, starting at the first byte that the service lacks.

        Raises `InvalidRequest` with every problem if the content is not a data set.
        """
        file = Path(file)
        size = file.stat().st_size
        dataset = await DatasetsResource.get(self, dataset_id)
        if await self._is_uploaded(dataset, file):
            on_progress(size, size)
            return dataset
        offset = int(dataset.document.get("received") or 0)
        path = f"/v1/datasets/{dataset_id}/content"
        with file.open("rb") as content:
            while True:
                content.seek(offset)
                chunk = await self._transport.driver.work(content.read, UPLOAD_CHUNK_BYTES)
                span = f"bytes {offset}-{offset + len(chunk) - 1}" if chunk else "bytes *"
                headers = {"Content-Range": f"{span}/{size}"}
                try:
                    response = await self._transport.request(
                        "PUT", path, content=chunk, headers=headers, seconds=UPLOAD_TIMEOUT_SECONDS
                    )
                except Conflict:  # a response was lost, and its chunk has been sent again
                    dataset = await DatasetsResource.get(self, dataset_id)
                    if await self._is_uploaded(dataset, file):
                        return dataset
                    if dataset.status == "ready" or dataset.document["received"] == offset:
                        raise
                    offset = dataset.document["received"]
                    continue
                offset = int(response.headers["Upload-Offset"])
                on_progress(offset, size)
                if response.status_code == 200:
                    return Dataset.from_document(response.json())

    @operation
    async def get(self, dataset_id: str) -> Dataset:
        """Return a data set. Raises `NotFound`."""
        return Dataset.from_document(await self._transport.json("GET", f"/v1/datasets/{dataset_id}"))

    @iterator
    async def list(self, status: str | None = None, name: str | None = None) -> AsyncGenerator[Dataset]:
        """Yield the data sets, newest first."""
        async for document in paginate(self._transport, "/v1/datasets", {"status": status, "name": name}):
            yield Dataset.from_document(document)

    @operation
    async def download(
        self, dataset_id: str, folder: str | Path = ".", on_progress: Callable[[int], None] = lambda size: None
    ) -> Path:
        """Download the uploaded content into a folder, verify its SHA-256 and return its path.

        Raises `InvalidData` if the data set has no content, `CorruptDownload`, `Unreachable` or an `ApiStatusError`.
        """
        document = (await DatasetsResource.get(self, dataset_id)).document
        source = document["source"]
        if source["kind"] != "upload" or document["status"] != "ready":
            raise InvalidData(f"{dataset_id} has no content to download")
        name = source.get("file") or ""
        plain = name if name and Path(name).name == name else f"{dataset_id}.{source['format']}"
        file = File(plain, document["received"], document["sha256"])
        path = f"/v1/datasets/{dataset_id}/content"
        return await downloads.download(self._transport, path, file, Path(folder), on_progress)

    @operation
    async def propose(
        self, dataset_id: str, target: str | None = None, task: str | None = None, loss: str | None = None
    ) -> Proposal:
        """Return a proposed job that learns the column `target`: its spec can be submitted as it is, or changed.

        `task` is classes, numbers, labels or tags, `loss` the kind of a loss; both follow from the target by default.

        Raises `InvalidRequest` if the target cannot be learned so, `Conflict` if the data set is not ready.
        """
        options = {"target": target, "task": task, "loss": loss}
        body = {name: value for name, value in options.items() if value is not None}
        path = f"/v1/datasets/{dataset_id}/propose"
        return Proposal.from_document(await self._transport.json("POST", path, json=body))

    @operation
    async def delete(self, dataset_id: str) -> None:
        """Delete a data set."""
        await self._transport.request("DELETE", f"/v1/datasets/{dataset_id}")

    async def _create(self, name: str, source: Mapping[str, Any], key: str) -> Dataset:
        body = {"name": name[:200], "source": source}
        return Dataset.from_document(await self._transport.create("/v1/datasets", key=key, json=body))

    async def _is_uploaded(self, dataset: Dataset, file: Path) -> bool:
        known = dataset.document.get("sha256")
        return dataset.status == "ready" and known == await self._transport.driver.work(sha256, file)


class Datasets(DatasetsResource, BlockingResource):
    """The data sets of a `Client`."""


class AsyncDatasets(DatasetsResource, AsyncResource):
    """The data sets of an `AsyncClient`."""
