"""The sources of examples: bundled samples, torchvision's data sets, and uploads. Nothing is ever unpickled."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.errors import DataError, InvalidInput
from app.spec.data.columns import DataSchema
from app.spec.data.sources import UploadSource
from workers.data.columns import SplitColumns
from workers.data.files.content import Upload
from workers.data.formats.catalog import read_upload
from workers.data.torchvision_datasets import catalog

SAMPLES_DIR = Path(__file__).parents[1] / "samples"

# Builtin name → file.
BUILTIN: Mapping[str, str] = {
    "digits": "digits.npz",
    "iris": "iris.npz",
    "wine": "wine.npz",
    "diabetes": "diabetes.npz",
}


@dataclass(frozen=True)
class SourceData:
    """The stored columns of a source by split."""

    splits: Mapping[str, SplitColumns]


def load_source(
    source: Mapping[str, Any],
    *,
    root: Path,
    allow_downloads: bool,
    content: Path | None = None,
    known: DataSchema | None = None,
) -> SourceData:
    """Return the columns of a source. Raises `DataError`.

    `source` is {"kind": "builtin" | "torchvision", "name"}, or an `UploadSource` with `content` of schema `known`.
    """
    if source["kind"] == "builtin":
        return _load_builtin(source["name"])
    if source["kind"] == "torchvision":
        return SourceData(catalog.load_dataset(source["name"], root, allow_downloads))
    if content is None:
        raise DataError("the data set has no content", pointer="/data/id", hint="upload its content first")
    return _load_upload(Upload(content, UploadSource.model_validate(source), known_schema=known))


def _load_builtin(name: str) -> SourceData:
    return _load_upload(Upload(SAMPLES_DIR / BUILTIN[name], UploadSource(kind="upload", format="npz")))


def _load_upload(upload: Upload) -> SourceData:
    try:
        return SourceData(read_upload(upload).splits)
    except InvalidInput as error:
        raise DataError(error.detail, pointer="/data", hint=error.hint) from error
