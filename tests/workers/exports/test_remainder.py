"""Exported remainders are those of torch, whatever the sign and the size, and a difference is measured where it is."""

from pathlib import Path
from typing import Any

import numpy
import onnxruntime
import pytest
import torch

from app.spec.data.columns import DataSchema
from app.spec.network.network import Network
from workers.exports.catalog import export_graph
from workers.exports.samples import input_sampler, sample_count
from workers.network.inference.shape_inference import infer_shapes

VALUES = torch.tensor([[-5.0, -3, -0.5, 0, 0.5, 3, 5, 7.5, 100.3, -100.3, 1e6, -1e6, 2.1, -2.1]])


def make_schema(width: int, dtype: str, **fields: Any) -> DataSchema:
    column = {"name": "x", "shape": [width], "dtype": dtype, **fields}
    return DataSchema.model_validate({"columns": [column], "rows": {"train": 9}, "inputs": ["x"]})


@pytest.mark.parametrize("kind", ["remainder", "fmod"])
@pytest.mark.parametrize(
    ("dtype", "scalar"),
    [("float32", 3.0), ("float32", -3.0), ("float32", 0.7), ("float32", -0.7), ("int64", 3), ("int64", -3)],
)
def test_remainders_are_those_of_torch(tmp_path: Path, kind: str, dtype: str, scalar: float) -> None:
    """The exporter of torch divides: of a million and 0.7 that is wrong by 0.008."""
    network = Network.model_validate({"layers": [{"kind": kind, "scalar": scalar}]})
    path = tmp_path / "model.onnx"
    assert export_graph(network, make_schema(VALUES.shape[1], dtype), ("x",), {}, "onnx", path) == 0
    values = VALUES.to(getattr(torch, dtype))
    (found,) = onnxruntime.InferenceSession(str(path)).run(None, {"x": values.numpy()})
    numpy.testing.assert_array_equal(found, getattr(torch, kind)(values, scalar).numpy())


@pytest.mark.parametrize("dtype", ["float32", "int64"])
def test_samples_fill_the_range_of_the_data(dtype: str) -> None:
    network = Network.model_validate({"layers": [{"kind": "abs"}]})
    known = make_schema(4, dtype)
    blueprint = infer_shapes(network, known, ("x",)).blueprint
    count = sample_count(blueprint, known)
    (drawn,) = input_sampler(blueprint, known, {"x": (-1000.0, 50.0)})(count)
    assert count == 255
    assert -1000 <= drawn.min() < -980
    assert 30 < drawn.max() <= 50
    (plain,) = input_sampler(blueprint, known)(count)
    assert plain.min() < 0 if dtype == "float32" else set(plain.flatten().tolist()) == {0, 1}


@pytest.mark.parametrize(("width", "count"), [(1, 255), (100, 41), (3 * 224 * 224, 5)])
def test_large_examples_are_compared_in_small_numbers(width: int, count: int) -> None:
    known = make_schema(width, "float32")
    network = Network.model_validate({"layers": [{"kind": "abs"}]})
    assert sample_count(infer_shapes(network, known, ("x",)).blueprint, known) == count
