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


@pytest.mark.parametrize(("dtype", "scalars"), [("float32", (3.0, -3.0, 0.7, -0.7)), ("int64", (3, -3))])
def test_remainders_are_those_of_torch(tmp_path: Path, dtype: str, scalars: tuple[float, ...]) -> None:
    """The exporter of torch divides: of a million and 0.7 that is wrong by 0.008."""
    cases = {
        f"{kind}_{place}": (kind, scalar) for kind in ("remainder", "fmod") for place, scalar in enumerate(scalars)
    }
    nodes = [{"id": name, "kind": kind, "inputs": ["x"], "scalar": scalar} for name, (kind, scalar) in cases.items()]
    network = Network.model_validate({"inputs": ["x"], "nodes": nodes, "outputs": {name: name for name in cases}})
    path = tmp_path / "model.onnx"
    assert export_graph(network, make_schema(VALUES.shape[1], dtype), ("x",), {}, "onnx", path) == 0
    values = VALUES.to(getattr(torch, dtype))
    results = onnxruntime.InferenceSession(str(path)).run(list(cases), {"x": values.numpy()})
    for (kind, scalar), result in zip(cases.values(), results, strict=True):
        numpy.testing.assert_array_equal(result, getattr(torch, kind)(values, scalar).numpy())


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
