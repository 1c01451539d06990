import pytest
import torch

from workers.data.loading import sampler as module
from workers.data.loading.sampler import (
    Sampler,
    batch_indices,
    batches_per_epoch,
    bucketed_permutation,
    epoch_permutation,
)


@pytest.mark.parametrize(
    ("rows", "size", "drop_last", "sizes"),
    [(10, 4, False, [4, 4, 2]), (10, 4, True, [4, 4]), (8, 4, False, [4, 4]), (3, 4, False, [3]), (3, 4, True, [3])],
)
def test_an_epoch_visits_every_row_once(rows: int, size: int, drop_last: bool, sizes: list[int]) -> None:
    count = batches_per_epoch(rows, size, drop_last)
    batches = [batch_indices(7, 2, step, rows=rows, batch_size=size, drop_last=drop_last) for step in range(count)]
    assert [len(batch) for batch in batches] == sizes
    visited = torch.cat(batches).tolist()
    assert len(set(visited)) == len(visited) == sum(sizes)
    assert set(visited) <= set(range(rows))


def test_the_order_depends_on_seed_and_epoch_alone() -> None:
    assert epoch_permutation(1, 0, 50).equal(epoch_permutation(1, 0, 50))
    assert not epoch_permutation(1, 0, 50).equal(epoch_permutation(1, 1, 50))
    assert not epoch_permutation(1, 0, 50).equal(epoch_permutation(2, 0, 50))


def test_the_order_is_the_same_in_every_release() -> None:
    assert epoch_permutation(3, 1, 6).tolist() == [3, 1, 0, 5, 2, 4]


def test_a_batch_beyond_the_epoch_is_refused() -> None:
    with pytest.raises(IndexError, match="no batch 3"):
        batch_indices(0, 0, 3, rows=10, batch_size=4)


@pytest.mark.parametrize("accumulate", [1, 2, 3, 10])
def test_steps_take_up_to_accumulate_batches_of_one_epoch(accumulate: int) -> None:
    sampler = Sampler(seed=5, rows=22, batch_size=4, accumulate=accumulate)
    assert sampler.steps_per_epoch == -(-6 // accumulate)
    for epoch in range(2):
        result = []
        for position in range(sampler.steps_per_epoch):
            step = list(sampler.batches(epoch * sampler.steps_per_epoch + position))
            assert 1 <= len(step) <= accumulate
            assert sum(share for _, share in step) == pytest.approx(1)
            result += [indices for indices, _ in step]
        expected = [batch_indices(5, epoch, batch, rows=22, batch_size=4) for batch in range(6)]
        assert [batch.tolist() for batch in result] == [batch.tolist() for batch in expected]


def test_shares_are_those_of_the_examples() -> None:
    shares = [share for _, share in Sampler(seed=0, rows=10, batch_size=4, accumulate=3).batches(0)]
    assert shares == pytest.approx([0.4, 0.4, 0.2])


def test_a_run_can_start_anywhere() -> None:
    original, later = Sampler(seed=1, rows=30, batch_size=8), Sampler(seed=1, rows=30, batch_size=8)
    walked = [next(original.batches(step))[0].tolist() for step in range(9)]
    assert next(later.batches(6))[0].tolist() == walked[6]
    assert next(later.batches(3))[0].tolist() == walked[3]


LENGTHS = torch.randint(1, 300, (1003,), generator=torch.Generator().manual_seed(0))


def waste(order: torch.Tensor, size: int) -> float:
    """Return which share of all batches is padding."""
    padded = sum(int(LENGTHS[part].max()) * len(part) for part in order.split(size))
    return 1 - int(LENGTHS.sum()) / padded


@pytest.mark.parametrize("size", [1, 8, 32, 1003, 5000])
def test_buckets_hold_every_row_once(size: int) -> None:
    for epoch in range(2):
        assert bucketed_permutation(7, epoch, LENGTHS, size).sort().values.equal(torch.arange(1003))


def test_buckets_pad_little_and_are_drawn_anew() -> None:
    order = bucketed_permutation(7, 0, LENGTHS, 8)
    assert waste(order, 8) < 0.1
    assert waste(epoch_permutation(7, 0, 1003), 8) > 0.4
    assert order.equal(bucketed_permutation(7, 0, LENGTHS, 8))
    assert not order.equal(bucketed_permutation(7, 1, LENGTHS, 8))
    firsts = [float(LENGTHS[bucketed_permutation(7, epoch, LENGTHS, 8)[:8]].float().mean()) for epoch in range(40)]
    assert 110 < sum(firsts) / 40 < 190  # an epoch begins with any length


def test_what_fills_no_batch_is_no_longer_than_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BUCKET_WINDOW", 10)
    remaining = [int(LENGTHS[bucketed_permutation(7, epoch, LENGTHS, 100)[-3:]].sum()) for epoch in range(60)]
    assert 120 < sum(remaining) / 180 < 180  # their mean is 150: whoever is left out by drop_last is not the longest


@pytest.mark.parametrize("accumulate", [1, 3])
@pytest.mark.parametrize("drop_last", [False, True])
def test_a_bucketed_run_visits_every_row_and_can_start_anywhere(accumulate: int, drop_last: bool) -> None:
    def build_sampler() -> Sampler:
        return Sampler(3, 1003, 20, accumulate, drop_last, lengths=LENGTHS)

    original = [
        [(rows.tolist(), share) for rows, share in sampler.batches(step)]
        for sampler in [build_sampler()]
        for step in range(2 * sampler.steps_per_epoch)
    ]
    half = len(original) // 2
    for epoch in (original[:half], original[half:]):
        rows = [row for step in epoch for batch, _ in step for row in batch]
        assert len(set(rows)) == len(rows) == (1000 if drop_last else 1003)
        assert all(sum(share for _, share in step) == pytest.approx(1) for step in epoch)
    assert [[(rows.tolist(), share) for rows, share in build_sampler().batches(step)] for step in (half + 1, 2)] == [
        original[half + 1],
        original[2],
    ]
