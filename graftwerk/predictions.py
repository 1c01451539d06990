"""What a job's network tells of rows, or of a file of them."""

import base64
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from graftwerk.errors import InvalidData
from graftwerk.http.transport import Transport
from graftwerk.types import Predictions

Rows = Sequence[Mapping[str, Any]]

# Ending of a file's name → the media type that it is sent as.
MEDIA_TYPES: Mapping[str, str] = {
    ".json": "application/json",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
    ".jsonl": "application/x-ndjson",
    ".ndjson": "application/x-ndjson",
    ".parquet": "application/vnd.apache.parquet",
    ".npz": "application/x-npz",
    ".zip": "application/zip",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".bmp": "image/bmp",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".txt": "text/plain",
    ".trees": "text/plain",
    ".conll": "text/plain",
}


def predict(
    transport: Transport, job_id: str, rows: Rows | None, file: str | Path | None, asked: Mapping[str, Any]
) -> Predictions:
    """Ask about rows, or a file of them. See `Job.predict`."""
    answer = _request_predictions(transport, job_id, rows, file, asked, "application/json")
    return Predictions.from_document(answer.json())


def predict_csv(
    transport: Transport, job_id: str, rows: Rows | None, file: str | Path | None, asked: Mapping[str, Any]
) -> str:
    """Ask as `predict` does; returns a table."""
    return str(_request_predictions(transport, job_id, rows, file, asked, "text/csv").text)


def _request_predictions(
    transport: Transport, job_id: str, rows: Rows | None, file: str | Path | None, asked: Mapping[str, Any], accept: str
) -> Any:
    if (rows is None) == (file is None):
        raise InvalidData("give rows, or a file of them")
    params = {name: ",".join(value) if isinstance(value, tuple | list) else value for name, value in asked.items()}
    content, media_type = _encode_rows(rows) if file is None else _read_rows_file(Path(file))
    return transport.request(
        "POST",
        f"/v1/jobs/{job_id}/predict",
        params=params,
        content=content,
        repeatable=True,
        headers={"Content-Type": media_type, "Accept": accept},
    )


def _encode_rows(rows: Rows | None) -> tuple[bytes, str]:
    return json.dumps({"rows": [dict(row) for row in rows or ()]}, default=_to_json).encode(), "application/json"


def _to_json(value: Any) -> Any:
    """Return bytes, such as a picture's file, in base64, and arrays and tensors as lists."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    listed = getattr(value, "tolist", None)
    if listed is None:
        raise TypeError(f"{type(value).__name__} is no value of a row")
    return listed()


def _read_rows_file(path: Path) -> tuple[bytes, str]:
    media_type = MEDIA_TYPES.get(path.suffix.lower())
    if media_type is None:
        raise InvalidData(f"{path.name}: rows come in a file that ends in one of {', '.join(MEDIA_TYPES)}")
    return path.read_bytes(), media_type
