"""Whole episodes with the weights of one moment, all of whose steps are one batch (Williams 1992)."""

from app.spec.data.environments.experience import EpisodesExperience
from workers.data.loading.batch_source import WeightedBatch
from workers.environments.buffers.episodes import EpisodeBuffer
from workers.environments.evaluation import play_episodes
from workers.training.sources.collector import Collector, CollectorParts


class EpisodeCollector(Collector[EpisodesExperience]):
    """Plays episodes from their beginning to their end in every step: step s those from s * episodes on.

    Between two steps there is nothing to keep.
    """

    def __init__(self, parts: CollectorParts, experience: EpisodesExperience) -> None:
        super().__init__(parts, experience)
        self.buffer = EpisodeBuffer(experience.gamma, experience.normalize, self.device)

    def batches(self, step: int) -> list[WeightedBatch]:
        """Play the episodes of a step."""
        self.seed(step)
        count, behaviour = self.experience.episodes, self.data.behaviour_output
        numbers = range(step * count, (step + 1) * count)
        with self.policy.acting():
            for played in play_episodes(self.environments, self.policy, numbers, behaviour):
                self.buffer.add(played, played.outputs[behaviour])
                self.ended += played.ended
        return [(self.buffer.finish(), {}, 1.0)]
