import pytest

from app.spec.job import parse_job
from tests.workers.jobs import make_job, make_schema
from workers.data.loading.examples import random_split
from workers.data.loading.sampler import Sampler
from workers.training.validation.batch_sizes import BatchSizes, held_out_rows, training_rows, validation_rows


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("batch_size", [1, 2, 3, 7, 64])
@pytest.mark.parametrize("rows", [1, 2, 6, 7, 8, 65, 129])
def test_sizes_are_those_of_the_sampler(rows: int, batch_size: int, drop_last: bool) -> None:
    sampler = Sampler(0, rows, batch_size, drop_last=drop_last)
    drawn = [len(indices) for step in range(sampler.steps_per_epoch) for indices, _ in sampler.batches(step)]
    sizes = BatchSizes.of(rows, batch_size, drop_last)
    assert {sizes.full, sizes.last} == set(drawn)
    assert sizes.smallest == min(drawn)


@pytest.mark.parametrize(
    ("rows", "batch_size", "expected"), [(65, 64, 63), (2, 1, 2), (3, 1, 3), (9, 1, 3), (10, 3, 2), (101, 10, 9)]
)
def test_the_nearest_size_that_leaves_no_row_alone(rows: int, batch_size: int, expected: int) -> None:
    size = BatchSizes.of(rows, batch_size).nearest_without_single()
    assert size == expected
    assert BatchSizes.of(rows, expected).smallest > 1


def test_a_single_row_is_always_alone() -> None:
    assert BatchSizes.of(1, 64).nearest_without_single() is None


@pytest.mark.parametrize("fraction", [0.001, 0.2, 0.5, 0.999])
@pytest.mark.parametrize("rows", [2, 3, 65, 1797])
def test_held_out_rows_are_those_of_the_split(rows: int, fraction: float) -> None:
    kept, held_out = random_split(rows, fraction, 0)
    assert held_out_rows(rows, fraction) == len(held_out)
    data = {"kind": "builtin", "name": "digits", "validation": {"fraction": fraction}}
    job = parse_job(make_job([{"kind": "Linear", "out_features": 2}], data=data))
    schema = make_schema((), "int64", 2).model_copy(update={"rows": {"train": rows}})
    assert training_rows(job, schema) == len(kept)
    assert validation_rows(job, schema) == len(held_out)


def test_without_a_fraction_the_test_split_is_evaluated() -> None:
    job = parse_job(make_job([{"kind": "Linear", "out_features": 2}]))
    schema = make_schema((), "int64", 2)
    assert (training_rows(job, schema), validation_rows(job, schema)) == (100, None)
    split = schema.model_copy(update={"rows": {"train": 100, "test": 9}})
    assert (training_rows(job, split), validation_rows(job, split)) == (100, 9)
