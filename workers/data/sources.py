"""Where examples come from: bundled samples, torchvision's IDX files, and uploads. Nothing is ever unpickled."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError

import workers.torch_setup  # noqa: F401 - comes before torchvision
from app.errors import DataError, InvalidInput
from app.spec.columns import DataSchema
from app.spec.data import UploadSource
from workers.data.columns import Split
from workers.data.content import Upload
from workers.data.formats import read
from workers.data.readers.idx import read_idx

SAMPLES = Path(__file__).parent / "samples"

# Builtin name → file.
BUILTIN: Mapping[str, str] = {
    "digits": "digits.npz",
    "iris": "iris.npz",
    "wine": "wine.npz",
    "diabetes": "diabetes.npz",
}

# torchvision class → the folders, under the data root, in which its files may lie.
TORCHVISION: Mapping[str, tuple[str, ...]] = {
    "MNIST": ("MNIST/raw", "MNIST", "mnist"),
    "FashionMNIST": ("FashionMNIST/raw", "FashionMNIST", "fashion-mnist"),
    "KMNIST": ("KMNIST/raw", "KMNIST", "kmnist"),
}
IDX_FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}


@dataclass(frozen=True)
class Loaded:
    """What a source holds: columns by split, of the types they are stored in."""

    splits: Mapping[str, Split]


def load(
    source: Mapping[str, Any],
    *,
    root: Path,
    allow_downloads: bool,
    content: Path | None = None,
    known: DataSchema | None = None,
) -> Loaded:
    """Read a whole source. Raises `DataError`.

    `source` is {"kind": "builtin" | "torchvision", "name"}, or that of an upload whose `content` was found to be
    `known`.
    """
    if source["kind"] == "builtin":
        return _sample(source["name"])
    if source["kind"] == "torchvision":
        return _idx(source["name"], root, allow_downloads)
    if content is None:
        raise DataError("the data set has no content", pointer="/data/id", hint="upload its content first")
    return _uploaded(Upload(content, UploadSource.model_validate(source), known=known))


def _sample(name: str) -> Loaded:
    return _uploaded(Upload(SAMPLES / BUILTIN[name], UploadSource(kind="upload", format="npz")))


def _uploaded(upload: Upload) -> Loaded:
    try:
        return Loaded(read(upload).splits)
    except InvalidInput as error:
        raise DataError(error.detail, pointer="/data", hint=error.hint) from error


def _idx(name: str, root: Path, allow_downloads: bool) -> Loaded:
    folders = [root / folder for folder in TORCHVISION[name]]
    folder = next((each for each in folders if all(map(_find, [each] * 4, sum(IDX_FILES.values(), ())))), None)
    if folder is None and allow_downloads:
        folder = _download(name, folders[0])
    if folder is None:
        hint = f"put its IDX files into {TORCHVISION[name][0]} under the data root, or allow downloads"
        raise DataError(f"{name} is not on this machine", pointer="/data/name", hint=hint)
    splits = {}
    for split, (images, labels) in IDX_FILES.items():
        image = read_idx(_existing(folder, images)).unsqueeze(1)
        splits[split] = {"image": image, "label": read_idx(_existing(folder, labels))}
    return Loaded(splits)


def _find(folder: Path, name: str) -> Path | None:
    return next((path for path in (folder / name, folder / f"{name}.gz") if path.is_file()), None)


def _existing(folder: Path, name: str) -> Path:
    path = _find(folder, name)
    if path is None:
        raise DataError(f"{name} is missing", pointer="/data/name", hint="download the data set again")
    return path


def _download(name: str, folder: Path) -> Path:
    """Fetch the packed files from torchvision's mirrors, checked by its MD5 sums."""
    from torchvision import datasets  # noqa: PLC0415 - a download is rare, and the import takes a second
    from torchvision.datasets.utils import download_url  # noqa: PLC0415

    source = getattr(datasets, name)
    folder.mkdir(parents=True, exist_ok=True)
    for file, md5 in source.resources:
        for mirror in source.mirrors:
            try:
                download_url(f"{mirror}{file}", root=folder, filename=file, md5=md5)
                break
            except (URLError, RuntimeError, OSError):  # the next mirror may have it
                continue
        else:
            hint = "try again later, or put the files there by hand"
            raise DataError(f"{name} cannot be downloaded", pointer="/data/name", hint=hint)
    return folder
