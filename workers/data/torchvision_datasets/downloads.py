"""Downloads of named data sets, by torchvision's own code: with its addresses and MD5 sums, or those below."""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import workers.torch_setup  # noqa: F401 - comes before torchvision

Download = Callable[[Path], None]  # into a data root

CIFAR_URL = "https://www.cs.toronto.edu/~kriz"
# Archives of CIFAR's binary version, which torchvision does not read.
CIFAR_MD5 = {
    "cifar-10-binary.tar.gz": "c32a1d4ab5d03f1284b67883e8d87530",
    "cifar-100-binary.tar.gz": "03b5dce01913d631647c71ecec9e9cb8",
}


def download_by_class(name: str, *variants: Mapping[str, Any]) -> Download:
    """Return a download by torchvision's class, for each of its variants."""

    def download(root: Path) -> None:
        from torchvision import datasets  # noqa: PLC0415 - a download is rare, and the import takes a second

        for settings in variants or ({},):
            getattr(datasets, name)(str(root), download=True, **settings)

    return download


def download_by_splits(name: str, *splits: str) -> Download:
    """Return a download of the files that torchvision's class names by split: its reader would need SciPy."""

    def download(root: Path) -> None:
        from torchvision import datasets  # noqa: PLC0415
        from torchvision.datasets.utils import download_url  # noqa: PLC0415

        for split in splits:
            url, file, md5 = getattr(datasets, name).split_list[split]
            download_url(url, str(root), file, md5)

    return download


def download_cifar(archive: str) -> Download:
    """Return a download of an archive of CIFAR's binary version."""

    def download(root: Path) -> None:
        from torchvision.datasets.utils import download_url  # noqa: PLC0415

        download_url(f"{CIFAR_URL}/{archive}", str(root), archive, CIFAR_MD5[archive])

    return download


def download_flowers(root: Path) -> None:
    """Download the files that torchvision's class names: its reader would need SciPy."""
    from torchvision.datasets import Flowers102  # noqa: PLC0415
    from torchvision.datasets.utils import download_and_extract_archive, download_url  # noqa: PLC0415

    folder, files = str(root / "flowers-102"), Flowers102._file_dict
    archive, md5 = files["image"]
    download_and_extract_archive(f"{Flowers102._download_url_prefix}{archive}", folder, md5=md5)
    for part in ("label", "setid"):
        name, md5 = files[part]
        download_url(f"{Flowers102._download_url_prefix}{name}", folder, md5=md5)


def download_into(download: Download, root: Path, exists: Callable[[], bool]) -> None:
    """Download into a data root, unless another process did so meanwhile (`exists`). Half a download is never visible.

    Raises what torchvision raises: `OSError` (`URLError`), `RuntimeError`, `ImportError` and others.
    """
    root.mkdir(parents=True, exist_ok=True)
    with _exclusive_lock(root / ".downloading.lock"):
        if exists():
            return
        staging = root / ".downloading"
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir()
        try:
            download(staging)
            _move_into(staging, root)
        finally:
            shutil.rmtree(staging, ignore_errors=True)


@contextmanager
def _exclusive_lock(path: Path) -> Iterator[None]:
    """Wait until no other process downloads into the same root."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _move_into(source: Path, target: Path) -> None:
    """Move everything into a folder; each new folder appears at once."""
    for each in sorted(source.iterdir()):
        place = target / each.name
        if each.is_dir() and place.is_dir():
            _move_into(each, place)
        else:
            os.replace(each, place)
