"""What other processes make ready is the same bits as what is made ready here."""

from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

from app.errors import DataError
from app.spec.data.images.transforms import MIXING_CLASSES
from tests.workers.data.images.image_data import CPU, image_examples, random_pixels, write_image_archive
from workers.data.images.mixing import Mixing
from workers.data.loading.batch_source import BatchSource, WeightedBatch
from workers.data.loading.batches import InMemoryBatches
from workers.data.loading.examples import ExampleSet
from workers.data.loading.sampler import Sampler
from workers.data.loading.streaming import LoadingStrategy, StreamedBatches, StreamedExamples

TRANSFORMS = [
    {"kind": "Resize", "size": [9, 8]},
    {"kind": "RandomCrop", "size": 8, "padding": 2},
    {"kind": "RandomHorizontalFlip"},
    {"kind": "RandAugment"},
    {"kind": "GaussianNoise"},
    {"kind": "Normalize", "mean": [0.5], "std": [0.25]},
    {"kind": "RandomErasing"},
]
EVALUATION = [{"kind": "Resize", "size": [8, 8]}, TRANSFORMS[-2]]
DATA: dict[str, Any] = {"transforms": TRANSFORMS, "evaluation_transforms": EVALUATION}
NO_LIMIT = 1 << 40
MIX = Mixing(tuple(each(kind=kind) for kind, each in MIXING_CLASSES.items()), 5, ("image",), {"label": 3})
STEPS = 9


def sampler(accumulate: int = 2) -> Sampler:
    return Sampler(seed=5, rows=22, batch_size=4, accumulate=accumulate)


def assert_same(one: list[WeightedBatch], two: list[WeightedBatch]) -> None:
    assert len(one) == len(two)
    for (inputs, targets, share), (others, expected, part) in zip(one, two, strict=True):
        assert inputs["image"].equal(others["image"])
        assert targets["label"].equal(expected["label"])
        assert share == part


@pytest.mark.parametrize("mixing", [None, MIX], ids=["plain", "mixed"])
@pytest.mark.parametrize("accumulate", [1, 2])
def test_streamed_resident_and_read_here_are_the_same_bits(
    tmp_path: Path, mixing: Mixing | None, accumulate: int
) -> None:
    given = image_examples(write_image_archive(tmp_path / "a.zip"), **DATA)
    resident = given.materialize(True, NO_LIMIT)
    sources: list[BatchSource] = [
        StreamedBatches(given, sampler(accumulate), CPU, mixing, 2, STEPS),
        InMemoryBatches(given, sampler(accumulate), CPU, mixing),
        InMemoryBatches(resident, sampler(accumulate), CPU, mixing),
        StreamedBatches(resident, sampler(accumulate), CPU, mixing, 1, STEPS),
    ]
    state = torch.get_rng_state()
    for step in range(STEPS):  # over the end of an epoch
        first, *others = [source.batches(step) for source in sources]
        for other in others:
            assert_same(first, other)
    assert torch.get_rng_state().equal(state)


def test_a_stream_begins_at_any_step(tmp_path: Path) -> None:
    given = image_examples(write_image_archive(tmp_path / "a.zip"), **DATA)
    expected = InMemoryBatches(given, sampler(), CPU)
    stream = StreamedBatches(given, sampler(), CPU, None, 2, STEPS)
    for step in (4, 5, 6, 1, 2):
        assert_same(stream.batches(step), expected.batches(step))


def test_a_new_epoch_starts_no_new_process(tmp_path: Path) -> None:
    stream = StreamedBatches(
        image_examples(write_image_archive(tmp_path / "a.zip"), **DATA), sampler(), CPU, None, 2, STEPS
    )
    before, result = set(children()), set()
    for step in range(STEPS):
        stream.batches(step)
        result.add(frozenset(set(children()) - before))
    assert len(result) == 1
    assert len(result.pop()) == 2


def children() -> list[int]:
    return [child.pid for child in psutil.Process().children()]


@pytest.mark.parametrize("size", [4, 22, 100])
def test_evaluation_streams_too(tmp_path: Path, size: int) -> None:
    given = image_examples(write_image_archive(tmp_path / "a.zip"), **DATA)
    streamed = list(StreamedExamples(given, 2).iter_batches(size, CPU))
    plain = list(given.materialize(False, NO_LIMIT).iter_batches(size, CPU))
    assert [len(targets["label"]) for _, targets in streamed] == [len(targets["label"]) for _, targets in plain]
    for (inputs, targets), (others, expected) in zip(streamed, plain, strict=True):
        assert inputs["image"].equal(others["image"])
        assert targets["label"].equal(expected["label"])


@pytest.mark.parametrize("loaders", [0, 2])
def test_a_bad_image_is_named_with_the_reason(tmp_path: Path, loaders: int) -> None:
    given = image_examples(write_image_archive(tmp_path / "a.zip", broken=13), **DATA)
    source = LoadingStrategy(loaders).batch_source(given, sampler(), CPU, STEPS, None)
    with pytest.raises(DataError, match=r'"c1/13\.png", cannot be decoded: .+') as caught:
        list(map(source.batches, range(STEPS)))
    assert caught.value.pointer == "/data"
    assert caught.value.hint
    assert not caught.value.retryable
    held_out = LoadingStrategy(loaders).evaluation_examples(given)
    assert held_out is not None
    with pytest.raises(DataError, match=r"c1/13\.png"):
        list(held_out.iter_batches(8, CPU))


def test_what_is_in_memory_is_streamed_only_if_it_is_asked_for(tmp_path: Path) -> None:
    def kind(given: ExampleSet, loading: LoadingStrategy) -> list[type]:
        return [
            type(loading.batch_source(given, sampler(), CPU, STEPS, None)),
            type(loading.evaluation_examples(given)),
        ]

    read, resident = (
        image_examples(write_image_archive(tmp_path / "a.zip"), **DATA),
        image_examples(random_pixels(22, 3, 9, 9), **DATA),
    )
    numbers = ExampleSet({"x": torch.zeros(22, 3)}, {"label": torch.zeros(22)})
    assert (
        kind(read, LoadingStrategy(2))
        == kind(resident, LoadingStrategy(2, always_stream=True))
        == [StreamedBatches, StreamedExamples]
    )
    for given, loading in (
        (read, LoadingStrategy(0)),
        (resident, LoadingStrategy(2)),
        (numbers, LoadingStrategy(2, always_stream=True)),
    ):
        assert kind(given, loading) == [InMemoryBatches, ExampleSet]
    assert LoadingStrategy(2).evaluation_examples(None) is None
