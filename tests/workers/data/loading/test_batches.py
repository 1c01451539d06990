"""Batches are those of the sampler, however many are gathered at once."""

import pytest
import torch

from workers.data.loading import batches as module
from workers.data.loading.batches import InMemoryBatches
from workers.data.loading.examples import ExampleSet
from workers.data.loading.sampler import Sampler

CPU = torch.device("cpu")
ROWS = ExampleSet({"x": torch.arange(66.0).reshape(22, 3), "n": torch.arange(22)}, {"t": torch.arange(22) * 10})
STEP_BYTES = ROWS.size() // 22 * 4  # of one batch of 4


@pytest.mark.parametrize("block", [1, 2 * STEP_BYTES, 5 * STEP_BYTES, 1 << 20])
@pytest.mark.parametrize("accumulate", [1, 2, 4, 10])
@pytest.mark.parametrize("drop_last", [False, True])
def test_every_step_sees_the_samplers_rows(
    monkeypatch: pytest.MonkeyPatch, block: int, accumulate: int, drop_last: bool
) -> None:
    monkeypatch.setattr(module, "GATHER_BYTES", block)
    sampler = Sampler(seed=5, rows=22, batch_size=4, accumulate=accumulate, drop_last=drop_last)
    fed = InMemoryBatches(ROWS, sampler, CPU)
    for step in [*range(2 * sampler.steps_per_epoch + 1), 1, 0]:
        expected = list(sampler.batches(step))
        batches = fed.batches(step)
        assert len(batches) == len(expected)
        for (inputs, targets, share), (indices, wanted) in zip(batches, expected, strict=True):
            assert list(inputs) == ["x", "n"]
            assert inputs["x"].equal(ROWS.inputs["x"][indices])
            assert inputs["n"].equal(indices)
            assert targets["t"].equal(indices * 10)
            assert share == wanted


@pytest.mark.parametrize("block", [1, 3 * STEP_BYTES])
def test_a_block_is_gathered_once_and_never_beyond_the_epoch(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(module, "GATHER_BYTES", block)
    gathered = []

    def at(self: ExampleSet, indices: torch.Tensor, device: torch.device, keys: None) -> object:
        gathered.append(len(indices))
        return original(self, indices, device, keys)

    original = ExampleSet.batch
    monkeypatch.setattr(ExampleSet, "batch", at)
    fed = InMemoryBatches(ROWS, Sampler(seed=5, rows=22, batch_size=4), CPU)
    for step in range(6):
        fed.batches(step)
        fed.batches(step)
    assert gathered == ([4] * 5 + [2] if block == 1 else [12, 10])


def test_sampled_batches_have_no_state() -> None:
    source = InMemoryBatches(ROWS, Sampler(seed=5, rows=22, batch_size=4), CPU)
    assert source.state_dict() == {}
    source.load_state_dict({})
    with pytest.raises(ValueError, match="without state cannot take over: buffer"):
        source.load_state_dict({"buffer": torch.zeros(1)})
