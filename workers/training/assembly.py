"""From a document, a built network and loaded data to everything that the loop needs."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from app.errors import InvalidInput
from app.spec.data.columns import Column, DataSchema
from app.spec.data.images.checks import mixing_transforms
from app.spec.job import JobSpec, head_targets, parse_job, resolve_job_features
from app.spec.training.plan import Training
from workers.data.images.column import ImageColumn
from workers.data.images.mixing import Mixing
from workers.data.loading.batch_source import BatchSource
from workers.data.loading.examples import ExampleSet, TrainingData
from workers.data.loading.sampler import Sampler
from workers.data.loading.streaming import EvaluationExamples, LoadingStrategy
from workers.network.runtime.build import BuiltNetwork, build
from workers.protocol.assignment import CheckpointRef
from workers.training.checkpoints.files import ExportFunction, RestoredCheckpoint, build_exporter
from workers.training.checkpoints.saver import CheckpointPolicy, CheckpointSaver
from workers.training.context import Context
from workers.training.devices import Precision, max_resident_bytes
from workers.training.edits.agenda import Agenda
from workers.training.final_test import FinalTest
from workers.training.objective.class_weights import CLASS_WEIGHTS_KEY, balanced_weights
from workers.training.objective.objective import ObjectiveHead, build_objective
from workers.training.optim.learning_rate import RunLength
from workers.training.optim.parameter_groups import ParameterSplit
from workers.training.optim.schedules import JsonState
from workers.training.optim.target_networks import FollowingNode
from workers.training.optim.update_parameters import split_updates
from workers.training.optim.weight_averages import WeightAverage, averaging_schedule
from workers.training.revision import RevisionState
from workers.training.state import BestValue, TrainState
from workers.training.step import TrainingStep
from workers.training.updates import UpdateParts

RECOMPILE_LIMIT = 64  # one limit for all bodies of control flow, each of which is compiled by itself


@dataclass(frozen=True)
class AttemptResources:
    """What an attempt has loaded once, for all revisions of its job."""

    schema: DataSchema  # as stored with the job
    data: TrainingData
    saver: CheckpointSaver
    device: torch.device
    loaders: int = 0  # processes that decode images
    earlier_checkpoints: tuple[CheckpointRef, ...] = ()  # of earlier attempts, oldest first
    agenda: Agenda = field(default_factory=Agenda)
    documents: dict[int, Mapping[str, Any]] = field(default_factory=dict)  # by revision

    def network_of(self, revision: int) -> BuiltNetwork:
        """Build the network of an earlier revision on the device."""
        job = parse_job(dict(self.documents[revision]))
        features = resolve_job_features(job, self.schema)
        with torch.random.fork_rng(devices=[]):
            network = build(job.model, features.schema, job.data.inputs or features.schema.inputs)
        return network.to(self.device)


@dataclass(frozen=True)
class InitialRates:
    """What a document alone says of rates and momenta: the state of optimizer and schedule before the first step."""

    groups: tuple[JsonState, ...]  # torch's `param_groups` without parameters
    rates: tuple[float, ...]  # of the spec, by group
    schedule: JsonState | None


@dataclass
class PreparedTraining:
    """All parts of one attempt at one revision, ready for the loop."""

    plan: Training
    document: Mapping[str, Any]  # the job's spec
    resources: AttemptResources
    context: Context
    device: torch.device
    precision: Precision
    network: BuiltNetwork
    heads: tuple[ObjectiveHead, ...]
    train: ExampleSet
    validation: EvaluationExamples | None
    training_examples: EvaluationExamples | None  # the training rows, if they are evaluated too
    test: FinalTest | None
    sampler: Sampler
    state: TrainState
    initial_rates: tuple[InitialRates, ...]  # by update
    training_step: TrainingStep
    saver: CheckpointSaver
    checkpoint_policy: CheckpointPolicy
    total_steps: int
    parameters: int  # elements that the network learns or keeps frozen
    restored_checkpoint: RestoredCheckpoint | None

    @property
    def agenda(self) -> Agenda:
        """The edits that wait, and those that are to be repeated."""
        return self.resources.agenda

    def is_evaluation_step(self, step: int) -> bool:
        """Say whether the plan evaluates after `step` steps."""
        every = self.plan.evaluate.every_steps
        return step % every == 0 if every is not None else self.sampler.position(step)[1] == 0


def assemble(
    document: Mapping[str, Any],
    network: BuiltNetwork,
    resources: AttemptResources,
    revision: RevisionState,
    restored: RestoredCheckpoint | None = None,
) -> PreparedTraining:
    """Combine a built network of a document and loaded data.

    Raises `BuildError`, and `InvalidInput` for groups that do not fit the network.
    """
    job = parse_job(dict(document))
    columns = target_columns(job, resources.schema)
    data, saver, device, plan = resources.data, resources.saver, resources.device, job.training
    precision = Precision(device, plan.precision)
    network.to(device)
    splits = _split_and_freeze(network, plan)
    minimised = plan.minimised_heads(job.objective.all_heads())
    outputs = tuple(network.blueprint.outputs)
    objective, data = build_objective(job.objective, columns, outputs, data, device, minimised)
    loading = LoadingStrategy(resources.loaders, job.data.loading == "streamed")
    if not loading.always_stream:
        data = data.to_device_if_fits(device, max_resident_bytes(device))
    sampler = _build_sampler(job, data, revision)
    validation, test = (loading.evaluation_examples(rows, job.data.bucket) for rows in (data.validation, data.test))
    places = (saver.store, saver.workdir, resources.network_of)
    final_test = FinalTest(test, objective.heads, precision, plan, *places) if test else None
    total_steps = _total_steps(plan, sampler)
    mixing = _build_mixing(job, columns, data.train)
    source = loading.batch_source(data.train, sampler, device, total_steps, mixing)
    run = RunLength(total_steps, sampler.steps_per_epoch, 0, sampler.origin.step)
    parts = UpdateParts(plan, network, objective, precision, run, revision.origins)
    state = _build_state(parts, splits, source, validation is not None)
    state.revision = revision
    parameters = sum(parameter.numel() for parameter in network.parameters())
    revision.parameters = revision.parameters or parameters
    return PreparedTraining(
        plan=plan,
        document=document,
        resources=resources,
        context=saver.context,
        device=device,
        precision=precision,
        network=network,
        heads=objective.heads,
        train=data.train,
        validation=validation,
        training_examples=loading.evaluation_examples(data.train, job.data.bucket) if plan.evaluate.train else None,
        test=final_test,
        sampler=sampler,
        state=state,
        initial_rates=_initial_rates(state, splits, plan),
        training_step=TrainingStep(parts.rules(splits), precision, plan.accumulate, plan.seed),
        saver=saver,
        checkpoint_policy=CheckpointPolicy(plan.checkpoint),
        total_steps=total_steps,
        parameters=parameters,
        restored_checkpoint=restored,
    )


def target_columns(job: JobSpec, schema: DataSchema) -> dict[str, Column | None]:
    """Return the targets of a job by head."""
    return head_targets(job, schema, resolve_job_features(job, schema))


def checkpoint_exporter(
    document: Mapping[str, Any], network: BuiltNetwork, data: TrainingData, schema: DataSchema
) -> ExportFunction:
    """Return what writes the public files of a revision's checkpoints."""
    job = parse_job(dict(document))
    weights = balanced_weights(job.objective, target_columns(job, schema), data.train.targets)
    return build_exporter(network, data.preparation, {CLASS_WEIGHTS_KEY: weights} if weights else {})


