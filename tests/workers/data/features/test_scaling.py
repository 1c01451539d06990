"""Scalings of numbers beside scikit-learn's transformers: forwards, backwards, stored, and where they are refused."""

import json
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, QuantileTransformer, RobustScaler, StandardScaler

from app.errors import DataError
from app.spec.data.columns import Column, DataSchema
from app.spec.data.encodings.table_feature import TableFeature
from app.spec.data.features import NumbersFeature
from tests.workers.data.schemas import fit_preparation, job_view, stored_schema
from workers.data.features.numbers import NumbersPreprocessor
from workers.data.features.scaling import MAX_QUANTILES, BaseScaling, fit_scaling, load_scaling
from workers.data.features.tables import TablePreprocessor

RNG = np.random.default_rng(3)
ROWS = 500
VALUES = np.stack(
    [np.exp(RNG.normal(size=ROWS) * 2), RNG.integers(0, 4, ROWS), RNG.normal(size=ROWS) ** 2, np.full(ROWS, 7.25)], 1
).astype(np.float64)
BEYOND = np.array([[-0.5, -0.9, 1e4, 7.25], [1e9, 50.0, 0.0, 3.0]])  # outside of what is fitted


def quantiles(distribution: str) -> QuantileTransformer:
    return QuantileTransformer(n_quantiles=MAX_QUANTILES, output_distribution=distribution)


TRANSFORMERS: dict[str, Any] = {
    "standard": StandardScaler(),
    "log": make_pipeline(FunctionTransformer(np.log1p, np.expm1), StandardScaler()),
    "min_max": MinMaxScaler(),
    "robust": RobustScaler(),
    "quantile": quantiles("normal"),
    "quantile_uniform": quantiles("uniform"),
}


def fitted(scale: str) -> BaseScaling:
    scaling = fit_scaling(torch.from_numpy(VALUES), scale, None)
    assert scaling is not None
    return scaling


@pytest.mark.parametrize("scale", TRANSFORMERS)
def test_scalings_are_those_of_scikit_learn(scale: str) -> None:
    scaling, transformer = fitted(scale), TRANSFORMERS[scale].fit(VALUES)
    for values in (VALUES, BEYOND):
        scaled = scaling(torch.from_numpy(values))
        expected = transformer.transform(values)
        is_tied = np.zeros_like(values, bool)  # with the least or the greatest, which scikit-learn takes for an end
        if "quantile" in scale:
            is_tied[:, 1::2] = (values <= VALUES.min(0))[:, 1::2] | (values >= VALUES.max(0))[:, 1::2]
        np.testing.assert_allclose(scaled.numpy()[~is_tied], expected[~is_tied], rtol=1e-9, atol=1e-9)
        back = scaling.inverse_transform(scaled).numpy()
        np.testing.assert_allclose(back, transformer.inverse_transform(expected), rtol=1e-7)


@pytest.mark.parametrize("scale", TRANSFORMERS)
def test_values_are_decoded_back_also_from_float32_and_a_file(scale: str) -> None:
    scaling = fitted(scale)
    again = load_scaling(json.loads(json.dumps(scaling.state())))
    assert again is not None
    scaled = scaling(torch.from_numpy(VALUES))
    assert torch.equal(again(torch.from_numpy(VALUES)), scaled)
    assert torch.equal(again.inverse_transform(scaled), scaling.inverse_transform(scaled))
    np.testing.assert_allclose(again.inverse_transform(scaled).numpy(), VALUES, rtol=1e-7)
    np.testing.assert_allclose(again.inverse_transform(scaled.float().double()).numpy(), VALUES, rtol=2e-3, atol=1e-3)


@pytest.mark.parametrize("scale", TRANSFORMERS)
@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
def test_rows_have_any_shape(scale: str, shape: tuple[int, ...]) -> None:
    values = torch.from_numpy(RNG.random((40, *shape)))
    scaling = fit_scaling(values, scale, None)
    assert scaling is not None
    assert scaling.shape == torch.Size(shape)
    assert scaling(values).shape == values.shape
    torch.testing.assert_close(scaling.inverse_transform(scaling(values)), values, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("scale", TRANSFORMERS)
def test_a_single_row_and_missing_values(scale: str) -> None:
    schema = stored_schema(a={"type": "number", "missing": 1}, rows=1)
    preparation = fit_preparation(
        schema,
        {"a": torch.tensor([2.0], dtype=torch.float64)},
        ("a",),
        features={"a": {"kind": "numbers", "columns": ["a"], "scale": scale}},
    )
    rows = preparation.transform({"a": torch.tensor([2.0, torch.nan], dtype=torch.float64)}, ("a",))["a"]
    assert isinstance(rows, torch.Tensor)
    assert rows[0].equal(rows[1])  # the mean of train
    assert rows.isfinite().all()


@pytest.mark.parametrize("scale", [*TRANSFORMERS, "unit", "none"])
@pytest.mark.parametrize("kind", ["numbers", "table"])
def test_stored_features_transform_alike(kind: str, scale: str) -> None:
    names = ("a", "b", "c", "d")
    schema = DataSchema(columns=tuple(Column(name=name, type="number") for name in names), rows={}, inputs=names)
    split = {name: torch.from_numpy(VALUES[:, number]) for number, name in enumerate(names)}
    feature: Any = {"numbers": NumbersFeature, "table": TableFeature}[kind](columns=names, scale=scale)
    preprocessor: Any = {"numbers": NumbersPreprocessor, "table": TablePreprocessor}[kind]
    once = preprocessor.fit("x", feature, schema, split)
    again = preprocessor.load("x", feature, schema, json.loads(json.dumps(once.state())))
    assert torch.equal(once.transform(split)["x"], again.transform(split)["x"])


@pytest.mark.parametrize("kind", ["numbers", "table"])
def test_logarithms_of_negative_numbers_name_their_row(kind: str) -> None:
    schema = stored_schema(a="number", b="number", rows=3)
    rows = {"a": torch.tensor([1.0, 2.0, 3.0]).double(), "b": torch.tensor([0.0, -2.0, 1.0]).double()}
    features = {"x": {"kind": kind, "columns": ["a", "b"], "scale": "log"}}
    with pytest.raises(DataError, match='"b" is -2 in row 2'):
        fit_preparation(schema, rows, ("x",), features=features)
    known = stored_schema(a="number", b={"type": "number", "statistics": {"min": -2.0}}, rows=3)
    (problem,) = job_view(known, features=features).problems
    assert (problem.pointer, problem.code) == ("/data/features/x/scale", "out_of_range")


def test_images_are_not_scaled_by_ranks() -> None:
    schema = stored_schema(picture={"type": "image", "shape": (3, 8, 8)})
    (problem,) = job_view(schema, scale="robust").problems
    assert problem.pointer == "/data/scale"
