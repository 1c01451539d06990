"""Rows as a source: an epoch takes each of them once, and held-out ones are evaluated."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from app.errors import Problem
from app.spec.data.columns import Column
from app.spec.data.images.checks import mixing_transforms
from app.spec.job import JobSpec
from app.spec.training.plan import Training
from workers.data.images.column import ImageColumn
from workers.data.images.mixing import Mixing
from workers.data.loading.batch_source import BatchSource
from workers.data.loading.examples import ExampleSet, TrainingData
from workers.data.loading.sampler import Sampler
from workers.data.loading.streaming import EvaluationExamples, LoadingStrategy
from workers.network.runtime.build import BuiltNetwork, flow_metrics
from workers.training.devices import Precision, max_resident_bytes
from workers.training.metrics.evaluation import (
    MIN_EVALUATION_BATCH,
    EvaluationResult,
    evaluate,
    no_report,
    training_metrics,
)
from workers.training.metrics.undefined import undefined_metrics
from workers.training.objective.objective import ObjectiveHead
from workers.training.resources import AttemptResources
from workers.training.revision import RevisionState
from workers.training.sources.final_test import FinalTest
from workers.training.sources.source import run_steps


@dataclass
class RowSource:
    """The rows of a job by their roles."""

    plan: Training
    heads: tuple[ObjectiveHead, ...]
    precision: Precision
    train: ExampleSet
    validation: EvaluationExamples | None
    training_examples: EvaluationExamples | None  # the training rows, if they are evaluated too
    sampler: Sampler
    batches: BatchSource
    test: FinalTest | None

    @property
    def epochs(self) -> Sampler:
        """The epochs of the sampler."""
        return self.sampler

    @property
    def has_validation(self) -> bool:
        """Whether rows are held out."""
        return self.validation is not None

    def warnings(self) -> Iterator[Problem]:
        """Yield the metrics that have no value on the held-out rows."""
        if self.validation is not None:
            yield from undefined_metrics(self.heads, self.validation.targets, self.plan)

    def evaluate(
        self, network: BuiltNetwork, seed: Callable[[], None], is_interrupted: Callable[[], bool]
    ) -> EvaluationResult:
        """Return losses and metrics of the held-out rows, and metrics of the training rows if the plan says so."""
        size, values = max(self.plan.batch_size, MIN_EVALUATION_BATCH), {}
        if self.training_examples is not None:
            seed()
            rows, precision = self.training_examples, self.precision
            values = training_metrics(network, self.heads, rows, size, precision, is_interrupted)
            flow_metrics(network)  # of the training rows, which are not reported
        if self.validation is None:
            return EvaluationResult(values, no_report)
        seed()
        held = evaluate(network, self.heads, self.validation, size, self.precision, "val", is_interrupted)
        flows = {f"val/flow/{name}": value for name, value in flow_metrics(network).items()}
        return EvaluationResult(values | held.values | flows, held.report)


def row_source(
    job: JobSpec,
    columns: Mapping[str, Column | None],
    heads: tuple[ObjectiveHead, ...],
    data: TrainingData,
    resources: AttemptResources,
    revision: RevisionState,
) -> RowSource:
    """Return the rows of a job, whose targets are cast for its heads, as a source; `columns` are the heads' targets."""
    plan, device = job.training, resources.device
    precision = Precision(device, plan.precision)
    loading = LoadingStrategy(resources.loaders, job.data.loading == "streamed")
    if not loading.always_stream:
        data = data.to_device_if_fits(device, max_resident_bytes(device))
    sampler = _build_sampler(job, data, revision)
    validation, test = (loading.evaluation_examples(rows, job.data.bucket) for rows in (data.validation, data.test))
    places = (resources.saver.store, resources.saver.workdir, resources.network_of)
    mixing = _build_mixing(job, columns, data.train)
    return RowSource(
        plan=plan,
        heads=heads,
        precision=precision,
        train=data.train,
        validation=validation,
        training_examples=loading.evaluation_examples(data.train, job.data.bucket) if plan.evaluate.train else None,
        sampler=sampler,
        batches=loading.batch_source(data.train, sampler, device, run_steps(plan, sampler), mixing),
        test=FinalTest(test, heads, precision, plan, *places) if test else None,
    )


def _build_sampler(job: JobSpec, data: TrainingData, revision: RevisionState) -> Sampler:
    plan, train, sampling = job.training, data.train, job.data.sampler
    return Sampler(
        plan.seed,
        len(train) if sampling is None else sampling.samples or len(train),
        plan.batch_size,
        plan.accumulate,
        plan.drop_last,
        train.device,
        lengths=None if job.data.bucket is None else train.lengths(job.data.bucket),
        origin=revision.origins.epochs,
        weights=None if sampling is None else data.weights,
        replacement=sampling is None or sampling.replacement,
    )


def _build_mixing(job: JobSpec, columns: Mapping[str, Column | None], rows: ExampleSet) -> Mixing | None:
    """Return how the job mixes the images of a batch, and the classes among its targets."""
    if not (parts := mixing_transforms(job.data)):
        return None
    images = tuple(name for name, column in rows.inputs.items() if isinstance(column, ImageColumn))
    mixed = images or tuple(rows.inputs)
    counts = {column.name: column.classes or 0 for column in columns.values() if column is not None}
    classes = {name: counts[name.partition("/")[0]] for name in rows.targets}
    return Mixing(parts, job.training.seed, mixed, classes)
