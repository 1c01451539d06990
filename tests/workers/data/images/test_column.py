"""Images are bytes until a batch is made; what can be done once is done once, and nothing else changes."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from app.errors import DataError
from app.spec.data.columns import Column
from tests.workers.data.images.image_data import (
    CPU,
    image_column,
    image_dataset_schema,
    image_examples,
    image_view,
    random_pixels,
    write_image_archive,
)
from workers.data.features.preparation import Preparation
from workers.data.loading.examples import ExampleSet
from workers.data.rng import prng_keys

KEYS = prng_keys(3, 1, torch.arange(22))
ALL = torch.arange(22)
FLIP = {"kind": "RandomHorizontalFlip"}
NORMALIZE = {"kind": "Normalize", "mean": [0.5], "std": [0.25]}
RANDOM = [
    {"kind": "Resize", "size": [9, 8]},
    {"kind": "RandomCrop", "size": 8, "padding": 2},
    FLIP,
    {"kind": "ColorJitter", "brightness": 0.5},
    NORMALIZE,
    {"kind": "RandomErasing"},
]
SAME = [{"kind": "Resize", "size": 8}, {"kind": "CenterCrop", "size": 8}]
NO_LIMIT = 1 << 40


def test_bytes_become_numbers_batch_by_batch() -> None:
    source = random_pixels(22, 3, 6, 5)
    column = image_column(image_examples(source, transforms=[]))
    assert column.index_select(0, torch.tensor([4, 1])).equal(source[[4, 1]] / 255)
    assert column[2:5].equal(source[2:5] / 255)
    assert column.nbytes == source.nbytes
    assert (column.dtype, column.is_floating_point(), len(column), column.device) == (torch.float32, True, 22, CPU)
    assert image_column(image_examples(source, transforms=[], scale="none"))[:2].equal(source[:2].float())


def test_without_transforms_nothing_changes() -> None:
    assert isinstance(image_examples(random_pixels(4, 3, 6, 5)).inputs["image"], Tensor)


def test_training_draws_and_evaluation_does_not() -> None:
    source = random_pixels(22, 3, 6, 5)
    column = image_column(image_examples(source, transforms=[FLIP, NORMALIZE]))
    plain = (source / 255 - 0.5) / 0.25
    assert column.batch(ALL, None).equal(plain)
    flipped = [not batch.equal(image) for batch, image in zip(column.batch(ALL, KEYS), plain, strict=True)]
    assert 2 < sum(flipped) < 20
    assert all(
        batch.equal(image.flip(-1) if turned else image)
        for batch, image, turned in zip(column.batch(ALL, KEYS), plain, flipped, strict=True)
    )


def test_evaluation_has_transforms_of_its_own() -> None:
    data = {
        "transforms": [{"kind": "RandomResizedCrop", "size": 4}],
        "evaluation_transforms": [SAME[0], {"kind": "CenterCrop", "size": 4}],
    }
    column = image_column(image_examples(random_pixels(22, 3, 9, 8), **data))
    assert column.batch(ALL, KEYS).shape == column.batch(ALL, None).shape == (22, 3, 4, 4)


@pytest.mark.parametrize("unlike", [True, False])
@pytest.mark.parametrize("transforms", [RANDOM, [*SAME, *RANDOM[1:]], SAME])
def test_decoded_once_or_batch_by_batch_is_the_same(tmp_path: Path, unlike: bool, transforms: Any) -> None:
    evaluation = SAME if transforms is RANDOM else None
    given = image_examples(
        write_image_archive(tmp_path / "a.zip", unlike=unlike), transforms=transforms, evaluation_transforms=evaluation
    )
    read = image_column(given)
    training, held_out = (
        image_column(given.materialize(True, NO_LIMIT)),
        image_column(given.materialize(False, NO_LIMIT)),
    )
    assert (read.is_resident, training.is_resident, held_out.is_resident) == (False, True, True)
    assert training.batch(ALL, KEYS).equal(read.batch(ALL, KEYS))
    assert held_out.batch(ALL, None).equal(read.batch(ALL, None))
    some = torch.tensor([9, 2, 17])
    assert training.batch(some, KEYS[some]).equal(read.batch(ALL, KEYS)[some])
    assert given.materialize(True, 3 * 8 * 9 * 22 - 1).is_resident is (transforms is not RANDOM)


@pytest.mark.parametrize("limit", [0, 22 * 3 * 20 * 20 - 1, 22 * 3 * 20 * 20])
def test_memory_is_not_filled_beyond_the_limit(limit: int) -> None:
    column = image_column(
        image_examples(random_pixels(22, 3, 6, 5), transforms=[{"kind": "Resize", "size": [20, 20]}, FLIP])
    )
    settled = column.materialize(True, limit)
    assert settled.is_resident
    assert settled.nbytes == (22 * 3 * 20 * 20 if limit == 22 * 3 * 20 * 20 else 22 * 3 * 6 * 5)
    assert settled.batch(ALL, KEYS).equal(column.batch(ALL, KEYS))


def test_numbers_are_scaled_when_they_are_prepared() -> None:
    source = random_pixels(22, 1, 8, 8) % 17
    given = image_examples(source, Column(name="image", shape=(1, 8, 8), peak=16.0), transforms=[FLIP])
    assert image_column(given)[:22].equal(source / 16)
    assert image_column(image_examples(source / 4.0, transforms=[FLIP]))[:22].equal(source / 4.0)
    assert image_column(image_examples(source / 4.0, transforms=[FLIP], scale="unit"))[:22].max() == 1.0


def test_a_preparation_comes_back_from_json() -> None:
    source = random_pixels(22, 1, 8, 8).float()
    result = image_view(image_dataset_schema(Column(name="image", shape=(1, 8, 8))), transforms=[FLIP], scale="unit")
    described = image_dataset_schema(Column(name="image", shape=(1, 8, 8)))
    fit = Preparation.fit(result, ("image",), described, {"image": source})
    again = Preparation.load(result, described, fit.document())
    one, two = (each.transform({"image": source[:3]}, ("image",))["image"] for each in (fit, again))
    assert one[:3].equal(two[:3])
    assert one[:3].max() < 1.0001


def test_images_of_a_batch_that_stay_unlike_are_an_error(tmp_path: Path) -> None:
    column = image_column(image_examples(write_image_archive(tmp_path / "a.zip"), transforms=SAME))
    broken = type(column)(column.pixels, *[type(column.training)()] * 2, column.scale, column.shape)
    with pytest.raises(DataError, match="different sizes"):
        broken.batch(ALL, None)


def test_another_shape_than_the_schema_says_is_an_error() -> None:
    with pytest.raises(DataError, match=r"\[3, 6, 5\] per example, the schema says \[3, 6, 6\]"):
        image_examples(random_pixels(4, 3, 6, 5), Column(name="image", shape=(3, 6, 6), peak=255.0), transforms=[FLIP])


def test_what_an_autoencoder_learns_is_what_it_reads() -> None:
    column = image_column(image_examples(random_pixels(22, 3, 6, 5), transforms=[FLIP]))
    both = ExampleSet({"image": column}, {"image": column})
    inputs, targets = both.batch(ALL, CPU, KEYS)
    assert inputs["image"].equal(targets["image"])
    assert len(both.image_columns) == 1
