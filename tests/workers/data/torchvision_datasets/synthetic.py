"""Small data sets in the files and folders of the real ones, and torchvision's own way to read each."""

import bz2
import csv
import gzip
import io
import json
import struct
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io
from PIL import Image

from app.spec.data import class_names as named

Array = np.ndarray[Any, Any]
RANDOM = np.random.default_rng(0)


def random_bytes(*shape: int) -> Array:
    return RANDOM.integers(0, 256, shape, np.uint8)


def write_idx(path: Path, values: Array, packed: bool = False) -> None:
    code = {"u1": 8, "i4": 12}[values.dtype.str[1:]]
    content = (
        struct.pack(f">HBB{values.ndim}I", 0, code, values.ndim, *values.shape)
        + values.astype(values.dtype.newbyteorder(">")).tobytes()
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    if packed:
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(content))
    else:
        path.write_bytes(content)


def write_image(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = {".ppm": "PPM", ".png": "PNG"}.get(path.suffix, "BMP")  # detected by its content, whatever its name
    Image.fromarray(random_bytes(4 + len(path.name) % 3, 5, 3)).save(path, kind)


def write_mnist(root: Path, name: str, packed: bool = False, rows: tuple[int, int] = (5, 3)) -> None:
    for part, count in zip(("train", "t10k"), rows, strict=True):
        write_idx(root / name / "raw" / f"{part}-images-idx3-ubyte", random_bytes(count, 28, 28), packed)
        write_idx(root / name / "raw" / f"{part}-labels-idx1-ubyte", random_bytes(count) % 10, packed)


def write_emnist(root: Path, part: str) -> None:
    for split, rows in (("train", 5), ("test", 3)):
        write_idx(root / "EMNIST/raw" / f"emnist-{part}-{split}-images-idx3-ubyte", random_bytes(rows, 28, 28))
        write_idx(
            root / "EMNIST/raw" / f"emnist-{part}-{split}-labels-idx1-ubyte",
            random_bytes(rows) % 10 + (part == "letters"),
        )


def write_qmnist(root: Path) -> None:
    for split, rows in (("train", 5), ("test", 3)):
        write_idx(root / "QMNIST/raw" / f"qmnist-{split}-images-idx3-ubyte", random_bytes(rows, 28, 28))
        write_idx(
            root / "QMNIST/raw" / f"qmnist-{split}-labels-idx2-int", (random_bytes(rows, 8) % 10).astype(np.int32)
        )


def write_usps(root: Path) -> None:
    for name, rows in (("usps.bz2", 5), ("usps.t.bz2", 3)):
        lines = [
            f"{row % 10 + 1} "
            + " ".join(f"{place}:{value:.4f}" for place, value in enumerate(RANDOM.uniform(-1, 1, 256), 1))
            for row in range(rows)
        ]
        (root / name).write_bytes(bz2.compress("\n".join(lines).encode() + b"\n"))


def write_semeion(root: Path) -> None:
    lines = [
        " ".join(f"{value:.4f}" for value in random_bytes(256) % 2)
        + " "
        + " ".join(str(int(place == row % 10)) for place in range(10))
        for row in range(5)
    ]
    (root / "semeion.data").write_text(" \n".join(lines) + " \n")


def write_fer2013(root: Path, name: str = "fer2013.csv") -> None:
    fields = ["emotion", "pixels", "Usage"] if name == "fer2013.csv" else ["emotion", " Usage", " pixels"]
    (root / "fer2013").mkdir()
    with (root / "fer2013" / name).open("w", newline="") as file:
        writer = csv.DictWriter(file, fields)
        writer.writeheader()
        for row, usage in enumerate(("Training", "Training", "PublicTest", "PrivateTest", "Training")):
            pixels = " ".join(map(str, random_bytes(48 * 48)))
            values = {"emotion": row, "pixels": pixels, "Usage": usage}
            writer.writerow({field: values[field.strip()] for field in fields})


def write_cifar(root: Path, classes: int) -> None:
    files = {"cifar-10-batches-bin/batches.meta.txt": b"airplane", "../evil": b"x"} if classes == 10 else {}
    names = [f"data_batch_{number}.bin" for number in range(1, 6)] if classes == 10 else ["train.bin"]
    folder, test = ("cifar-10-batches-bin", "test_batch.bin") if classes == 10 else ("cifar-100-binary", "test.bin")
    for name in [*names, test]:
        labels = (
            random_bytes(2, 1) % 10
            if classes == 10
            else np.concatenate([random_bytes(2, 1) % 20, random_bytes(2, 1) % 100], 1)
        )
        files[f"{folder}/{name}"] = np.concatenate([labels, random_bytes(2, 3072)], 1).tobytes()
    with tarfile.open(root / f"cifar-{classes}-binary.tar.gz", "w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def write_stl10(root: Path) -> None:
    (root / "stl10_binary").mkdir()
    for split, rows in (("train", 3), ("test", 2)):
        (root / "stl10_binary" / f"{split}_X.bin").write_bytes(random_bytes(rows, 3, 96, 96).tobytes())
        (root / "stl10_binary" / f"{split}_y.bin").write_bytes((random_bytes(rows) % 10 + 1).tobytes())
    (root / "stl10_binary" / "class_names.txt").write_text("\n".join(named.STL10))
    for name in ("fold_indices.txt", "unlabeled_X.bin"):
        (root / "stl10_binary" / name).write_bytes(b"")


def write_svhn(root: Path) -> None:
    for split, rows in (("train", 5), ("test", 3)):
        values = {
            "X": random_bytes(32, 32, 3, rows),
            "y": (np.arange(rows).reshape(-1, 1) * 3 % 10 + 1).astype(np.uint8),
        }
        scipy.io.savemat(root / f"{split}_32x32.mat", values, do_compression=True)


def write_class_folders(root: Path, folder: str, classes: Any, suffix: str = ".jpg", prefix: str = "") -> None:
    for number, name in enumerate(classes):
        for row in range(2 if number < 2 else 1):
            write_image(root / folder / str(name) / f"{prefix}{row}{suffix}")


def write_gtsrb(root: Path) -> None:
    write_class_folders(root, "gtsrb/GTSRB/Training", [f"{number:05d}" for number in range(43)], ".ppm")
    rows = [{"Filename": f"{row:05d}.ppm", "Width": 5, "ClassId": row * 7} for row in range(4)]
    for row in rows:
        write_image(root / "gtsrb/GTSRB/Final_Test/Images" / str(row["Filename"]))
    with (root / "gtsrb/GT-final_test.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["Filename", "Width", "ClassId"], delimiter=";")
        writer.writeheader()
        writer.writerows(rows)


def write_flowers(root: Path) -> None:
    for number in range(1, 8):
        write_image(root / "flowers-102/jpg" / f"image_{number:05d}.jpg")
    folder = root / "flowers-102"
    scipy.io.savemat(folder / "imagelabels.mat", {"labels": np.array([[77, 1, 102, 5, 5, 9, 3]], np.uint8)})
    splits = {"trnid": [[3, 1]], "valid": [[7, 4]], "tstid": [[2, 5, 6]]}
    scipy.io.savemat(folder / "setid.mat", {name: np.array(ids, np.uint16) for name, ids in splits.items()})


def write_food(root: Path) -> None:
    for split, ids in (("train", (11, 12)), ("test", (21,))):
        listed = {dish: [f"{dish}/{number}" for number in ids] for dish in reversed(named.FOOD101)}
        (root / "food-101/meta").mkdir(parents=True, exist_ok=True)
        (root / "food-101/meta" / f"{split}.json").write_text(json.dumps(listed))
        for names in listed.values():
            for name in names:
                write_image(root / "food-101/images" / f"{name}.jpg")


def write_pets(root: Path) -> None:
    for split, first in (("trainval", 0), ("test", 100)):
        lines = [f"{name}_{first + number} {number + 1} 1 1" for number, name in enumerate(named.OXFORD_PETS)]
        (root / "oxford-iiit-pet/annotations").mkdir(parents=True, exist_ok=True)
        (root / "oxford-iiit-pet/annotations" / f"{split}.txt").write_text("\n".join(lines) + "\n")
        for line in lines:
            write_image(root / "oxford-iiit-pet/images" / f"{line.split()[0]}.jpg")


def write_textures(root: Path) -> None:
    for number, split in enumerate(("train1", "val1", "test1")):
        lines = [f"{name}/{name}_{number:04d}.jpg" for name in named.DTD]
        (root / "dtd/dtd/labels").mkdir(parents=True, exist_ok=True)
        (root / "dtd/dtd/labels" / f"{split}.txt").write_text("\n".join(lines) + "\n")
        for line in lines:
            write_image(root / "dtd/dtd/images" / line)


def write_aircraft(root: Path) -> None:
    folder = root / "fgvc-aircraft-2013b/data"
    folder.mkdir(parents=True)
    (folder / "variants.txt").write_text("\n".join(named.AIRCRAFT) + "\n")
    for split, first in (("trainval", 0), ("test", 500)):
        lines = [f"{first + number:07d} {name}" for number, name in enumerate(named.AIRCRAFT)]
        (folder / f"images_variant_{split}.txt").write_text("\n".join(lines) + "\n")
        for line in lines:
            write_image(folder / "images" / f"{line.split()[0]}.jpg")


def write_split_folders(root: Path, folder: str, classes: Any, suffix: str) -> None:
    for split in ("train", "valid", "test"):
        write_class_folders(root, f"{folder}/{split}", classes, suffix, split)


def write_caltech101(root: Path) -> None:
    write_class_folders(root, "caltech101/101_ObjectCategories", ())
    for name in (*named.CALTECH101, "BACKGROUND_Google"):
        write_image(root / "caltech101/101_ObjectCategories" / name / "image_0001.jpg")


def write_caltech256(root: Path) -> None:
    for number, name in enumerate(named.CALTECH256, 1):
        write_image(root / "caltech256/256_ObjectCategories" / f"{number:03d}.{name}" / f"{number:03d}_0001.jpg")


def write_scenes(root: Path) -> None:
    for number, name in enumerate(named.SUN397):
        write_image(root / "SUN397" / name[0] / name / f"sun_{number}.jpg")
    (root / "SUN397/ClassName.txt").write_text("".join(f"/{name[0]}/{name}\n" for name in named.SUN397))


WNIDS = [
    "n01440764",
    "n02102040",
    "n02979186",
    "n03000684",
    "n03028079",
    "n03394916",
    "n03417042",
    "n03425413",
    "n03445777",
    "n03888257",
]
COUNTRIES = [f"{number:03d}" for number in range(211)]


def write_imagenette(root: Path) -> None:
    for split in ("train", "val"):
        write_class_folders(root, f"imagenette2/{split}", WNIDS, ".jpeg", split)


# Data set → what writes a small one.
WRITERS: Mapping[str, Callable[[Path], None]] = {
    **{name: lambda root, name=name: write_mnist(root, name) for name in ("MNIST", "FashionMNIST", "KMNIST")},  # type: ignore[misc]
    **{
        f"EMNIST-{part}": lambda root, part=part: write_emnist(root, part)  # type: ignore[misc]
        for part in ("byclass", "bymerge", "balanced", "letters", "digits", "mnist")
    },
    "QMNIST": write_qmnist,
    "USPS": write_usps,
    "SEMEION": write_semeion,
    "FER2013": write_fer2013,
    "CIFAR10": lambda root: write_cifar(root, 10),
    "CIFAR100": lambda root: write_cifar(root, 100),
    "SVHN": write_svhn,
    "STL10": write_stl10,
    "EuroSAT": lambda root: write_class_folders(root, "eurosat/2750", named.EUROSAT),
    "Imagenette": write_imagenette,
    "GTSRB": write_gtsrb,
    "Flowers102": write_flowers,
    "Food101": write_food,
    "OxfordIIITPet": write_pets,
    "DTD": write_textures,
    "FGVCAircraft": write_aircraft,
    "Country211": lambda root: write_split_folders(root, "country211", COUNTRIES, ".jpg"),
    "RenderedSST2": lambda root: write_split_folders(root, "rendered-sst2", named.SENTIMENTS, ".png"),
    "Caltech101": write_caltech101,
    "Caltech256": write_caltech256,
    "SUN397": write_scenes,
}
