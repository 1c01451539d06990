"""Data sets of torchvision by name: where their files lie under the data root, what reads and what fetches them."""

import struct
import tarfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

from app.errors import DataError
from app.spec.data.torchvision_datasets import HOMES
from app.spec.data.torchvision_datasets import TORCHVISION as SPOKEN
from workers.data.torchvision_datasets import arrays, downloads
from workers.data.torchvision_datasets.arrays import Splits, plain_or_packed
from workers.data.torchvision_datasets.downloads import Download, by_class
from workers.data.torchvision_datasets.folders import LISTS, pictures

INCOMPLETE = 0.95  # of its pictures: a set that has fewer is not all there
BROKEN = (OSError, EOFError, ValueError, KeyError, IndexError, TypeError, RuntimeError, struct.error, zlib.error,
          tarfile.TarError)  # fmt: skip # what damaged files bring about
UNREACHED = (OSError, RuntimeError, ImportError, ValueError, AttributeError, *BROKEN)  # what downloads bring about

BATCHES = tuple(f"data_batch_{number}.bin" for number in range(1, 6))


@dataclass(frozen=True)
class Named:
    """One data set. Of `needed` each is a file or folder that must be there, under one of these names."""

    folders: tuple[str, ...]  # under the data root, in which its files may lie; the first is torchvision's
    needed: tuple[tuple[str, ...], ...]
    read: Callable[[Path], Splits]
    download: Download | None

    def found(self, root: Path) -> Path | None:
        """Return the folder in which everything is that is needed."""
        folders = (root / folder for folder in self.folders)
        return next((folder for folder in folders if all(
            any((folder / name).exists() for name in names) for names in self.needed)), None)  # fmt: skip


def _idx(name: str, *others: str) -> Named:
    needed = tuple(plain_or_packed(file) for names in arrays.MNIST.values() for file in names)
    return Named(
        (f"{name}/raw", name, *others), needed, partial(arrays.read_idx_files, files=arrays.MNIST), by_class(name)
    )


def _emnist(part: str) -> Named:
    files = arrays.emnist(part)
    needed = tuple(plain_or_packed(file) for names in files.values() for file in names)
    read = partial(arrays.read_idx_files, files=files, first=1 if part == "letters" else 0)
    return Named(("EMNIST/raw", "EMNIST", "EMNIST/raw/gzip"), needed, read, by_class("EMNIST", {"split": part}))


def _cifar(name: str, archive: str, inner: str, files: Mapping[str, tuple[str, ...]], labels: tuple[str, ...]) -> Named:
    read = partial(arrays.read_cifar, archive=archive, files=files, labels=labels)
    return Named(("", name), ((archive, inner),), read, downloads.cifar(archive))


def _files(name: str, folder: str, needed: tuple[str, ...], *variants: Mapping[str, str]) -> Named:
    return Named((folder,), tuple((each,) for each in needed), pictures(LISTS[name]), by_class(name, *variants))


QMNIST_FILES = tuple(plain_or_packed(file) for names in arrays.QMNIST.values() for file in names)
STL10_FILES = tuple((f"{split}_{part}.bin",) for split in ("train", "test") for part in "Xy")

