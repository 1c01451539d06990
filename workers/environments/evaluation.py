"""Whole episodes of a policy: those of an evaluation, and those that a policy learns from."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from workers.environments.environments import Environments
from workers.environments.transition import Episode

Policy = Callable[[Tensor], Mapping[str, Tensor]]  # observations (N, *) → outputs (N, *) by name
MAX_RECORDED_STEPS = 1000


@dataclass(frozen=True, slots=True)
class PlayedStep:
    """One step of the copies whose episodes have not ended. N is their number, which falls."""

    numbers: Sequence[int]  # N: of their episodes
    observation: Tensor  # (N, *observation): what the actions answer to
    outputs: Mapping[str, Tensor]  # (N, *): what the policy has given
    action: Tensor  # (N, *action), clamped to the space
    own_reward: Sequence[float]  # N: of the environment
    reward: Sequence[float]  # N: as the wrappers make it
    next_observation: Tensor  # (N, *observation)
    terminated: Sequence[bool]  # N
    truncated: Sequence[bool]  # N
    ended: Sequence[Episode]


@dataclass(frozen=True, slots=True)
class RecordedEpisode:
    """One episode, or its first steps. T is the number of steps."""

    observations: Tensor  # (T + 1, *observation): the last is the one after the last step
    actions: Tensor  # (T, *action), or int64 (T)
    rewards: Tensor  # (T), float64: the environment's own
    terminated: bool  # it ended by itself, within the recorded steps


@dataclass(frozen=True, slots=True)
class EpisodeResults:
    """What an evaluation has measured, by number of the episode."""

    returns: tuple[float, ...]  # sums of the environment's own rewards, not discounted
    lengths: tuple[int, ...]
    terminated: tuple[bool, ...]  # whether an episode ended by itself
    means: dict[str, float]  # of the reported outputs, over all steps
    recorded: RecordedEpisode  # the first episode


def play_episodes(
    environments: Environments, policy: Policy, numbers: Sequence[int], action: str = "action"
) -> Iterator[PlayedStep]:
    """Play episodes, as many at once as there are copies, and yield all steps.

    A copy whose episode ends begins the next one that nobody plays yet; if there is none, the policy is asked for one
    row less. So every episode counts, not those alone that end soon. Raises as `Environments.step` does.
    """
    waiting = iter(numbers[environments.copies :])
    playing = list(numbers[: environments.copies])
    copies = list(range(len(playing)))
    observation = environments.begin(copies, playing)
    while copies:
        outputs = policy(observation)
        actions = environments.actions.fit(outputs[action])
        outcome = environments.advance(copies, actions)
        ends = [place for place in range(len(copies)) if outcome.terminated[place] or outcome.truncated[place]]
        yield PlayedStep(
            tuple(playing),
            observation,
            outputs,
            actions,
            outcome.reward,
            environments.learned(outcome.reward),
            outcome.observation,
            outcome.terminated,
            outcome.truncated,
            tuple(environments.episode(copies[place], outcome.terminated[place]) for place in ends),
        )
        observation = outcome.observation
        if ends:
            copies, playing, observation = _replace(environments, copies, playing, observation, ends, waiting)


def _replace(
    environments: Environments,
    copies: list[int],
    playing: list[int],
    observation: Tensor,
    ends: list[int],
    waiting: Iterator[int],
) -> tuple[list[int], list[int], Tensor]:
    """Begin the next episodes in the copies at the places `ends`; leave out the copies for which there is none."""
    begun = dict(zip(ends, waiting, strict=False))
    observation = observation.clone()
    if begun:
        observation[list(begun)] = environments.begin([copies[place] for place in begun], list(begun.values()))
    ended = set(ends)
    kept = [place for place in range(len(copies)) if place not in ended or place in begun]
    following = [begun.get(place, playing[place]) for place in kept]
    if len(kept) < len(copies):
        observation = observation[kept]
    return [copies[place] for place in kept], following, observation


def run_episodes(
    environments: Environments,
    policy: Policy,
    episodes: int,
    action: str = "action",
    reported: Sequence[str] = (),
    should_stop: Callable[[], bool] = lambda: False,
) -> EpisodeResults | None:
    """Return the results of the episodes 0 to `episodes` - 1; `None` if `should_stop()` before a step.

    They do not depend on how many copies play at once, except for the rounding of the policy in batches of other
    sizes. A reported output with several numbers per row counts by their mean. Raises as `Environments.step` does.
    """
    results = _Results(episodes, reported)
    for step in play_episodes(environments, policy, range(episodes), action):
        results.add(step)
        if should_stop():
            return None
    return results.finish()


@dataclass
class _Results:
    """Collects the results of episodes while they are played."""

    episodes: int
    reported: Sequence[str]
    sums: dict[str, np.ndarray] = field(default_factory=dict)  # by output: (episodes), float64
    ended: list[Episode] = field(default_factory=list)
    observations: list[Tensor] = field(default_factory=list)  # of the recorded episode
    actions: list[Tensor] = field(default_factory=list)
    rewards: list[float] = field(default_factory=list)

    def add(self, step: PlayedStep) -> None:
        """Add one step of all copies."""
        for name in self.reported:
            values = step.outputs[name].double().reshape(len(step.numbers), -1).mean(1)
            sums = self.sums.setdefault(name, np.zeros(self.episodes))
            sums[list(step.numbers)] += values.numpy()  # the numbers are different ones
        self.ended += step.ended
        if step.numbers[0] == 0 and len(self.actions) < MAX_RECORDED_STEPS:  # the first copy plays it
            if not self.observations:
                self.observations.append(step.observation[0])
            self.observations.append(step.next_observation[0])
            self.actions.append(step.action[0])
            self.rewards.append(step.own_reward[0])

    def finish(self) -> EpisodeResults:
        """Return the results after the last step."""
        ended = sorted(self.ended, key=lambda episode: episode.number)
        steps = sum(episode.length for episode in ended)
        recorded = RecordedEpisode(
            torch.stack(self.observations),
            torch.stack(self.actions),
            torch.tensor(self.rewards, dtype=torch.float64),
            ended[0].terminated and ended[0].length == len(self.actions),
        )
        return EpisodeResults(
            tuple(episode.total_reward for episode in ended),
            tuple(episode.length for episode in ended),
            tuple(episode.terminated for episode in ended),
            {name: float(self.sums[name].sum()) / steps for name in self.reported},
            recorded,
        )
