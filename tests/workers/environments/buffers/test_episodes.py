"""Batches of whole episodes against a plain loop of Gymnasium."""

import numpy as np
import pytest
import torch

from tests.workers.environments.catalog_environments import environments
from tests.workers.environments.test_evaluation import balance, plain_episodes
from workers.environments.buffers.episodes import EpisodeBuffer
from workers.environments.evaluation import play_episodes


def test_whole_episodes_as_a_batch() -> None:
    """Steps stand in the order of episodes, whatever copies played them; episodes have the numbers that were asked."""
    batches = []
    for copies in (1, 3):
        environment, buffer = environments("CartPole-v1", copies, stream=1), EpisodeBuffer(0.9, False)
        for step in play_episodes(environment, balance, range(2, 7)):
            buffer.add(step, step.action)
        batches.append(buffer.finish())
    plain = plain_episodes("CartPole-v1", balance, 7)[2:]
    for columns in batches:
        observations = [observation for each in plain for observation in each["observations"][:-1]]
        assert columns["observation"].equal(torch.from_numpy(np.stack(observations)))
        assert columns["action"].tolist() == [int(action) for each in plain for action in each["actions"]]
        expected = [
            sum(0.9**later * reward for later, reward in enumerate(each["rewards"][start:]))
            for each in plain
            for start in range(len(each["rewards"]))
        ]
        assert columns["returns"].flatten().tolist() == pytest.approx(expected, rel=1e-6)
        assert columns["returns"].shape == (len(expected), 1)


def test_returns_are_normalised_over_the_batch() -> None:
    environment, buffer = environments("CartPole-v1", 2, stream=1), EpisodeBuffer(0.99, True)
    for step in play_episodes(environment, balance, range(3)):
        buffer.add(step, step.action)
    returns = buffer.finish()["returns"]
    assert returns.mean().abs() < 1e-5
    assert returns.std().item() == pytest.approx(1, abs=1e-5)
