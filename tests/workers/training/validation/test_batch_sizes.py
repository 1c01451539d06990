from typing import Any

import pytest

from app.spec.job import parse_job
from tests.workers.jobs import make_job, make_schema
from workers.data.loading.sampler import Sampler
from workers.data.loading.splits import random_split
from workers.training.validation.batch_sizes import BatchSizes, known_training_rows, known_validation_rows


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
    data = {"kind": "builtin", "name": "digits", "validation": {"fraction": fraction}}
    job = parse_job(make_job([{"kind": "Linear", "out_features": 2}], data=data))
    schema = make_schema((), "int64", 2).model_copy(update={"rows": {"train": rows}})
    assert known_training_rows(job, schema.rows) == len(kept)
    assert known_validation_rows(job, schema.rows) == len(held_out)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({}, (100, 9)),
        ({"validation": {"split": "test"}}, (100, 5)),
        ({"validation": {"fraction": 0.2}, "test": {"fraction": 0.1}}, (70, 20)),
        ({"validation": {"fraction": 0.2, "group": "y"}}, (None, None)),
    ],
)
def test_roles_take_their_rows(data: dict[str, Any], expected: tuple[int | None, int | None]) -> None:
    layers = [{"kind": "Linear", "out_features": 2}]
    job = parse_job(make_job(layers, data={"kind": "builtin", "name": "digits"} | data))
    rows = {"train": 100, "validation": 9, "test": 5}
    assert (known_training_rows(job, rows), known_validation_rows(job, rows)) == expected
