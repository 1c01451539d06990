import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from app.errors import DataError
from app.spec.data import BUILTIN, TORCHVISION
from tests.workers.data.cutting import cut
from workers.data import sources


def test_language_and_workers_know_the_same_names() -> None:
    assert sources.BUILTIN.keys() == BUILTIN.keys()
    assert sources.TORCHVISION.keys() == TORCHVISION.keys()


@pytest.mark.parametrize("name", BUILTIN)
def test_samples_are_what_their_schema_says(name: str, tmp_path: Path) -> None:
    loaded = sources.load({"kind": "builtin", "name": name}, root=tmp_path, allow_downloads=False)
    schema = BUILTIN[name]
    assert schema.target is not None
    data = cut(loaded, schema)
    assert len(data.train) == schema.rows["train"]
    target = schema.column(schema.target)
    assert target is not None
    if target.classes is not None:
        assert data.train.targets[schema.target].unique().tolist() == list(range(target.classes))


def test_digits_lie_in_zero_to_one(tmp_path: Path) -> None:
    loaded = sources.load({"kind": "builtin", "name": "digits"}, root=tmp_path, allow_downloads=False)
    image = cut(loaded, BUILTIN["digits"]).train.inputs["image"]
    assert (image.min(), image.max()) == (0, 1)


@pytest.mark.parametrize("file", sorted(sources.SAMPLES.glob("*.npz")), ids=lambda path: path.name)
def test_samples_are_small_and_their_licence_is_told(file: Path) -> None:
    assert file.stat().st_size <= 200 << 10
    assert f"`{file.name}`" in (sources.SAMPLES / "README.md").read_text()


def write_idx(path: Path, values: np.ndarray, packed: bool) -> None:
    content = struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape) + values.tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    if packed:
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(content))
    else:
        path.write_bytes(content)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("folder", sources.TORCHVISION["FashionMNIST"])
def test_idx_files_are_found_and_read(tmp_path: Path, folder: str, packed: bool) -> None:
    for images, labels in sources.IDX_FILES.values():
        write_idx(tmp_path / folder / images, np.arange(3 * 4, dtype=np.uint8).reshape(3, 2, 2), packed)
        write_idx(tmp_path / folder / labels, np.array([2, 0, 1], np.uint8), packed)
    loaded = sources.load({"kind": "torchvision", "name": "FashionMNIST"}, root=tmp_path, allow_downloads=False)
    assert loaded.splits["train"]["image"].shape == (3, 1, 2, 2)
    assert loaded.splits["test"]["label"].tolist() == [2, 0, 1]


def test_missing_files_without_downloads_are_an_error_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not on this machine") as caught:
        sources.load({"kind": "torchvision", "name": "MNIST"}, root=tmp_path, allow_downloads=False)
    assert "MNIST/raw" in caught.value.hint


@pytest.mark.parametrize("content", [b"", b"\0\0\x08\x01", b"\0\0\x08\x01\0\0\0\x05abc", b"\1\0\x08\x01\0\0\0\x01a"])
def test_damaged_idx_files_are_an_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "labels"
    path.write_bytes(content)
    with pytest.raises(DataError):
        sources.read_idx(path)


def test_uploads_are_read_from_their_file(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, x=np.zeros((4, 2, 2), np.uint8), y=np.zeros(4))
    data = {"kind": "upload", "format": "npz"}
    loaded = sources.load(data, root=tmp_path, allow_downloads=False, content=path)
    assert loaded.splits["train"]["x"].dtype == torch.uint8
    with pytest.raises(DataError, match="no content"):
        sources.load(data, root=tmp_path, allow_downloads=False)
    path.write_bytes(b"broken")
    with pytest.raises(DataError, match="cannot be read"):
        sources.load(data, root=tmp_path, allow_downloads=False, content=path)