TORCHVISION: Mapping[str, Named] = {
    "MNIST": _idx("MNIST", "mnist"),
    "FashionMNIST": _idx("FashionMNIST", "fashion-mnist"),
    "KMNIST": _idx("KMNIST", "kmnist"),
    "QMNIST": Named(("QMNIST/raw", "QMNIST"), QMNIST_FILES, partial(arrays.read_idx_files, files=arrays.QMNIST),
                    by_class("QMNIST", {"what": "train"}, {"what": "test"})),
    **{f"EMNIST-{part}": _emnist(part) for part in ("byclass", "bymerge", "balanced", "letters", "digits", "mnist")},
    "USPS": Named(("", "USPS"), tuple((name,) for name in arrays.USPS.values()), arrays.read_usps,
                  downloads.by_splits("USPS", "train", "test")),
    "SEMEION": Named(("", "SEMEION"), (("semeion.data",),), arrays.read_semeion, by_class("SEMEION")),
    "FER2013": Named(("fer2013", "FER2013"), (arrays.FER,), arrays.read_fer2013, None),
    "CIFAR10": _cifar("CIFAR10", "cifar-10-binary.tar.gz", "cifar-10-batches-bin",
                      {"train": BATCHES, "test": ("test_batch.bin",)}, ("label",)),
    "CIFAR100": _cifar("CIFAR100", "cifar-100-binary.tar.gz", "cifar-100-binary",
                       {"train": ("train.bin",), "test": ("test.bin",)}, ("coarse", "label")),
    "SVHN": Named(("", "SVHN"), tuple((name,) for name in arrays.SVHN.values()), arrays.read_svhn,
                  downloads.by_splits("SVHN", "train", "test")),
    "STL10": Named(("stl10_binary", "STL10/stl10_binary"), STL10_FILES, arrays.read_stl10, by_class("STL10")),
    "EuroSAT": _files("EuroSAT", "eurosat/2750", ("River",)),
    "Imagenette": _files("Imagenette", "imagenette2", ("train", "val"), {"split": "train"}),
    "GTSRB": _files("GTSRB", "gtsrb", ("GTSRB/Training", "GTSRB/Final_Test/Images", "GT-final_test.csv"),
                    {"split": "train"}, {"split": "test"}),
    "Flowers102": Named(("flowers-102",), (("jpg",), ("imagelabels.mat",), ("setid.mat",)),
                        pictures(LISTS["Flowers102"]), downloads.flowers),
    "Food101": _files("Food101", "food-101", ("meta", "images")),
    "OxfordIIITPet": _files("OxfordIIITPet", "oxford-iiit-pet", ("annotations", "images")),
    "DTD": _files("DTD", "dtd/dtd", ("labels", "images")),
    "FGVCAircraft": _files("FGVCAircraft", "fgvc-aircraft-2013b/data", ("images_variant_test.txt", "images")),
    "Country211": _files("Country211", "country211", ("train", "valid", "test")),
    "RenderedSST2": _files("RenderedSST2", "rendered-sst2", ("train", "valid", "test")),
    "Caltech101": _files("Caltech101", "caltech101/101_ObjectCategories", ("accordion",)),
    "Caltech256": _files("Caltech256", "caltech256/256_ObjectCategories", ("001.ak47",)),
    "SUN397": _files("SUN397", "SUN397", ("a",)),
}  # fmt: skip


def load(name: str, root: Path, allow_downloads: bool) -> Splits:
    """Read a data set from the data root; if it is not there, it is downloaded first, where that is allowed.

    Raises `DataError`.
    """
    named = TORCHVISION[name]
    folder = named.found(root)
    if folder is None and named.download is not None and allow_downloads:
        _fetched(name, named.download, root)
        folder = named.found(root)
    if folder is None:
        where = named.folders[0] or "the data root itself"
        files = ", ".join(" or ".join(names) for names in named.needed)
        place = f"put {files} into {where}" + (" under the data root" if named.folders[0] else "")
        hint = f"{place}, or allow downloads" if named.download is not None else f"{place}; see {HOMES[name]}"
        raise DataError(f"{name} is not on this machine", pointer="/data/name", hint=hint)
    try:
        splits = named.read(folder)
    except BROKEN as error:
        raise _unusable(name, folder, f"is damaged: {error}") from error
    for split, rows in SPOKEN[name].rows.items():
        found = len(cast(list[int], splits[split]["label"]))
        if found < rows * INCOMPLETE:
            raise _unusable(name, folder, f"is not complete: {found:,} of {rows:,} pictures of {split} are there")
    return splits


def _unusable(name: str, folder: Path, detail: str) -> DataError:
    hint = f"remove {folder.name or 'its files'} from the data root, and download it again"
    return DataError(f"{name} {detail}", pointer="/data/name", hint=hint)


def _fetched(name: str, download: Download, root: Path) -> None:
    try:
        downloads.fetch(download, root, lambda: TORCHVISION[name].found(root) is not None)
    except UNREACHED as error:
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        hint = f"try again later, or put its files under the data root by hand; see {HOMES[name]}"
        raise DataError(f"{name} cannot be downloaded: {reason}", pointer="/data/name", hint=hint) from error
