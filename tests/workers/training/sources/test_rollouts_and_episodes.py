"""The batches of rollouts and of whole episodes, against sums that are written out, with Gymnasium itself."""

import gymnasium
import numpy as np
import torch

from tests.workers.training.harness import TrainingHarness
from tests.workers.training.sources.environment_jobs import GAMMA, LIMIT, STD, episodes_job, rollout_job
from workers.environments.simulation import episode_seed
from workers.training.sources.collector import Collector

LAMBDA, STEPS = 0.8, 20


def played(episode: int, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return observations (T + 1, 3) and rewards (T) of an episode whose actions are given, clamped to the space."""
    environment = gymnasium.make("Pendulum-v1", max_episode_steps=LIMIT)
    observations, rewards = [environment.reset(seed=episode_seed(0, 0, episode))[0]], []
    for action in actions:
        observation, reward, *_ = environment.step(np.clip(action, -2, 2))
        observations.append(observation)
        rewards.append(reward)
    return np.array(observations), np.array(rewards)


def test_a_rollout_has_advantages_and_returns(laboratory: TrainingHarness) -> None:
    """The second rollout begins in the midst of an episode that is truncated in it, after step 30."""
    prepared = laboratory.prepare(rollout_job(batch_size=40))  # a batch is a whole rollout
    source, network = prepared.state.source, prepared.network
    assert isinstance(source, Collector)
    passes = [source.batches(step)[0][0] for step in (0, 1, 2)]
    (first, again), second = (_in_order(passes[0], source), passes[1]), passes[2]
    assert not passes[0]["observation"].equal(again["observation"])  # another order of the same rows
    assert passes[0]["observation"].sort(0).values.equal(again["observation"].sort(0).values)
    rollout = source.buffer.columns  # type: ignore[attr-defined]
    assert set(second) == {"observation", "action", "log_prob", "value", "advantage", "returns"}
    both = {name: rollout[name].reshape(STEPS, 2, -1).numpy() for name in rollout}
    for copy in range(2):
        actions = np.concatenate([first["action"].reshape(STEPS, 2, 1)[:, copy], both["action"][:, copy]])
        observations, rewards = played(copy, actions[:LIMIT])
        later, more = played(copy + 2, actions[LIMIT:])
        seen = np.concatenate([observations[STEPS:LIMIT], later[:10]])
        assert np.array_equal(both["observation"][:, copy], seen)
        with torch.no_grad():
            value = network.get_submodule("value")
            values, following = (
                value(torch.from_numpy(each)).double().numpy()[:, 0]
                for each in (seen, np.concatenate([observations[STEPS + 1 :], later[1:]]))
            )
        gained = np.concatenate([rewards[STEPS:], more])
        errors = gained + GAMMA * following - values  # a truncated episode could have gone on
        for step in range(STEPS):
            end = 10 if step < 10 else STEPS
            advantage = sum((GAMMA * LAMBDA) ** (later - step) * errors[later] for later in range(step, end))
            assert np.isclose(both["advantage"][step, copy, 0], advantage, rtol=1e-4, atol=1e-5)
            assert np.isclose(both["returns"][step, copy, 0], advantage + values[step], rtol=1e-4, atol=1e-4)
    whole = second["advantage"]
    assert (abs(whole.mean()) < 1e-6, abs(whole.std() - 1) < 1e-4) == (True, True)


def _in_order(batch: dict[str, torch.Tensor], source: Collector) -> dict[str, np.ndarray]:
    """Return the rows of the first rollout in the order of its steps, from one of its passes."""
    generator = source.sampler._epoch_order(0)  # type: ignore[attr-defined]
    order = generator.argsort()
    return {name: column[order].numpy() for name, column in batch.items()}


def test_the_log_probability_is_of_the_action_before_it_is_clamped(laboratory: TrainingHarness) -> None:
    prepared = laboratory.prepare(rollout_job(batch_size=40))
    [(batch, _, _)] = prepared.state.source.batches(0)
    with torch.no_grad():
        mean = prepared.network.get_submodule("mean")(batch["observation"])
    assert torch.allclose(batch["log_prob"], -0.5 * ((batch["action"] - mean) / STD) ** 2, atol=1e-5)


def test_episodes_have_discounted_returns(laboratory: TrainingHarness) -> None:
    prepared = laboratory.prepare(
        episodes_job({"experience": {"kind": "episodes", "episodes": 4, "gamma": GAMMA, "normalize": False}})
    )
    source = prepared.state.source
    for step in range(2):
        [(batch, targets, share)] = source.batches(step)
        assert (dict(targets), share, len(batch["action"])) == ({}, 1.0, 4 * LIMIT)
        for place in range(4):
            rows = slice(place * LIMIT, (place + 1) * LIMIT)
            observations, rewards = played(4 * step + place, batch["action"][rows].numpy())
            assert np.array_equal(batch["observation"][rows].numpy(), observations[:-1])
            expected = [
                sum(GAMMA ** (later - begin) * rewards[later] for later in range(begin, LIMIT))
                for begin in range(LIMIT)
            ]
            assert np.allclose(batch["returns"][rows, 0].numpy(), expected, rtol=1e-5)
        values = source.pop_values()
        assert values["episode/length"] == LIMIT
        assert source.pop_values() == {}
