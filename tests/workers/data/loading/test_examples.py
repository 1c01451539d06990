import pytest
import torch

from app.errors import DataError
from app.spec.data.columns import Column, DataSchema
from app.spec.data.sources import Split
from tests.workers.data import training_data
from workers.data.loading.examples import TrainingData
from workers.data.loading.sources import SourceData

SCHEMA = DataSchema(
    columns=(Column(name="x", shape=(3,), dtype="float32"), Column(name="y", shape=(), dtype="int64", classes=2)),
    rows={"train": 40},
    inputs=("x",),
    target="y",
)
CPU = torch.device("cpu")


def loaded(**splits: int) -> SourceData:
    generator = torch.Generator().manual_seed(0)
    made = {}
    for name, rows in splits.items():
        x = torch.randn(rows, 3, generator=generator) * torch.tensor([1.0, 5.0, 0.0]) + 2
        made[name] = {"x": x, "y": torch.arange(rows) % 2}
    return SourceData(made)


def cut(source: SourceData, split: Split | None = None, scale: str | None = None, seed: int = 0) -> TrainingData:
    return training_data.build_data(source, SCHEMA, split=split, seed=seed, scale=scale)


def test_without_validation_everything_is_for_training() -> None:
    data = cut(loaded(train=40))
    assert len(data.train) == 40
    assert data.validation is None


def test_a_test_split_validates_only_if_the_job_says_so() -> None:
    source = loaded(train=40, test=8)
    assert cut(source).validation is None
    assert len(cut(source, Split(split="test")).validation or ()) == 8
    assert len(cut(source, Split(fraction=0.5)).validation or ()) == 20


def test_a_fraction_is_drawn_with_the_seed() -> None:
    source = loaded(train=40)
    first, again, other = (cut(source, Split(fraction=0.25), seed=seed).validation for seed in (1, 1, 2))
    assert first is not None
    assert again is not None
    assert other is not None
    assert len(first) == 10
    assert first.inputs["x"].equal(again.inputs["x"])
    assert not first.inputs["x"].equal(other.inputs["x"])


def test_standard_scaling_is_measured_on_the_training_rows() -> None:
    data = cut(loaded(train=40), Split(fraction=0.25), "standard")
    x = data.train.inputs["x"]
    assert x.mean(0).abs().max() < 1e-6
    assert x.std(0, correction=0)[:2].sub(1).abs().max() < 1e-6
    assert x[:, 2].eq(0).all()  # a constant stays finite
    assert data.validation is not None
    assert data.validation.inputs["x"].mean(0)[:2].abs().min() > 1e-4


def test_unit_scaling_divides_by_the_largest_value_seen_in_training() -> None:
    assert cut(loaded(train=40), None, "unit").train.inputs["x"].abs().max() == 1


@pytest.mark.parametrize(("scale", "most"), [(None, 1.0), ("unit", 1.0), ("none", 255.0)])
def test_images_of_bytes_are_unit_scaled_by_default(scale: str | None, most: float) -> None:
    image = torch.tensor([0, 51, 255, 102], dtype=torch.uint8).reshape(4, 1, 1, 1)
    schema = SCHEMA.model_copy(
        update={"columns": (Column(name="x", shape=(1, 1, 1), dtype="float32", peak=255.0), SCHEMA.columns[1])}
    )
    source = SourceData({"train": {"x": image, "y": torch.arange(4) % 2}})
    data = training_data.build_data(source, schema, scale=scale)
    assert data.train.inputs["x"].dtype == torch.float32
    assert data.train.inputs["x"].max() == most


def test_data_that_is_not_what_the_schema_says_is_an_error() -> None:
    source = SourceData({"train": {"x": torch.zeros(4, 2), "y": torch.zeros(4)}})
    with pytest.raises(DataError, match=r"shape \[2\] per example, the schema says \[3\]"):
        cut(source)
    with pytest.raises(DataError, match='no column "y"'):
        cut(SourceData({"train": {"x": torch.zeros(4, 3)}}))


def test_rows_are_picked_and_sliced() -> None:
    rows = cut(loaded(train=10)).train
    inputs, targets = rows.batch(torch.tensor([3, 1]), CPU)
    assert inputs["x"].equal(rows.inputs["x"][[3, 1]])
    assert targets["y"].tolist() == [1, 1]
    parts = list(rows.iter_batches(4, CPU))
    assert [len(targets["y"]) for _, targets in parts] == [4, 4, 2]
    assert torch.cat([inputs["x"] for inputs, _ in parts]).equal(rows.inputs["x"])


@pytest.mark.parametrize("room", [0, 1 << 20])
def test_data_moves_to_the_device_only_where_it_fits(room: int) -> None:
    data = cut(loaded(train=40), Split(fraction=0.25)).to_device_if_fits(torch.device("meta"), room)
    assert data.train.device.type == ("meta" if room else "cpu")


def test_targets_are_cast_on_both_sides() -> None:
    casts = {"y": ("y", lambda column: column.to(torch.float32)), "whole": ("y", lambda column: column)}
    data = cut(loaded(train=40), Split(fraction=0.25)).cast(casts)
    assert data.validation is not None
    for rows in (data.train, data.validation):
        assert rows.targets.keys() == casts.keys()
        assert (rows.targets["y"].dtype, rows.targets["whole"].dtype) == (torch.float32, torch.int64)
