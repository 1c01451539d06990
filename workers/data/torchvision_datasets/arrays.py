"""Readers of data sets whose images lie in a few files of numbers: bytes, tables, archives of bytes."""

import bz2
import csv
import tarfile
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from workers.data.columns import SplitColumns
from workers.data.formats.idx import read_idx
from workers.data.torchvision_datasets.matlab import read_matlab

Splits = dict[str, SplitColumns]

MNIST = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
QMNIST = {
    split: (f"qmnist-{split}-images-idx3-ubyte", f"qmnist-{split}-labels-idx2-int") for split in ("train", "test")
}
SVHN = {"train": "train_32x32.mat", "test": "test_32x32.mat"}
USPS = {"train": "usps.bz2", "test": "usps.t.bz2"}
FER = ("fer2013.csv", "icml_face_data.csv")  # with the labels of the test split; alike but for the order of columns


def emnist_files(part: str) -> dict[str, tuple[str, str]]:
    """Return the files of a part of EMNIST by split."""
    return {
        split: (f"emnist-{part}-{split}-images-idx3-ubyte", f"emnist-{part}-{split}-labels-idx1-ubyte")
        for split in ("train", "test")
    }


def with_gzip_name(name: str) -> tuple[str, str]:
    """Return the names of a file: plain, and packed by gzip."""
    return name, f"{name}.gz"


def find_file(folder: Path, *names: str) -> Path:
    """Return the first of these files that exists. Raises `FileNotFoundError`."""
    path = next((folder / name for name in names if (folder / name).is_file()), None)
    if path is None:
        raise FileNotFoundError(f"{names[0]} is missing")
    return path


def read_idx_files(folder: Path, files: Mapping[str, tuple[str, str]], first: int = 0) -> Splits:
    """Read the format of MNIST, whose classes begin at `first`; the first of several labels is the class."""
    splits: Splits = {}
    for split, names in files.items():
        images, labels = (read_idx(find_file(folder, *with_gzip_name(name))) for name in names)
        classes = labels if labels.ndim == 1 else labels[:, 0]
        splits[split] = {"image": images.unsqueeze(1), "label": classes.long() - first}
    return splits


def read_cifar(folder: Path, archive: str, files: Mapping[str, tuple[str, ...]], labels: tuple[str, ...]) -> Splits:
    """Read CIFAR's binary version, packed or not: each row has its labels, then an image."""
    inner = archive.removesuffix("-binary.tar.gz") + ("-batches-bin" if len(labels) == 1 else "-binary")
    members = [f"{inner}/{name}" for names in files.values() for name in names]
    contents = (
        _read_members(folder / archive, members)
        if (folder / archive).is_file()
        else {name: (folder / name).read_bytes() for name in members}
    )
    width, splits = len(labels) + 3 * 32 * 32, dict[str, SplitColumns]()
    for split, names in files.items():
        rows = torch.cat([_bytes(contents[f"{inner}/{name}"]).reshape(-1, width) for name in names])
        pixels = rows[:, len(labels) :].reshape(-1, 3, 32, 32).contiguous()
        splits[split] = {"image": pixels} | {name: rows[:, place].long() for place, name in enumerate(labels)}
    return splits


def _read_members(path: Path, names: list[str]) -> dict[str, bytes]:
    """Return these members of an archive. Nothing is written."""
    contents = {}
    with tarfile.open(path, "r:gz") as archive:
        for member in archive:
            file = archive.extractfile(member) if member.name in names and member.isfile() else None
            if file is not None:
                contents[member.name] = file.read()
    return contents


def _bytes(content: bytes) -> Tensor:
    return torch.from_numpy(np.frombuffer(content, np.uint8).copy())


def read_stl10(folder: Path) -> Splits:
    """Read images in column-major order, and labels from 1 on."""
    splits: Splits = {}
    for split in ("train", "test"):
        pixels = _bytes((folder / f"{split}_X.bin").read_bytes()).reshape(-1, 3, 96, 96).transpose(2, 3).contiguous()
        splits[split] = {"image": pixels, "label": _bytes((folder / f"{split}_y.bin").read_bytes()).long() - 1}
    return splits


def read_svhn(folder: Path) -> Splits:
    """Read images (height, width, channels, N) and labels, of which 10 stands for 0."""
    splits: Splits = {}
    for split, name in SVHN.items():
        matrices = read_matlab(folder / name)
        pixels = torch.from_numpy(np.ascontiguousarray(matrices["X"].transpose(3, 2, 0, 1).astype(np.uint8)))
        splits[split] = {"image": pixels, "label": torch.from_numpy(matrices["y"].reshape(-1).astype(np.int64)) % 10}
    return splits


def read_usps(folder: Path) -> Splits:
    """Read lines such as `7 1:-1 2:-0.25 …`: the class from 1 on, and values from -1 to 1."""
    splits: Splits = {}
    for split, name in USPS.items():
        with bz2.open(folder / name, "rt") as file:
            lines = [line.split() for line in file]
        values = np.array([[pair.partition(":")[2] for pair in line[1:]] for line in lines], np.float32)
        pixels = ((values + 1) / 2 * 255).astype(np.uint8).reshape(-1, 1, 16, 16)
        splits[split] = {"image": torch.from_numpy(pixels), "label": torch.tensor([int(line[0]) - 1 for line in lines])}
    return splits


def read_semeion(folder: Path) -> Splits:
    """Read lines of 256 pixels, 0 or 1, and a one-hot class of ten."""
    values = torch.from_numpy(np.loadtxt(folder / "semeion.data", dtype=np.float32, ndmin=2))
    pixels = (values[:, :256] * 255).to(torch.uint8).reshape(-1, 1, 16, 16)
    return {"train": {"image": pixels, "label": values[:, 256:].argmax(1)}}


def read_fer2013(folder: Path) -> Splits:
    """Read a table of emotions and pixels; its two test splits become one."""
    rows: dict[str, tuple[list[str], list[int]]] = {"train": ([], []), "test": ([], [])}
    with find_file(folder, *FER).open(newline="") as file:
        for row in csv.DictReader(file, skipinitialspace=True):
            pixels, labels = rows["train" if row["Usage"] == "Training" else "test"]
            pixels.append(row["pixels"])
            labels.append(int(row["emotion"]))
    return {
        split: {"image": _pixels(pixels, 48), "label": torch.tensor(labels)} for split, (pixels, labels) in rows.items()
    }


def _pixels(texts: list[str], size: int) -> Tensor:
    numbers: Iterator[int] = chain.from_iterable(map(int, text.split()) for text in texts)
    return torch.from_numpy(np.fromiter(numbers, np.uint8).reshape(len(texts), 1, size, size))
