"""Random numbers of steps, epochs and single examples, as functions of a seed and a position: nothing to store.

An image is transformed alike in whichever process and batch it stands, and after a job has resumed. Its random numbers
come from a counter that splitmix64 hashes (Steele, Lea & Flood, "Fast splittable pseudorandom number
generators", OOPSLA 2014) in integers, which every device computes alike.
"""

from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

IMAGE_STREAM = 0xA1167  # keeps these streams apart from the orders of the epochs
GOLDEN_GAMMA = -0x61C8864680B583EB  # 0x9E3779B97F4A7C15 as a signed number
VIEW_GAMMA = 0x5851F42D4C957F2D  # odd, as that of splitmix64: keeps views of a row apart
MIX_MULTIPLIER_1, MIX_MULTIPLIER_2 = -0x40A7B892E31B1A47, -0x6B2FB644ECCEEE15  # likewise, of splitmix64
WORD_MASK = 0xFFFFFFFFFFFFFFFF
MAX_SAMPLES_PER_TRANSFORM = 64  # an upper bound of what one transform draws for one example

Word = TypeVar("Word", int, Tensor)  # 64 bits: an unsigned integer, or a tensor of int64


def stream_seed(*parts: int) -> int:
    """Return a 63-bit seed of an independent random stream for numbers such as a seed, an epoch and a step."""
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0] >> np.uint64(1))


def step_seed(seed: int, step: int) -> int:
    """Return a 63-bit seed for the random numbers of one step, such as dropout's; fast enough for every step."""
    return splitmix64((seed + (step + 1) * GOLDEN_GAMMA) & WORD_MASK) >> 1


def update_seed(seed: int, step: int, update: int) -> int:
    """Return a 63-bit seed for the random numbers of one of a step's updates; the first has those of the step."""
    own = step_seed(seed, step)
    return own if update == 0 else splitmix64((own + update * GOLDEN_GAMMA) & WORD_MASK) >> 1


def prng_keys(seed: int, epoch: int, rows: Tensor) -> Tensor:
    """Return a key for each row of an epoch: int64 (rows)."""
    return splitmix64(rows * GOLDEN_GAMMA + stream_seed(seed, IMAGE_STREAM, epoch))


def view_keys(keys: Tensor, view: int) -> Tensor:
    """Return keys of the same rows for another view of them: int64 (rows); view 0 has the keys themselves."""
    return splitmix64(keys + view * VIEW_GAMMA) if view else keys


def uniform(keys: Tensor, place: int, count: int = 1) -> Tensor:
    """Return `count` numbers for each key: float32 (keys, count) in [0, 1). `place` tells transforms apart."""
    counters = torch.arange(1, count + 1, device=keys.device) + place * MAX_SAMPLES_PER_TRANSFORM
    bits = splitmix64(keys.unsqueeze(1) + counters * GOLDEN_GAMMA) >> 40
    return (bits & 0xFFFFFF).to(torch.float32) * 2.0**-24


def uniform_between(keys: Tensor, place: int, bounds: tuple[float, float], draw: int = 0) -> Tensor:
    """Return the number `draw` of each key, between two bounds: float32 (keys)."""
    low, high = bounds
    return low + (high - low) * uniform(keys, place, draw + 1)[:, draw]


def generator_seeds(keys: Tensor, place: int) -> list[int]:
    """Return the 63-bit seed of a generator for each key."""
    counter = torch.tensor((place + 1) * MAX_SAMPLES_PER_TRANSFORM, device=keys.device)
    seeds: list[int] = (splitmix64(keys + counter * GOLDEN_GAMMA) & 0x7FFFFFFFFFFFFFFF).tolist()
    return seeds


def batch_generator(seed: int, step: int, batch: int) -> np.random.Generator:
    """Return the random stream of one batch of a step."""
    return np.random.default_rng(np.random.SeedSequence((seed, IMAGE_STREAM, step, batch)))


def splitmix64(word: Word) -> Word:
    """Return the words hashed by the finalizer of splitmix64: the same bits for an integer and for a tensor."""
    word = _multiply(word ^ _logical_right_shift(word, 30), MIX_MULTIPLIER_1)
    word = _multiply(word ^ _logical_right_shift(word, 27), MIX_MULTIPLIER_2)
    return word ^ _logical_right_shift(word, 31)


def _multiply(word: Word, factor: int) -> Word:
    return word * factor if isinstance(word, Tensor) else word * factor & WORD_MASK


def _logical_right_shift(word: Word, count: int) -> Word:
    """Return the words shifted to the right, with zeros from the left."""
    return (word >> count) & ((1 << (64 - count)) - 1)
