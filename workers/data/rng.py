"""Random numbers of single examples: a function of (seed, epoch, row) and of what is drawn, and of nothing else.

So a picture is changed alike wherever its batch is made, however many are made at once, and whenever a job goes on.
They come from a counter that is mixed (Steele et al. 2014) in whole numbers, which every device computes alike.
"""

import numpy as np
import torch
from torch import Tensor

from workers.data.loading.sampler import stream_seed

IMAGE_STREAM = 0xA1167  # keeps these streams apart from the orders of the epochs
GOLDEN_GAMMA = -0x61C8864680B583EB  # 0x9E3779B97F4A7C15 as a signed number
MIX_MULTIPLIER_1, MIX_MULTIPLIER_2 = -0x40A7B892E31B1A47, -0x6B2FB644ECCEEE15  # likewise, of splitmix64
MAX_SAMPLES_PER_TRANSFORM = 64  # more than one transform takes for one example


def prng_keys(seed: int, epoch: int, rows: Tensor) -> Tensor:
    """Return a key for each row of an epoch: int64 (rows)."""
    return _splitmix64(rows * GOLDEN_GAMMA + stream_seed(seed, IMAGE_STREAM, epoch))


def uniform(keys: Tensor, place: int, count: int = 1) -> Tensor:
    """Return `count` numbers for each key: float32 (keys, count) in [0, 1). `place` tells transforms apart."""
    counters = torch.arange(1, count + 1, device=keys.device) + place * MAX_SAMPLES_PER_TRANSFORM
    bits = _splitmix64(keys.unsqueeze(1) + counters * GOLDEN_GAMMA) >> 40
    return (bits & 0xFFFFFF).to(torch.float32) * 2.0**-24


def uniform_between(keys: Tensor, place: int, bounds: tuple[float, float], draw: int = 0) -> Tensor:
    """Return the number that each key draws between two bounds: float32 (keys)."""
    low, high = bounds
    return low + (high - low) * uniform(keys, place, draw + 1)[:, draw]


def generator_seeds(keys: Tensor, place: int) -> list[int]:
    """Return the seed of a generator for each key."""
    counter = torch.tensor((place + 1) * MAX_SAMPLES_PER_TRANSFORM, device=keys.device)
    found: list[int] = (_splitmix64(keys + counter * GOLDEN_GAMMA) & 0x7FFFFFFFFFFFFFFF).tolist()
    return found


def batch_generator(seed: int, step: int, batch: int) -> np.random.Generator:
    """Return the random stream of a whole batch, one of those of a step."""
    return np.random.default_rng(np.random.SeedSequence((seed, IMAGE_STREAM, step, batch)))


def _splitmix64(values: Tensor) -> Tensor:
    values = (values ^ _logical_right_shift(values, 30)) * MIX_MULTIPLIER_1
    values = (values ^ _logical_right_shift(values, 27)) * MIX_MULTIPLIER_2
    return values ^ _logical_right_shift(values, 31)


def _logical_right_shift(values: Tensor, count: int) -> Tensor:
    """Return the values shifted to the right, with zeros from the left."""
    return (values >> count) & ((1 << (64 - count)) - 1)
