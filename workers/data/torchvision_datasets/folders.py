"""Readers of data sets whose images lie in folders, and where their labels come from."""

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

import torch

from app.spec.data import class_names as named
from workers.data.columns import SplitColumns
from workers.data.images.decoding import IMAGE_SUFFIXES
from workers.data.images.folder import FolderImages
from workers.data.torchvision_datasets.arrays import Splits
from workers.data.torchvision_datasets.matlab import read_matlab

LabeledFiles = Iterable[tuple[str, int]]  # an image's path in the folder, and its class
FileLister = Callable[[Path], Mapping[str, LabeledFiles]]  # by split, of a folder


def folder_reader(lists: FileLister) -> Callable[[Path], Splits]:
    """Return the reader of a folder whose images are listed by `lists`."""
    return lambda folder: {split: _split(folder, list(rows)) for split, rows in lists(folder).items()}


def _split(folder: Path, rows: list[tuple[str, int]]) -> SplitColumns:
    return {
        "image": FolderImages(folder, [name for name, _ in rows]),
        "label": torch.tensor([label for _, label in rows], dtype=torch.int64),
    }


def list_class_folders(
    folder: Path, labels: tuple[str, ...], places: Mapping[str, tuple[str, ...]], *, by_name: bool = False
) -> dict[str, list[tuple[str, int]]]:
    """List the images in folders of classes, which have these names, or this order; `places` are the parents by split.

    Raises `ValueError` if there are other classes.
    """
    return {
        split: [row for place in within for row in _classes(folder, place, labels, by_name)]
        for split, within in places.items()
    }


def _classes(folder: Path, place: str, labels: tuple[str, ...], by_name: bool) -> Iterator[tuple[str, int]]:
    ignored = {"BACKGROUND_Google"}  # of Caltech101: no class
    classes = sorted(each.name for each in (folder / place).iterdir() if each.is_dir() and each.name not in ignored)
    if len(classes) != len(labels) or (by_name and set(classes) != set(labels)):
        raise ValueError(f"{place or folder.name} has {len(classes)} classes, {len(labels)} are known")
    for number, name in enumerate(classes):
        for file in sorted((folder / place / name).iterdir()):
            if file.suffix.lower() in IMAGE_SUFFIXES:
                yield str(file.relative_to(folder)), labels.index(name) if by_name else number


def list_gtsrb(folder: Path) -> dict[str, LabeledFiles]:
    """List traffic signs: folders for training, a table for the test."""
    images = "GTSRB/Final_Test/Images"
    with (folder / "GT-final_test.csv").open(newline="") as file:
        test = [(f"{images}/{row['Filename']}", int(row["ClassId"])) for row in csv.DictReader(file, delimiter=";")]
    return {**list_class_folders(folder, named.GTSRB, {"train": ("GTSRB/Training",)}), "test": test}


def list_flowers(folder: Path) -> dict[str, LabeledFiles]:
    """List flowers, by MATLAB's tables: the validation split is for training too."""
    labels = read_matlab(folder / "imagelabels.mat")["labels"].reshape(-1)
    ids = read_matlab(folder / "setid.mat")
    splits = {"train": ("trnid", "valid"), "test": ("tstid",)}
    return {
        split: [
            (f"jpg/image_{number:05d}.jpg", int(labels[number - 1]) - 1)
            for part in parts
            for number in ids[part].reshape(-1).tolist()
        ]
        for split, parts in splits.items()
    }


def list_food(folder: Path) -> dict[str, LabeledFiles]:
    """List dishes, by JSON: {"apple_pie": ["apple_pie/1005649", …], …}."""
    splits = {split: json.loads((folder / "meta" / f"{split}.json").read_text()) for split in ("train", "test")}
    return {
        split: [
            (f"images/{name}.jpg", named.FOOD101.index(dish))
            for dish, names in sorted(dishes.items())
            for name in names
        ]
        for split, dishes in splits.items()
    }


def list_pets(folder: Path) -> dict[str, LabeledFiles]:
    """List cats and dogs, by lines such as `Abyssinian_100 1 1 1`: the second is the class, from 1 on."""
    splits = {"train": "trainval", "test": "test"}
    return {
        split: [
            (f"images/{line[0]}.jpg", int(line[1]) - 1) for line in _read_fields(folder / "annotations" / f"{name}.txt")
        ]
        for split, name in splits.items()
    }


def list_textures(folder: Path) -> dict[str, LabeledFiles]:
    """List textures of the first partition, by lines such as `banded/banded_0002.jpg`."""
    splits = {"train": ("train1", "val1"), "test": ("test1",)}
    return {
        split: [
            (f"images/{line[0]}", named.DTD.index(line[0].partition("/")[0]))
            for name in names
            for line in _read_fields(folder / "labels" / f"{name}.txt")
        ]
        for split, names in splits.items()
    }


def list_aircraft(folder: Path) -> dict[str, LabeledFiles]:
    """List aircraft by variant, by lines such as `1025794 707-320`."""
    splits = {"train": "trainval", "test": "test"}
    return {
        split: [
            (f"images/{line[0]}.jpg", named.AIRCRAFT.index(" ".join(line[1:])))
            for line in _read_fields(folder / f"images_variant_{name}.txt")
        ]
        for split, name in splits.items()
    }


def list_scenes(folder: Path) -> dict[str, LabeledFiles]:
    """List scenes, whose folders are nested: a/apse/indoor/sun_….jpg."""
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("sun_*.jpg"))
    return {"train": [(name, named.SUN397.index("/".join(name.split("/")[1:-1]))) for name in names]}


def _read_fields(path: Path) -> list[list[str]]:
    return [line.split() for line in path.read_text().splitlines() if line.strip() and not line.startswith("#")]


TRAIN_AND_TEST = {"train": ("train", "valid"), "test": ("test",)}

# Data set → lister of its images.
FILE_LISTERS: Mapping[str, FileLister] = {
    "EuroSAT": partial(list_class_folders, labels=named.EUROSAT, places={"train": ("",)}, by_name=True),
    "Imagenette": partial(list_class_folders, labels=named.IMAGENETTE, places={"train": ("train",), "test": ("val",)}),
    "GTSRB": list_gtsrb,
    "Flowers102": list_flowers,
    "Food101": list_food,
    "OxfordIIITPet": list_pets,
    "DTD": list_textures,
    "FGVCAircraft": list_aircraft,
    "Country211": partial(list_class_folders, labels=named.COUNTRIES, places=TRAIN_AND_TEST),
    "RenderedSST2": partial(list_class_folders, labels=named.SENTIMENTS, places=TRAIN_AND_TEST, by_name=True),
    "Caltech101": partial(list_class_folders, labels=named.CALTECH101, places={"train": ("",)}, by_name=True),
    "Caltech256": partial(list_class_folders, labels=named.CALTECH256, places={"train": ("",)}),
    "SUN397": list_scenes,
}
