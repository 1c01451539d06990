"""Random numbers are functions of a seed and a position, with the same bits for integers and for tensors."""

import torch

from workers.data.rng import WORD_MASK, splitmix64, step_seed, stream_seed


def test_seeds_are_the_same_in_every_release() -> None:
    assert stream_seed(3, 1) == 5712964121383671236
    assert step_seed(3, 1) == 6459067610863555780


def test_neighbouring_steps_have_unlike_streams() -> None:
    seeds = [step_seed(seed, step) for seed in (0, 1) for step in range(1000)]
    assert len(set(seeds)) == 2000
    assert all(0 <= seed < 2**63 for seed in seeds)
    low_bits = sum(seed & 1 for seed in seeds)
    assert 900 < low_bits < 1100


def test_an_integer_and_a_tensor_are_hashed_alike() -> None:
    words = torch.randint(-(2**63), 2**63 - 1, (100,), generator=torch.Generator().manual_seed(0))
    words = torch.cat([words, torch.tensor([0, 1, -1, 2**63 - 1, -(2**63)])])
    hashed = [word & WORD_MASK for word in splitmix64(words).tolist()]
    assert hashed == [splitmix64(word & WORD_MASK) for word in words.tolist()]
    assert splitmix64(0x9E3779B97F4A7C15) == 0xE220A8397B1DCDAF  # the first number of SplittableRandom(0)
