"""The default feature of tables, beside scikit-learn's preprocessors."""

import json

import numpy as np
import pytest
import torch
from sklearn.preprocessing import OneHotEncoder, QuantileTransformer, StandardScaler

from app.spec.data.columns import Column, DataSchema
from app.spec.data.encodings.datetime_feature import DatetimeFeature
from app.spec.data.encodings.table_feature import TableFeature
from workers.data.features.datetimes import DatetimePreprocessor
from workers.data.features.scaling import MAX_QUANTILES, QuantileScaling
from workers.data.features.tables import TablePreprocessor

ROWS = 300
RNG = np.random.default_rng(0)
AMOUNTS = np.exp(RNG.normal(size=ROWS) * 3)
SECONDS = 1.7e9 + RNG.integers(0, 100, ROWS)  # which single precision cannot tell apart
COLOURS = RNG.choice(["blue", "red", "white"], ROWS).tolist()
GAPS = RNG.random(ROWS) < 0.1
SCHEMA = DataSchema(
    columns=(
        Column(name="amount", type="number", missing=int(GAPS.sum())),
        Column(name="colour", type="category", labels=("blue", "red", "white"), missing=1),
        Column(name="seconds", type="number"),
    ),
    rows={"train": ROWS},
    inputs=("amount", "colour", "seconds"),
)
SPLIT = {
    "amount": torch.from_numpy(np.where(GAPS, np.nan, AMOUNTS)),
    "colour": [None, *COLOURS[1:]],
    "seconds": torch.from_numpy(SECONDS.astype(float)),
}


def fitted(**settings: object) -> TablePreprocessor:
    feature = TableFeature.model_validate({"columns": ["amount", "colour", "seconds"], "scale": "standard", **settings})
    return TablePreprocessor.fit("x", feature, SCHEMA, SPLIT)


def tensor(preprocessor: TablePreprocessor) -> np.ndarray:
    column = preprocessor.transform(SPLIT)["x"]
    assert isinstance(column, torch.Tensor)
    assert column.dtype == torch.float32
    return column.numpy()


def test_columns_stand_side_by_side() -> None:
    values = tensor(fitted())
    filled = np.where(GAPS, AMOUNTS[~GAPS].mean(), AMOUNTS)
    numbers = StandardScaler().fit_transform(np.stack([filled, SECONDS], 1))
    words = OneHotEncoder(sparse_output=False).fit(np.array(COLOURS)[:, None]).transform(np.array(COLOURS)[:, None])
    words[0] = 0  # a missing word
    expected = np.concatenate([numbers[:, :1], GAPS[:, None], words, numbers[:, 1:]], 1)
    np.testing.assert_allclose(values, expected, atol=1e-6)


def test_quantiles_are_those_of_scikit_learn() -> None:
    values = np.stack([AMOUNTS, RNG.integers(0, 3, ROWS)], 1).astype(float)
    scaling = QuantileScaling.fit(torch.from_numpy(values))
    transformer = QuantileTransformer(n_quantiles=MAX_QUANTILES, output_distribution="normal").fit(values)
    found, expected = scaling(torch.from_numpy(values)).numpy(), transformer.transform(values)
    inner = np.abs(expected) < 3  # the tails are clipped elsewhere
    np.testing.assert_allclose(found[inner], expected[inner], atol=1e-6)


def test_dates_are_their_parts() -> None:
    schema = SCHEMA.model_copy(update={"columns": (*SCHEMA.columns, Column(name="day", type="datetime"))})
    split = SPLIT | {"day": torch.linspace(0, 4e8, ROWS, dtype=torch.float64)}
    feature = TableFeature(columns=("seconds", "day"), scale="standard")
    preprocessor = TablePreprocessor.fit("x", feature, schema, split)
    values = preprocessor.transform(split)["x"]
    expected = DatetimePreprocessor.fit("day", DatetimeFeature(column="day"), schema, split).transform(split)["day"]
    assert isinstance(values, torch.Tensor)
    assert values.shape[1] == feature.width(schema)
    assert torch.equal(values[:, 1:], expected)
    again = TablePreprocessor.load("x", feature, schema, json.loads(json.dumps(preprocessor.state())))
    assert torch.equal(again.transform(split)["x"], values)


@pytest.mark.parametrize("scale", ["standard", "quantile", "unit", "none"])
@pytest.mark.parametrize("missing", ["mean", "median", "zero"])
def test_a_stored_table_transforms_alike(scale: str, missing: str) -> None:
    preprocessor = fitted(scale=scale, missing=missing, indicators=False)
    state = json.loads(json.dumps(preprocessor.state()))
    again = TablePreprocessor.load("x", preprocessor.feature, SCHEMA, state)
    assert (tensor(again) == tensor(preprocessor)).all()
    assert tensor(again).shape == (ROWS, 5)


def test_unknown_words_and_new_gaps_are_taken() -> None:
    row = {"amount": torch.tensor([2.0]), "colour": ["green"], "seconds": torch.tensor([float("nan")])}
    column = fitted().transform(row)["x"]
    assert isinstance(column, torch.Tensor)
    assert column[0, 1:].tolist() == [0, 0, 0, 0, 0]