def _split_and_freeze(network: BuiltNetwork, plan: Training) -> list[ParameterSplit]:
    parameters = split_updates(network.blueprint, plan)
    if parameters.problems:
        raise InvalidInput(parameters.problems)
    for name in parameters.frozen_names():
        network.get_parameter(name).requires_grad_(False)
    return parameters.splits


def _build_state(
    parts: UpdateParts, splits: Sequence[ParameterSplit], source: BatchSource, has_validation: bool
) -> TrainState:
    plan, network, run = parts.plan, parts.network, parts.run
    targets = [FollowingNode(network, target) for target in plan.target_networks]
    average = None
    if plan.average is not None:
        averaging = averaging_schedule(plan.average, run.total_steps, run.steps_per_epoch, run.epoch_step)
        average = WeightAverage(network, plan.average, averaging)
    updates = parts.states(splits)
    if plan.mode == "compiled":
        torch._dynamo.config.recompile_limit = RECOMPILE_LIMIT
        compiled = [network, *(update.network for update in updates), average.network if average is not None else None]
        for each in compiled:
            if each is not None:
                each.compile()
    checkpoint, early = plan.checkpoint, plan.early_stop
    return TrainState(
        network=network,
        updates=updates,
        source=source,
        best=BestValue(checkpoint.monitor if has_validation else "train/loss", checkpoint.mode),
        stopper=BestValue(early.monitor, early.mode, early.min_delta) if early is not None else None,
        average=average,
        target_networks=targets,
    )


def _initial_rates(state: TrainState, splits: Sequence[ParameterSplit], plan: Training) -> tuple[InitialRates, ...]:
    rates = []
    for update, split, (_, spec) in zip(state.updates, splits, plan.all_updates(), strict=True):
        own = spec.optimizer.settings()
        groups = update.optimizer.param_groups
        described = [{name: value for name, value in group.items() if name != "params"} for group in groups]
        initial = tuple(settings.get("lr", own["lr"]) for _, settings in split.trainable)
        schedule = copy.deepcopy(update.schedule.state_dict()) if update.schedule is not None else None
        rates.append(InitialRates(tuple(copy.deepcopy(described)), initial, schedule))
    return tuple(rates)


def _total_steps(plan: Training, sampler: Sampler) -> int:
    """Return the number of steps of the run: of the epochs before the origin, and of those after it."""
    if plan.steps is not None:
        return plan.steps
    epochs = (plan.epochs or 1) - sampler.origin.epoch
    return sampler.origin.step + max(0, epochs) * sampler.steps_per_epoch


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
