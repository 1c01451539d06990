"""Data sets of torchvision are read from the files that torchvision has, to the same pictures and labels."""

import sys
import tarfile
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
import scipy.io
import torch
from torch import Tensor

from app.errors import DataError
from app.spec.data.torchvision_datasets import HOMEPAGES, TORCHVISION_SCHEMAS, UNSUPPORTED_DATASETS
from tests.workers.data.torchvision_datasets.reference import TORCHVISION_SETTINGS, labels_and_pixels
from tests.workers.data.torchvision_datasets.synthetic import (
    WRITERS,
    random_bytes,
    write_cifar,
    write_fer2013,
    write_mnist,
)
from workers.data.loading import sources
from workers.data.torchvision_datasets import catalog, downloads
from workers.data.torchvision_datasets.arrays import Splits
from workers.data.torchvision_datasets.catalog import TORCHVISION, load_dataset
from workers.data.torchvision_datasets.folders import list_class_folders
from workers.data.torchvision_datasets.matlab import read_matlab

from torchvision import datasets  # isort: skip - after workers.torch_setup


def read(name: str, root: Path) -> Splits:
    folder = TORCHVISION[name].find_folder(root)
    assert folder is not None
    return TORCHVISION[name].read(folder)


def torchvision_rows() -> list[ModuleType]:
    """Return the modules of torchvision's data sets."""
    return [module for name, module in sys.modules.items() if name.startswith("torchvision.datasets.")]


def rows(split: Any) -> list[tuple[int, bytes]]:
    """Return label and pixels of each picture of a split of ours."""
    images, labels = split["image"], split["label"].tolist()
    pictures = images if isinstance(images, Tensor) else [images.read(row) for row in range(len(images))]
    return [(label, image.numpy().tobytes()) for label, image in zip(labels, pictures, strict=True)]


def test_every_data_set_of_torchvision_is_here_or_left_out_for_a_reason() -> None:
    assert {name.partition("-")[0] for name in TORCHVISION_SCHEMAS} | UNSUPPORTED_DATASETS.keys() == set(
        datasets.__all__
    )
    assert not TORCHVISION_SCHEMAS.keys() & UNSUPPORTED_DATASETS.keys()
    assert TORCHVISION_SCHEMAS.keys() == TORCHVISION.keys() == HOMEPAGES.keys() == WRITERS.keys()


@pytest.mark.parametrize("name", TORCHVISION_SCHEMAS)
def test_a_data_set_is_what_its_schema_says(name: str, tmp_path: Path) -> None:
    WRITERS[name](tmp_path)
    schema, splits = TORCHVISION_SCHEMAS[name], read(name, tmp_path)
    assert splits.keys() == schema.rows.keys()
    image = schema.column("image")
    assert image is not None
    for split in splits.values():
        assert split.keys() == {column.name for column in schema.columns}
        for column in schema.columns:
            values: Any = split[column.name]
            assert len(values) == len(split["label"]) > 0  # type: ignore[arg-type]
            if column.classes is not None:
                assert len(column.labels or ()) == column.classes
                assert values.dtype == torch.int64
                assert 0 <= values.min() <= values.max() < column.classes
            elif column.type == "tensor":
                assert (values.dtype, tuple(values.shape[1:])) == (torch.uint8, column.shape)
            else:
                assert values.read(0).shape[0] == column.shape[0]
                assert len(values.take(torch.tensor([0]))) == 1


@pytest.mark.parametrize("name", TORCHVISION_SETTINGS)
def test_torchvision_reads_the_same(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    WRITERS[name](tmp_path)
    for module in torchvision_rows():
        if "check_integrity" in vars(module):  # of whole data sets
            monkeypatch.setattr(module, "check_integrity", lambda path, md5=None: Path(path).is_file())
    ours = read(name, tmp_path)
    source = getattr(datasets, name.partition("-")[0])
    first = 1 if name == "EMNIST-letters" else 0
    for split, variants in TORCHVISION_SETTINGS[name].items():
        theirs = [row for settings in variants for row in labels_and_pixels(source(str(tmp_path), **settings))]
        assert sorted(rows(ours[split])) == sorted((label - first, pixels) for label, pixels in theirs)


@pytest.mark.parametrize("folder", ["FashionMNIST/raw", "FashionMNIST", "fashion-mnist"])
@pytest.mark.parametrize("packed", [False, True])
def test_files_are_found_where_they_may_lie(folder: str, packed: bool, tmp_path: Path) -> None:
    write_mnist(tmp_path / "there", "FashionMNIST", packed)
    (tmp_path / folder).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "there/FashionMNIST/raw").rename(tmp_path / folder)
    assert len(rows(read("FashionMNIST", tmp_path)["train"])) == 5


