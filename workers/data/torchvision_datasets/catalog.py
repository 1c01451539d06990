"""Data sets of torchvision by name: their folders under the data root, their readers and downloads."""

import struct
import tarfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

from app.errors import DataError, first_line
from app.spec.data.torchvision_datasets import HOMEPAGES, TORCHVISION_SCHEMAS
from workers.data.torchvision_datasets import arrays, downloads
from workers.data.torchvision_datasets.arrays import Splits, with_gzip_name
from workers.data.torchvision_datasets.downloads import Download, download_by_class
from workers.data.torchvision_datasets.folders import FILE_LISTERS, folder_reader

MIN_COMPLETE_FRACTION = 0.95  # of the images: a data set with fewer is incomplete
READ_ERRORS = (
    OSError,
    EOFError,
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    RuntimeError,
    struct.error,
    zlib.error,
    tarfile.TarError,
)  # of damaged files
DOWNLOAD_ERRORS = (OSError, RuntimeError, ImportError, ValueError, AttributeError, *READ_ERRORS)  # of downloads

CIFAR10_TRAIN_FILES = tuple(f"data_batch_{number}.bin" for number in range(1, 6))


@dataclass(frozen=True)
class TorchvisionDataset:
    """One data set. Each of `required_files` is a file or folder that must exist under one of its names."""

    folders: tuple[str, ...]  # under the data root where its files may lie; torchvision's comes first
    required_files: tuple[tuple[str, ...], ...]
    read: Callable[[Path], Splits]
    download: Download | None

    def find_folder(self, root: Path) -> Path | None:
        """Return the first folder that has all required files."""
        folders = (root / folder for folder in self.folders)
        return next(
            (
                folder
                for folder in folders
                if all(any((folder / name).exists() for name in names) for names in self.required_files)
            ),
            None,
        )


def _idx(name: str, *others: str) -> TorchvisionDataset:
    required = tuple(with_gzip_name(file) for names in arrays.MNIST.values() for file in names)
    return TorchvisionDataset(
        (f"{name}/raw", name, *others),
        required,
        partial(arrays.read_idx_files, files=arrays.MNIST),
        download_by_class(name),
    )


def _emnist(part: str) -> TorchvisionDataset:
    files = arrays.emnist_files(part)
    required = tuple(with_gzip_name(file) for names in files.values() for file in names)
    read = partial(arrays.read_idx_files, files=files, first=1 if part == "letters" else 0)
    return TorchvisionDataset(
        ("EMNIST/raw", "EMNIST", "EMNIST/raw/gzip"), required, read, download_by_class("EMNIST", {"split": part})
    )


def _cifar(
    name: str, archive: str, inner: str, files: Mapping[str, tuple[str, ...]], labels: tuple[str, ...]
) -> TorchvisionDataset:
    read = partial(arrays.read_cifar, archive=archive, files=files, labels=labels)
    return TorchvisionDataset(("", name), ((archive, inner),), read, downloads.download_cifar(archive))


def _files(name: str, folder: str, required: tuple[str, ...], *variants: Mapping[str, str]) -> TorchvisionDataset:
    return TorchvisionDataset(
        (folder,),
        tuple((each,) for each in required),
        folder_reader(FILE_LISTERS[name]),
        download_by_class(name, *variants),
    )


QMNIST_FILES = tuple(with_gzip_name(file) for names in arrays.QMNIST.values() for file in names)
STL10_FILES = tuple((f"{split}_{part}.bin",) for split in ("train", "test") for part in "Xy")

