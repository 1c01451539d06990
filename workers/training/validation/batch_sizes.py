"""The sizes of the batches that a job will see, as far as its spec and the sizes of the data tell them."""

from dataclasses import dataclass

from app.spec.data.columns import DataSchema
from app.spec.job import JobSpec


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


def training_rows(job: JobSpec, schema: DataSchema) -> int:
    """Return the number of rows that are trained on, without those that are held out."""
    rows, split = schema.rows.get("train", 1), job.data.validation
    if split is None or split.fraction is None or rows < 2:
        return rows
    return rows - held_out_rows(rows, split.fraction)


def held_out_rows(rows: int, fraction: float) -> int:
    """Return how many of at least two rows are held out: as `random_split` does, at least one of each."""
    return min(max(1, round(fraction * rows)), rows - 1)


def validation_rows(job: JobSpec, schema: DataSchema) -> int | None:
    """Return the number of rows that are evaluated while training; `None` if there are none."""
    rows, split = schema.rows.get("train", 1), job.data.validation
    if split is not None and split.fraction is not None:
        return held_out_rows(rows, split.fraction) if rows > 1 else None
    return schema.rows.get("test")


def training_batches(job: JobSpec, schema: DataSchema) -> BatchSizes:
    """Return the sizes of the batches of an epoch."""
    plan = job.training
    return BatchSizes.of(training_rows(job, schema), plan.batch_size, plan.drop_last)
