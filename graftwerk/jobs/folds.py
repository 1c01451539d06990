"""Cross-validation: a job for each fold, and the mean and the deviation of their figures."""

import math
import statistics
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Self, TypeVar

from graftwerk.errors import InvalidData
from graftwerk.http.resources import AsyncResource, BlockingResource, Resource, chainable, operation
from graftwerk.http.transport import Transport
from graftwerk.jobs.collection import JobsResource
from graftwerk.jobs.job import AsyncJob, Job, JobResource
from graftwerk.numbers import parse_number
from graftwerk.specs import Spec, read_spec

J = TypeVar("J", bound=JobResource)
F = TypeVar("F", bound="FoldsResource[Any]")
GROUP_LABEL, FOLD_LABEL, COUNT_LABEL = "fold_group", "fold", "folds"  # metadata of the jobs
OTHER_WAYS = ("fraction", "split", "column", "value", "fold", "of")  # to hold rows out: folds take their place
EVALUATED_PREFIXES = ("val/", "test/")


@dataclass(frozen=True)
class FoldFigure:
    """A figure of all folds: the mean, and the standard deviation of the sample (of one fold: NaN)."""

    mean: float
    std: float
    values: Sequence[float]  # in the order of the folds; NaN for a fold that has none

    def as_dict(self) -> dict[str, Any]:
        """Return the figure as JSON: null for what is no number."""
        mean, std, *values = (each if math.isfinite(each) else None for each in (self.mean, self.std, *self.values))
        return {"mean": mean, "std": std, "values": values}


class FoldsResource(Resource, Generic[J]):
    """The jobs of a cross-validation, in the order of their folds."""

    def __init__(self, group: str, jobs: Sequence[J]) -> None:
        self.group = group
        self.jobs = jobs

    @chainable
    async def wait(self, timeout: float | None = None) -> Self:
        """Wait until all jobs have ended. Raises `WaitTimeout` if one has not after `timeout` seconds."""
        for job in self.jobs:
            await JobResource.wait(job, timeout)
        return self

    def summary(self) -> dict[str, FoldFigure]:
        """Return the figures of the jobs that have succeeded, by series: those of the last step, and of the test."""
        results = [job.document.get("result") or {} for job in self.jobs if job.status == "succeeded"]
        names = {name for result in results for name in result.get("values", {})}
        evaluated = sorted(name for name in names if name.startswith(EVALUATED_PREFIXES))
        return {name: fold_figure([result["values"].get(name) for result in results]) for name in evaluated}


def fold_figure(values: Sequence[Any]) -> FoldFigure:
    """Return the mean and the deviation of values as a result has them, of which null is no number."""
    numbers = [parse_number(value) for value in values]
    finite = [number for number in numbers if math.isfinite(number)]
    mean = statistics.fmean(finite) if finite else math.nan
    return FoldFigure(mean, statistics.stdev(finite) if len(finite) > 1 else math.nan, numbers)


def fold_specs(spec: Mapping[str, Any], count: int, group: str | None = None) -> list[dict[str, Any]]:
    """Return the spec of each fold, which share a group in their metadata.

    `stratify`, `group`, `time` and `seed` of the spec's validation stay. Raises `InvalidData` without a data section.
    """
    if not isinstance(spec.get("data"), Mapping):
        raise InvalidData("a spec of folds has a data section")
    validation = spec["data"].get("validation") or {}
    options = {name: value for name, value in validation.items() if name not in OTHER_WAYS}
    group = group or uuid.uuid4().hex
    specs = []
    for fold in range(1, count + 1):
        data = {**spec["data"], "validation": {**options, "fold": fold, "of": count}}
        labels = {GROUP_LABEL: group, FOLD_LABEL: str(fold), COUNT_LABEL: str(count)}
        specs.append({**spec, "data": data, "metadata": {**(spec.get("metadata") or {}), **labels}})
    return specs


def sort_folds(jobs: Sequence[J]) -> list[J]:
    """Return jobs in the order of their folds."""
    return sorted(jobs, key=lambda job: int(job.document["metadata"].get(FOLD_LABEL, 0)))


class Folds(FoldsResource[Job], BlockingResource):
    """A cross-validation of a `Client`: its jobs, in the order of their folds."""


class AsyncFolds(FoldsResource[AsyncJob], AsyncResource):
    """A cross-validation of an `AsyncClient`: its jobs, in the order of their folds."""


class FoldGroupsResource(Resource, Generic[J, F]):
    """Cross-validations of the key's owner."""

    _folds: type[F]

    def __init__(self, transport: Transport, jobs: JobsResource[J]) -> None:
        super().__init__(transport)
        self._jobs = jobs

    @operation
    async def create(self, spec: Spec, count: int, idempotency_key: str | None = None) -> F:
        """Submit a job for each of `count` folds: a spec as a mapping, or the path of a JSON file.

        All of them are validated with the first fold before any is submitted. With an idempotency key, a call that is
        repeated creates no further jobs. Raises `InvalidRequest` with every problem of the spec, and `InvalidData`.
        """
        document = spec if isinstance(spec, Mapping) else read_spec(spec)
        group = uuid.uuid5(uuid.NAMESPACE_OID, idempotency_key).hex if idempotency_key is not None else None
        specs = fold_specs(document, count, group)
        await JobsResource.validate(self._jobs, specs[0])
        keys = [f"{idempotency_key}-{fold}" if idempotency_key is not None else None for fold in range(1, count + 1)]
        jobs = [await JobsResource.create(self._jobs, each, key) for each, key in zip(specs, keys, strict=True)]
        return self._folds(specs[0]["metadata"][GROUP_LABEL], jobs)

    @operation
    async def get(self, group: str) -> F:
        """Return the jobs of a group, as they are now. Raises `InvalidData` if there are none."""
        every = JobsResource.list(self._jobs, labels={GROUP_LABEL: group})
        jobs = [await JobsResource.get(self._jobs, job.id) async for job in every]
        if not jobs:
            raise InvalidData(f"no job has the metadata {GROUP_LABEL} {group}")
        return self._folds(group, sort_folds(jobs))


class FoldGroups(FoldGroupsResource[Job, Folds], BlockingResource):
    """Cross-validations of a `Client`."""

    _folds = Folds


class AsyncFoldGroups(FoldGroupsResource[AsyncJob, AsyncFolds], AsyncResource):
    """Cross-validations of an `AsyncClient`."""

    _folds = AsyncFolds