TORCHVISION: Mapping[str, TorchvisionDataset] = {
    "MNIST": _idx("MNIST", "mnist"),
    "FashionMNIST": _idx("FashionMNIST", "fashion-mnist"),
    "KMNIST": _idx("KMNIST", "kmnist"),
    "QMNIST": TorchvisionDataset(
        ("QMNIST/raw", "QMNIST"),
        QMNIST_FILES,
        partial(arrays.read_idx_files, files=arrays.QMNIST),
        download_by_class("QMNIST", {"what": "train"}, {"what": "test"}),
    ),
    **{f"EMNIST-{part}": _emnist(part) for part in ("byclass", "bymerge", "balanced", "letters", "digits", "mnist")},
    "USPS": TorchvisionDataset(
        ("", "USPS"),
        tuple((name,) for name in arrays.USPS.values()),
        arrays.read_usps,
        downloads.download_by_splits("USPS", "train", "test"),
    ),
    "SEMEION": TorchvisionDataset(
        ("", "SEMEION"), (("semeion.data",),), arrays.read_semeion, download_by_class("SEMEION")
    ),
    "FER2013": TorchvisionDataset(("fer2013", "FER2013"), (arrays.FER,), arrays.read_fer2013, None),
    "CIFAR10": _cifar(
        "CIFAR10",
        "cifar-10-binary.tar.gz",
        "cifar-10-batches-bin",
        {"train": CIFAR10_TRAIN_FILES, "test": ("test_batch.bin",)},
        ("label",),
    ),
    "CIFAR100": _cifar(
        "CIFAR100",
        "cifar-100-binary.tar.gz",
        "cifar-100-binary",
        {"train": ("train.bin",), "test": ("test.bin",)},
        ("coarse", "label"),
    ),
    "SVHN": TorchvisionDataset(
        ("", "SVHN"),
        tuple((name,) for name in arrays.SVHN.values()),
        arrays.read_svhn,
        downloads.download_by_splits("SVHN", "train", "test"),
    ),
    "STL10": TorchvisionDataset(
        ("stl10_binary", "STL10/stl10_binary"), STL10_FILES, arrays.read_stl10, download_by_class("STL10")
    ),
    "EuroSAT": _files("EuroSAT", "eurosat/2750", ("River",)),
    "Imagenette": _files("Imagenette", "imagenette2", ("train", "val"), {"split": "train"}),
    "GTSRB": _files(
        "GTSRB",
        "gtsrb",
        ("GTSRB/Training", "GTSRB/Final_Test/Images", "GT-final_test.csv"),
        {"split": "train"},
        {"split": "test"},
    ),
    "Flowers102": TorchvisionDataset(
        ("flowers-102",),
        (("jpg",), ("imagelabels.mat",), ("setid.mat",)),
        folder_reader(FILE_LISTERS["Flowers102"]),
        downloads.download_flowers,
    ),
    "Food101": _files("Food101", "food-101", ("meta", "images")),
    "OxfordIIITPet": _files("OxfordIIITPet", "oxford-iiit-pet", ("annotations", "images")),
    "DTD": _files("DTD", "dtd/dtd", ("labels", "images")),
    "FGVCAircraft": _files("FGVCAircraft", "fgvc-aircraft-2013b/data", ("images_variant_test.txt", "images")),
    "Country211": _files("Country211", "country211", ("train", "valid", "test")),
    "RenderedSST2": _files("RenderedSST2", "rendered-sst2", ("train", "valid", "test")),
    "Caltech101": _files("Caltech101", "caltech101/101_ObjectCategories", ("accordion",)),
    "Caltech256": _files("Caltech256", "caltech256/256_ObjectCategories", ("001.ak47",)),
    "SUN397": _files("SUN397", "SUN397", ("a",)),
}


def load_dataset(name: str, root: Path, allow_downloads: bool) -> Splits:
    """Read a data set from the data root; if it is missing, download it first, where that is allowed.

    Raises `DataError`.
    """
    dataset = TORCHVISION[name]
    folder = dataset.find_folder(root)
    if folder is None and dataset.download is not None and allow_downloads:
        _download(name, dataset.download, root)
        folder = dataset.find_folder(root)
    if folder is None:
        where = dataset.folders[0] or "the data root itself"
        files = ", ".join(" or ".join(names) for names in dataset.required_files)
        place = f"put {files} into {where}" + (" under the data root" if dataset.folders[0] else "")
        hint = f"{place}, or allow downloads" if dataset.download is not None else f"{place}; see {HOMEPAGES[name]}"
        raise DataError(f"{name} is not on this machine", pointer="/data/name", hint=hint)
    try:
        splits = dataset.read(folder)
    except READ_ERRORS as error:
        raise _dataset_error(name, folder, f"is damaged: {error}") from error
    for split, rows in TORCHVISION_SCHEMAS[name].rows.items():
        count = len(cast(list[int], splits[split]["label"]))
        if count < rows * MIN_COMPLETE_FRACTION:
            raise _dataset_error(name, folder, f"is not complete: {count:,} of {rows:,} images of {split} exist")
    return splits


def _dataset_error(name: str, folder: Path, detail: str) -> DataError:
    hint = f"remove {folder.name or 'its files'} from the data root, and download it again"
    return DataError(f"{name} {detail}", pointer="/data/name", hint=hint)


def _download(name: str, download: Download, root: Path) -> None:
    try:
        downloads.download_into(download, root, lambda: TORCHVISION[name].find_folder(root) is not None)
    except DOWNLOAD_ERRORS as error:
        hint = f"try again later, or put its files under the data root by hand; see {HOMEPAGES[name]}"
        raise DataError(f"{name} cannot be downloaded: {first_line(error)}", pointer="/data/name", hint=hint) from error
