"""The replay buffer against a plain list of transitions."""

import json
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from workers.environments.buffers.replay import COLUMNS, ReplayBuffer
from workers.environments.transition import Transition

Row = dict[str, Tensor]


def transition(start: int, copies: int, discrete: bool = False, shape: tuple[int, ...] = (3,)) -> Transition:
    generator = torch.Generator().manual_seed(start)
    observation, following = (torch.randn(copies, *shape, generator=generator) for _ in range(2))
    action = (
        torch.randint(4, (copies,), generator=generator) if discrete else torch.randn(copies, 2, generator=generator)
    )
    reward = torch.randn(copies, 1, generator=generator)
    ends = torch.rand(copies, 1, generator=generator) < 0.3
    return Transition(observation, action, reward, following, ends, ~ends)


def plain_rows(transitions: list[Transition], capacity: int) -> list[Row]:
    """Return what a ring of that capacity holds, in the order of its rows."""
    ring: list[Row | None] = [None] * capacity
    place = 0
    for each in transitions:
        for copy in range(len(each.reward)):
            ring[place % capacity] = {name: getattr(each, name)[copy] for name in COLUMNS}
            place += 1
    return [row for row in ring if row is not None]


@pytest.mark.parametrize("discrete", [False, True])
@pytest.mark.parametrize("shape", [(3,), (2, 3)])
@pytest.mark.parametrize(("count", "copies"), [(3, 2), (4, 2), (11, 3), (1, 8)])
def test_batches_are_rows_of_the_ring(discrete: bool, shape: tuple[int, ...], count: int, copies: int) -> None:
    capacity = 8
    buffer = ReplayBuffer(capacity)
    added = [transition(step, copies, discrete, shape) for step in range(count)]
    for each in added:
        buffer.add(each)
    rows = plain_rows(added, capacity)
    assert len(buffer) == len(rows) == min(capacity, count * copies)
    batch = buffer.sample(50, torch.Generator().manual_seed(7))
    drawn = torch.randint(len(rows), (50,), generator=torch.Generator().manual_seed(7)).tolist()
    assert set(batch) == set(COLUMNS)
    for name in COLUMNS:
        expected = torch.stack([rows[row][name] for row in drawn])
        expected = expected.float() if name == "terminated" else expected
        assert batch[name].equal(expected)
        assert batch[name].dtype == expected.dtype
        assert batch[name].shape == expected.shape


def test_draws_are_uniform() -> None:
    buffer = ReplayBuffer(10)
    for step in range(10):
        buffer.add(replace(transition(step, 1), reward=torch.tensor([[float(step)]])))
    draws = buffer.sample(20_000, torch.Generator().manual_seed(0))["reward"].flatten().long()
    assert (draws.bincount(minlength=10) / 2000 - 1).abs().max() < 0.1


@pytest.mark.parametrize("discrete", [False, True])
@pytest.mark.parametrize("stop", [0, 1, 3, 4, 6, 7])
def test_a_loaded_buffer_goes_on_to_the_bit(discrete: bool, stop: int) -> None:
    whole, first, second = (ReplayBuffer(8) for _ in range(3))
    second.add(transition(99, 3, discrete))  # which the state replaces
    for step in range(stop):
        whole.add(transition(step, 3, discrete))
        first.add(transition(step, 3, discrete))
    tensors = {name: each.clone() for name, each in first.state_tensors().items()}
    assert all(len(each) == len(first) for each in tensors.values())
    second.load(tensors, json.loads(json.dumps(first.state_json())))
    for step in range(stop, 9):
        whole.add(transition(step, 3, discrete))
        second.add(transition(step, 3, discrete))
        own, other = (each.sample(16, torch.Generator().manual_seed(step)) for each in (whole, second))
        assert all(own[name].equal(other[name]) for name in COLUMNS)


def test_memory_is_allocated_once() -> None:
    buffer = ReplayBuffer(8)
    buffer.add(transition(0, 3))
    place = buffer.state_tensors()["rows"].data_ptr()
    for step in range(20):
        buffer.add(transition(step, 3))
    assert buffer.state_tensors()["rows"].data_ptr() == place
    assert buffer.state_tensors()["rows"].shape == (8, 3 + 2 + 1 + 3 + 1)


def test_a_state_of_another_capacity_is_refused() -> None:
    buffer = ReplayBuffer(8)
    buffer.add(transition(0, 3))
    with pytest.raises(ValueError, match="a buffer of 8 transitions, not 9"):
        ReplayBuffer(9).load(buffer.state_tensors(), buffer.state_json())
    with pytest.raises(ValueError, match="have not 2 rows"):
        ReplayBuffer(8).load(buffer.state_tensors(), {**buffer.state_json(), "count": 2})
