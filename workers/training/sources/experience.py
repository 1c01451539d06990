"""Environments as a source: the network acts in them while it trains, and plays whole episodes to be evaluated."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from statistics import fmean, pstdev
from typing import Any

from app.errors import Problem
from app.spec.data.environments.component_names import component_names
from app.spec.data.environments.environment import EnvironmentData
from app.spec.data.environments.experience import EpisodesExperience, ReplayExperience
from workers.data.loading.epochs import FIRST_EPOCH, EpochOrigin, Epochs
from workers.environments.build import EVALUATION_STREAM, build_environments
from workers.environments.environments import Environments
from workers.environments.evaluation import EpisodeResults, run_episodes
from workers.network.runtime.build import BuiltNetwork, flow_metrics
from workers.training.metrics.evaluation import EvaluationInterrupted, EvaluationResult
from workers.training.metrics.reports.episode_report import episode_report
from workers.training.sources.collector import Collector, CollectorParts
from workers.training.sources.episodes import EpisodeCollector
from workers.training.sources.policy import Policy
from workers.training.sources.replay import ReplayCollector
from workers.training.sources.rollouts import RolloutCollector

MAX_EVALUATED_COPIES = 100  # that play at once


@dataclass(frozen=True)
class WholeRun(Epochs):
    """One epoch, which is the whole run."""

    steps: int
    collector: Collector[Any]
    origin: EpochOrigin = FIRST_EPOCH

    @property
    def steps_per_epoch(self) -> int:
        """The number of steps of the run."""
        return self.steps

    def may_change(self, step: int) -> bool:
        """Say whether the batches may have another size from step `step` on: whenever the experience allows it."""
        return self.collector.may_change(step)

    def changed_at(self, step: int) -> EpochOrigin:
        """Return the origin, which stays: the run is as long with other batches."""
        return self.origin


@dataclass
class ExperienceSource:
    """The experience of a job's network in environments."""

    parts: CollectorParts
    batches: Collector[Any]
    epochs: WholeRun
    test: None = None  # every evaluation plays the same episodes, and none of them are trained on

    has_validation = True

    @property
    def data(self) -> EnvironmentData:
        """The data section of the job."""
        return self.parts.data

    def warnings(self) -> Iterator[Problem]:
        """Yield nothing: every series of an evaluation has a value."""
        yield from ()

    def evaluate(
        self, network: BuiltNetwork, seed: Callable[[], None], is_interrupted: Callable[[], bool]
    ) -> EvaluationResult:
        """Return what the network gains in episodes without exploration, the same ones in every evaluation."""
        action, reported = self.data.action, self.data.report
        policy = Policy(network, (action, *reported), self.parts.precision)
        seed()
        with policy.acting():
            results = run_episodes(self._environments, policy, self.data.episodes, action, reported, is_interrupted)
            flows = {f"val/flow/{name}": value for name, value in flow_metrics(network).items()}
        if results is None:
            raise EvaluationInterrupted
        report = partial(episode_report, results=results, names=component_names(self.data))
        return EvaluationResult(_values(results) | flows, report)

    @cached_property
    def _environments(self) -> Environments:
        copies = min(self.data.episodes, MAX_EVALUATED_COPIES)
        return build_environments(self.data, copies, self.parts.plan.seed, EVALUATION_STREAM)


def _values(results: EpisodeResults) -> dict[str, float]:
    """Return the series of an evaluation."""
    values = {
        "val/return": fmean(results.returns),
        "val/return_std": pstdev(results.returns),
        "val/length": fmean(results.lengths),
    }
    return values | {f"val/{name}": value for name, value in results.means.items()}


def experience_source(parts: CollectorParts) -> ExperienceSource:
    """Return the environment of a job as a source. Raises `DataError` if a package that it needs is missing."""
    collector = build_collector(parts)
    return ExperienceSource(parts, collector, WholeRun(parts.plan.steps or 1, collector))


def build_collector(parts: CollectorParts) -> Collector[Any]:
    """Return the collector of a job, by the kind of its experience."""
    experience = parts.data.experience
    if isinstance(experience, ReplayExperience):
        return ReplayCollector(parts, experience)
    if isinstance(experience, EpisodesExperience):
        return EpisodeCollector(parts, experience)
    return RolloutCollector(parts, experience)
