"""Predictions of a job's network for rows, or for a file of rows."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from graftwerk.errors import InvalidData
from graftwerk.http.transport import Transport
from graftwerk.types import Predictions

Rows = Sequence[Mapping[str, Any]]

# File name suffix → media type of the request.
MEDIA_TYPES: Mapping[str, str] = {
    ".json": "application/json",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".csv": "text/csv",
    ".tab": "text/tab-separated-values",
    ".tsv": "text/tab-separated-values",
    ".jsonl": "application/x-ndjson",
    ".ndjson": "application/x-ndjson",
    ".parquet": "application/vnd.apache.parquet",
    ".npz": "application/x-npz",
    ".safetensors": "application/x-safetensors",
    ".idx": "application/x-idx",
    ".gz": "application/gzip",
    ".zip": "application/zip",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".bmp": "image/bmp",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".txt": "text/plain",
    ".trees": "text/plain",
    **dict.fromkeys((".conll", ".conllu", ".bio", ".iob", ".iob2", ".tags", ".ptb", ".mrg"), "text/plain"),
}


@dataclass(frozen=True, slots=True)
class Source:
    """What is predicted: rows, a file of rows, or a count of samples."""

    rows: Rows | None = None
    file: str | Path | None = None
    count: int | None = None

    def encode(self) -> tuple[bytes, str]:
        """Return the body of a request, and its media type."""
        if self.file is not None:
            return _read_rows_file(Path(self.file))
        document = {"count": self.count} if self.rows is None else {"rows": [dict(row) for row in self.rows]}
        return json.dumps(document, default=_to_json).encode(), "application/json"


async def predict(transport: Transport, job_id: str, source: Source, options: Mapping[str, Any]) -> Predictions:
    """Return the predictions for rows, for a file of rows, or samples. See `Job.predict`."""
    response = await _request_predictions(transport, job_id, source, options, "application/json")
    return Predictions.from_document(response.json())


async def predict_csv(transport: Transport, job_id: str, source: Source, options: Mapping[str, Any]) -> str:
    """Return the predictions as CSV. See `Job.predict`."""
    return (await _request_predictions(transport, job_id, source, options, "text/csv")).text


async def _request_predictions(
    transport: Transport, job_id: str, source: Source, options: Mapping[str, Any], accept: str
) -> httpx.Response:
    if [source.rows, source.file, source.count].count(None) != 2:
        raise InvalidData("give either rows, a file of rows, or a count of samples")
    params = {name: _parameter(value) for name, value in options.items()}
    content, media_type = await transport.driver.work(source.encode)
    return await transport.request(
        "POST",
        f"/v1/jobs/{job_id}/predict",
        params=params,
        content=content,
        repeatable=True,
        headers={"Content-Type": media_type, "Accept": accept},
    )


def _parameter(value: Any) -> Any:
    """Return an option as a parameter of the address: a list separated by commas, an object as JSON."""
    if isinstance(value, tuple | list):
        return ",".join(value)
    return json.dumps(value) if isinstance(value, Mapping) or value is False else value


def _to_json(value: Any) -> Any:
    """Encode bytes, such as an image file, in base64, and arrays and tensors as lists."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    listed = getattr(value, "tolist", None)
    if listed is None:
        raise TypeError(f"{type(value).__name__} cannot be a value of a row")
    return listed()


def _read_rows_file(path: Path) -> tuple[bytes, str]:
    media_type = "application/x-idx" if path.name.endswith("ubyte") else MEDIA_TYPES.get(path.suffix.lower())
    if media_type is None:
        raise InvalidData(f"{path.name}: the file's suffix is not one of {', '.join(MEDIA_TYPES)}")
    return path.read_bytes(), media_type