@pytest.mark.parametrize("classes", [10, 100])
def test_cifar_is_read_packed_and_unpacked_alike(classes: int, tmp_path: Path) -> None:
    write_cifar(tmp_path, classes)
    packed = read(f"CIFAR{classes}", tmp_path)
    assert not (tmp_path.parent / "evil").exists()
    archive = tmp_path / f"cifar-{classes}-binary.tar.gz"
    with tarfile.open(archive) as file:
        members = [member for member in file if ".." not in member.name]
        file.extractall(tmp_path, members, filter="data")
    archive.unlink()
    unpacked = read(f"CIFAR{classes}", tmp_path)
    for split in ("train", "test"):
        assert len(rows(packed[split])) == (10 if (classes, split) == (10, "train") else 2)
        assert rows(packed[split]) == rows(unpacked[split])
    assert ("coarse" in packed["train"]) is (classes == 100)


def test_the_other_table_of_faces_is_the_same(tmp_path: Path) -> None:
    for name in ("fer2013.csv", "icml_face_data.csv"):
        (tmp_path / name[:3]).mkdir()
        write_fer2013(tmp_path / name[:3], name)
    one, two = (read("FER2013", tmp_path / name) for name in ("fer", "icm"))
    assert [one[split]["label"].tolist() for split in one] == [two[split]["label"].tolist() for split in two]  # type: ignore[union-attr]


@pytest.mark.parametrize("packed", [False, True])
def test_matlab_files_are_read(packed: bool, tmp_path: Path) -> None:
    values = {
        "a": random_bytes(3, 4, 5),
        "b": np.arange(6.0).reshape(2, 3),
        "c": np.array([[7]], np.int16),
        "long_name": random_bytes(1, 9),
        "word": "text",
        "cell": np.array([["x", 1]], object),
    }
    scipy.io.savemat(tmp_path / "a.mat", values, do_compression=packed)
    found = read_matlab(tmp_path / "a.mat")
    assert found.keys() == {"a", "b", "c", "long_name"}
    for name, array in found.items():
        assert np.array_equal(array, values[name])  # type: ignore[arg-type]


@pytest.mark.parametrize("content", [b"", b"x" * 200, b"\0" * 124 + b"\0\1IM" + b"\x0f\0\0\0\x09\0\0\0notzipped"])
def test_what_is_no_matlab_file_is_refused(content: bytes, tmp_path: Path) -> None:
    for split in ("train", "test"):
        (tmp_path / f"{split}_32x32.mat").write_bytes(content)
    with pytest.raises(DataError, match="SVHN is damaged"):
        load_dataset("SVHN", tmp_path, False)


def test_what_is_not_there_is_told_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="MNIST is not on this machine") as caught:
        load_dataset("MNIST", tmp_path, False)
    assert "train-images-idx3-ubyte or train-images-idx3-ubyte.gz" in caught.value.hint
    assert "MNIST/raw under the data root, or allow downloads" in caught.value.hint
    with pytest.raises(DataError) as caught:
        load_dataset("FER2013", tmp_path, True)
    assert HOMEPAGES["FER2013"] in caught.value.hint


def test_half_a_data_set_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_mnist(tmp_path, "MNIST")
    with pytest.raises(DataError, match="5 of 60,000 images of train"):
        sources.load_source({"kind": "torchvision", "name": "MNIST"}, root=tmp_path, allow_downloads=False)
    monkeypatch.setitem(
        catalog.TORCHVISION_SCHEMAS, "MNIST", TORCHVISION_SCHEMAS["MNIST"].model_copy(update={"rows": {"train": 5}})
    )
    loaded = sources.load_source({"kind": "torchvision", "name": "MNIST"}, root=tmp_path, allow_downloads=False)
    assert len(rows(loaded.splits["train"])) == 5


@pytest.mark.parametrize(
    ("name", "spoilt"),
    [
        ("MNIST", "MNIST/raw/t10k-labels-idx1-ubyte"),
        ("CIFAR10", "cifar-10-binary.tar.gz"),
        ("USPS", "usps.t.bz2"),
        ("SEMEION", "semeion.data"),
        ("FER2013", "fer2013/fer2013.csv"),
        ("STL10", "stl10_binary/test_X.bin"),
        ("Food101", "food-101/meta/test.json"),
        ("OxfordIIITPet", "oxford-iiit-pet/annotations/test.txt"),
        ("DTD", "dtd/dtd/labels/val1.txt"),
        ("FGVCAircraft", "fgvc-aircraft-2013b/data/images_variant_test.txt"),
        ("GTSRB", "gtsrb/GT-final_test.csv"),
        ("Flowers102", "flowers-102/setid.mat"),
    ],
)
def test_damaged_files_are_told(name: str, spoilt: str, tmp_path: Path) -> None:
    WRITERS[name](tmp_path)
    (tmp_path / spoilt).write_bytes(b"spoilt, beyond repair\n")
    with pytest.raises(DataError) as caught:
        load_dataset(name, tmp_path, False)
    assert caught.value.pointer == "/data/name"
    assert caught.value.hint


