from pathlib import Path

import numpy as np
import pytest
import torch

from app.errors import DataError
from app.spec.data.sources import BUILTIN_SCHEMAS
from tests.workers.data.training_data import build_data
from workers.data.formats.idx import read_idx
from workers.data.loading import sources


def test_language_and_workers_know_the_same_names() -> None:
    assert sources.BUILTIN.keys() == BUILTIN_SCHEMAS.keys()


@pytest.mark.parametrize("name", BUILTIN_SCHEMAS)
def test_samples_are_what_their_schema_says(name: str, tmp_path: Path) -> None:
    loaded = sources.load_source({"kind": "builtin", "name": name}, root=tmp_path, allow_downloads=False)
    schema = BUILTIN_SCHEMAS[name]
    assert schema.target is not None
    data = build_data(loaded, schema)
    assert len(data.train) == schema.rows["train"]
    target = schema.column(schema.target)
    assert target is not None
    if target.classes is not None:
        assert data.train.targets[schema.target].unique().tolist() == list(range(target.classes))


def test_digits_lie_in_zero_to_one(tmp_path: Path) -> None:
    loaded = sources.load_source({"kind": "builtin", "name": "digits"}, root=tmp_path, allow_downloads=False)
    image = build_data(loaded, BUILTIN_SCHEMAS["digits"]).train.inputs["image"]
    assert (image.min(), image.max()) == (0, 1)


@pytest.mark.parametrize("file", sorted(sources.SAMPLES_DIR.glob("*.npz")), ids=lambda path: path.name)
def test_samples_are_small_and_their_licence_is_told(file: Path) -> None:
    assert file.stat().st_size <= 200 << 10
    assert f"`{file.name}`" in (sources.SAMPLES_DIR / "README.md").read_text()


@pytest.mark.parametrize("content", [b"", b"\0\0\x08\x01", b"\0\0\x08\x01\0\0\0\x05abc", b"\1\0\x08\x01\0\0\0\x01a"])
def test_damaged_idx_files_are_an_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "labels"
    path.write_bytes(content)
    with pytest.raises(DataError):
        read_idx(path)


def test_uploads_are_read_from_their_file(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, x=np.zeros((4, 2, 2), np.uint8), y=np.zeros(4))
    data = {"kind": "upload", "format": "npz"}
    loaded = sources.load_source(data, root=tmp_path, allow_downloads=False, content=path)
    assert loaded.splits["train"]["x"].dtype == torch.uint8
    with pytest.raises(DataError, match="no content"):
        sources.load_source(data, root=tmp_path, allow_downloads=False)
    path.write_bytes(b"broken")
    with pytest.raises(DataError, match="cannot be read"):
        sources.load_source(data, root=tmp_path, allow_downloads=False, content=path)
