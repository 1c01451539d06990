"""The sizes of the batches that a job will see, as far as its spec and the sizes of the data tell them."""

from collections.abc import Mapping
from dataclasses import dataclass

from app.spec.data.columns import DataSchema
from app.spec.data.environments.environment import EnvironmentData
from app.spec.data.environments.experience import ReplayExperience, RolloutExperience
from app.spec.job import JobSpec
from app.spec.splits import TRAIN, held_out_rows, split_plan, training_rows


@dataclass(frozen=True, slots=True)
class BatchSizes:
    """The sizes of the batches of an epoch: all but the last one are full."""

    rows: int
    full: int
    last: int

    @classmethod
    def of(cls, rows: int, batch_size: int, drop_last: bool = False) -> "BatchSizes":
        """Return the sizes as `Sampler` cuts `rows` rows; a batch larger than the data holds all of it."""
        full = min(rows, batch_size)
        rest = rows % full if full else 0
        return cls(rows, full, full if drop_last or not rest else rest)

    @property
    def smallest(self) -> int:
        """The size of the smallest batch."""
        return min(self.full, self.last)

    def nearest_without_single(self) -> int | None:
        """Return the batch size next to this one that leaves no row alone; `None` for a single row."""
        for distance in range(self.rows + self.full):
            for size in (self.full - distance, self.full + distance):
                if 2 <= size <= self.rows and BatchSizes.of(self.rows, size).smallest > 1:
                    return size
        return None


def known_training_rows(job: JobSpec, rows: Mapping[str, int]) -> int | None:
    """Return the number of rows of an epoch, of those of each split; `None` if the data decide."""
    if job.data.sampler is not None and job.data.sampler.samples is not None:
        return job.data.sampler.samples
    return training_rows(split_plan(job.data, rows), rows)


def known_validation_rows(job: JobSpec, rows: Mapping[str, int]) -> int | None:
    """Return the number of rows that are evaluated while training; `None` if there are none, or the data decide."""
    split = split_plan(job.data, rows).validation
    if split is None:
        return None
    return rows.get(split.split) if split.split is not None else held_out_rows(split, rows.get(TRAIN, 0))


def training_batches(job: JobSpec, schema: DataSchema) -> BatchSizes | None:
    """Return the sizes of the batches of an epoch; `None` if the data decide how many rows are held out."""
    plan, data = job.training, job.data
    if isinstance(data, EnvironmentData):
        return experience_batches(data, plan.batch_size)
    rows = known_training_rows(job, schema.rows)
    return BatchSizes.of(rows, plan.batch_size, plan.drop_last) if rows is not None else None


def experience_batches(data: EnvironmentData, batch_size: int) -> BatchSizes:
    """Return the sizes of the batches of experience: of a rollout those of a pass, of all others one size.

    A batch of episodes is taken to be as long as their time limit allows.
    """
    kept = data.kept_transitions
    if isinstance(data.experience, RolloutExperience):
        return BatchSizes.of(kept, batch_size)
    full = batch_size if isinstance(data.experience, ReplayExperience) else kept
    return BatchSizes(max(kept, full), full, full)