@pytest.mark.parametrize("name", ["EuroSAT", "Imagenette", "Country211"])
def test_other_classes_are_told(name: str, tmp_path: Path) -> None:
    WRITERS[name](tmp_path)
    folder = TORCHVISION[name].find_folder(tmp_path)
    assert folder is not None
    (folder / ("train" if name != "EuroSAT" else "") / "another").mkdir()
    with pytest.raises(DataError, match=r"classes, \d+ are known"):
        load_dataset(name, tmp_path, False)


@pytest.mark.parametrize("suffix", [".pgm", ".pbm", ".PPM"])
def test_folders_hold_every_image_format_that_archives_do(suffix: str, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / f"1{suffix}").touch()
    (tmp_path / "a" / "readme.txt").touch()
    assert list_class_folders(tmp_path, ("a",), {"train": ("",)}) == {"train": [(f"a/1{suffix}", 0)]}


def test_a_picture_that_is_damaged_or_gone_is_named(tmp_path: Path) -> None:
    WRITERS["EuroSAT"](tmp_path)
    images: Any = read("EuroSAT", tmp_path)["train"]["image"]
    (tmp_path / "eurosat/2750" / images.names[3]).write_bytes(b"none")
    (tmp_path / "eurosat/2750" / images.names[4]).unlink()
    with pytest.raises(DataError, match=f'"{images.names[3]}", cannot be decoded'):
        images.read(3)
    with pytest.raises(DataError, match=f'"{images.names[4]}", does not exist'):
        images.read(4)


def test_downloads_appear_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(root: Path) -> None:
        WRITERS["EuroSAT"](root)
        raise URLError("the network is gone")

    root, named = tmp_path / "data", TORCHVISION["EuroSAT"]
    small = TORCHVISION_SCHEMAS["EuroSAT"].model_copy(update={"rows": {"train": 12}})
    tries = iter([interrupted, WRITERS["EuroSAT"]])

    def download(root: Path) -> None:
        next(tries)(root)

    monkeypatch.setitem(catalog.TORCHVISION_SCHEMAS, "EuroSAT", small)
    monkeypatch.setitem(vars(catalog)["TORCHVISION"], "EuroSAT", replace(named, download=download))
    with pytest.raises(DataError, match=r"EuroSAT cannot be downloaded: .*the network is gone") as caught:
        load_dataset("EuroSAT", root, True)
    assert HOMEPAGES["EuroSAT"] in caught.value.hint
    assert named.find_folder(root) is None
    assert len(rows(load_dataset("EuroSAT", root, True)["train"])) == 12
    assert [path.name for path in root.iterdir() if path.is_dir()] == ["eurosat"]
    assert len(rows(load_dataset("EuroSAT", root, True)["train"])) == 12  # and no third time


def test_downloads_into_a_folder_that_is_there_add_to_it(tmp_path: Path) -> None:
    WRITERS["EMNIST-digits"](tmp_path)
    downloads.download_into(WRITERS["EMNIST-letters"], tmp_path, lambda: False)
    assert read("EMNIST-digits", tmp_path).keys() == read("EMNIST-letters", tmp_path).keys()


@pytest.mark.parametrize("name", [name for name, named in TORCHVISION.items() if named.download is not None])
def test_every_download_asks_for_addresses_with_sums(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = []

    def asks(*args: Any, **settings: Any) -> None:
        requests.append((args, settings))
        raise URLError("no network here")

    for module in torchvision_rows():
        for function in ("download_url", "download_and_extract_archive", "download_file_from_google_drive"):
            if function in vars(module):
                monkeypatch.setattr(module, function, asks)
    with pytest.raises(DataError, match="cannot be downloaded"):
        load_dataset(name, tmp_path, True)
    (first, settings), *_ = requests
    assert first[0].startswith("http")
    if name != "FGVCAircraft":  # of which torchvision knows no sum
        assert any(isinstance(each, str) and len(each) == 32 for each in (*first, *settings.values()))
