"""Files as users upload them, and what is found in them."""

import json
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from app.spec.data.columns import Column, DataSchema
from app.spec.data.sources import UploadSource
from workers.children.describe import Description, describe
from workers.data.files.content import MAX_UNPACKED_BYTES, Content, Upload
from workers.data.formats.catalog import read_upload


def make_upload(
    path: Path, content: str | bytes | None = None, limit: int = MAX_UNPACKED_BYTES, **source: Any
) -> Upload:
    """Return a file as an upload; with `content` it is written."""
    if content is not None:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return Upload(path, UploadSource.model_validate({"kind": "upload"} | source), limit)


def write_zip(path: Path, files: dict[str, str | bytes]) -> Path:
    """Write a zip archive."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def describe_upload(file: Upload) -> Description:
    """Return what is found in a file that is good; its description is JSON."""
    found = describe(file)
    assert found.problems == ()
    assert found.schema is not None
    json.dumps([found.preview, found.schema.model_dump(mode="json")], allow_nan=False)
    return found


def schema(file: Upload) -> DataSchema:
    found = describe_upload(file).schema
    assert found is not None
    return found


def column(file: Upload, name: str) -> Column:
    found = schema(file).column(name)
    assert found is not None
    return found


def content(file: Upload) -> Content:
    return read_upload(file)


def train(file: Upload) -> Any:
    return read_upload(file).splits["train"]


def upload_problems(file: Upload) -> list[tuple[str, str]]:
    """Return code and pointer of every problem of a bad file; each says what is wrong."""
    found = describe(file)
    assert found.schema is None
    assert found.problems
    assert all(problem.detail for problem in found.problems)
    return [(problem.code, problem.pointer) for problem in found.problems]


def problem_codes(file: Upload) -> set[str]:
    return {code for code, _ in upload_problems(file)}


def problem_text(file: Upload) -> str:
    """Return all that is said of a bad file."""
    found = describe(file)
    return "\n".join(f"{problem.detail} | {problem.hint}" for problem in found.problems)


def to_jsonl(rows: Iterable[Any]) -> str:
    """Return JSONL."""
    return "".join(json.dumps(row) + "\n" for row in rows)
