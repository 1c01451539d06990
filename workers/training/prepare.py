"""From an assignment to everything that the loop needs. What fails cheaply is built first."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from app.errors import CorruptCheckpoint, DataError, InvalidInput
from app.faultpoints import faultpoint
from app.spec.data.columns import Column, DataSchema
from app.spec.data.images.checks import mixing_transforms
from app.spec.job import JobSpec, head_targets, job_split_plan, parse_job, resolve_job_features
from app.spec.training.plan import Training
from app.storage.keys import attempt_prefix
from app.storage.protocol import ArtifactStore
from workers.data.features.preparation import Preparation
from workers.data.images.column import ImageColumn
from workers.data.images.mixing import Mixing
from workers.data.loading.batch_source import BatchSource
from workers.data.loading.examples import ExampleSet, TrainingData, build_training_data
from workers.data.loading.sampler import Sampler
from workers.data.loading.sources import load_source
from workers.data.loading.streaming import EvaluationExamples, LoadingStrategy
from workers.network.runtime.build import BuiltNetwork, build
from workers.protocol.assignment import Assignment, CheckpointRef
from workers.protocol.messages import ProgressReport
from workers.torch_errors import translate_torch_errors
from workers.training.checkpoints.files import RestoredCheckpoint, build_exporter, restore_checkpoint
from workers.training.checkpoints.initial_weights import WEIGHTS_POINTER, load_weights, read_weights
from workers.training.checkpoints.pretrained_embeddings import load_pretrained_embeddings
from workers.training.checkpoints.saver import CheckpointPolicy, CheckpointSaver
from workers.training.context import Context
from workers.training.devices import Precision, max_resident_bytes, select_device, set_determinism
from workers.training.final_test import FinalTest
from workers.training.objective.class_weights import CLASS_WEIGHTS_KEY, balanced_weights
from workers.training.objective.objective import ObjectiveHead, build_objective
from workers.training.objective.training_loss import TrainingLoss
from workers.training.optim.learning_rate import build_learning_rate_schedule
from workers.training.optim.optimizers import build_optimizer
from workers.training.optim.parameter_groups import ParameterSplit, split_parameters
from workers.training.optim.update import build_update
from workers.training.optim.weight_averages import WeightAverage, averaging_schedule
from workers.training.state import BestValue, TrainState, published_weights
from workers.training.step import TrainingStep

RECOMPILE_LIMIT = 64  # one limit for all bodies of control flow, each of which is compiled by itself


@dataclass
class PreparedTraining:
    """All parts of one attempt, ready for the loop."""

    plan: Training
    context: Context
    device: torch.device
    precision: Precision
    network: BuiltNetwork
    objective: TrainingLoss
    heads: tuple[ObjectiveHead, ...]
    train: ExampleSet
    validation: EvaluationExamples | None
    test: FinalTest | None
    earlier_checkpoints: tuple[CheckpointRef, ...]  # of earlier attempts, oldest first
    sampler: Sampler
    state: TrainState
    training_step: TrainingStep
    saver: CheckpointSaver
    checkpoint_policy: CheckpointPolicy
    total_steps: int
    evaluate_every: int
    restored_checkpoint: RestoredCheckpoint | None


@translate_torch_errors()
def prepare(assignment: Assignment, store: ArtifactStore, context: Context, workdir: Path) -> PreparedTraining:
    """Build all parts of an attempt. The first report says at which step it starts, later ones name the phase.

    Raises `TrainingError` (`BuildError`, `DataError`, `OutOfMemory`), and `InvalidInput` for an invalid spec.
    """
    job = parse_job(dict(assignment.spec))
    stored = DataSchema.model_validate(assignment.data_schema)
    features = resolve_job_features(job, stored)
    restored = restore_checkpoint(assignment.resume_from, store, workdir)
    if restored is None and assignment.resume_from:  # starting at step 0 would silently discard the training so far
        raise CorruptCheckpoint(hint="check the artifact store, then retry; or submit the job again")
    initial = _load_start_checkpoint(job, assignment, store, workdir) if restored is None else None
    if initial is not None and job.start_from is not None and job.start_from.what == "everything":
        restored, initial = replace(initial, forked=True), None
    start = {"step": restored.step, "checkpoint": restored.checkpoint} if restored else {"step": 0, "checkpoint": None}
    context.report(ProgressReport(phase="loading_data", events=(("rewound", start),)))
    data = load_tensors(job, stored, assignment, store, workdir, restored)
    faultpoint("data_opened")
    vocabularies = data.vocabulary_reports() if restored is None else ()
    events = [("split", data.split_report())] if restored is None else []
    events += [("vocabulary", each) for each in vocabularies]
    context.report(ProgressReport(phase="building", events=tuple(events)))
    device = select_device(job.training.device)
    set_determinism(job.training.deterministic)
    torch.manual_seed(job.training.seed)
    network = build(job.model, features.schema, job.data.inputs or features.schema.inputs)
    faultpoint("network_built")
    if initial is not None:
        load_weights(network, published_weights(initial.tensors))
    elif restored is None and assignment.weights is not None:
        load_weights(network, read_weights(assignment.weights, store, workdir), WEIGHTS_POINTER)
    elif restored is None:
        loaded = tuple(load_pretrained_embeddings(network, features, data, assignment.word_vectors, store, workdir))
        context.report(ProgressReport(events=tuple(("vectors", each) for each in loaded)))
    columns = head_targets(job, stored, features)
    weights = balanced_weights(job.objective, columns, data.train.targets)
    export = build_exporter(network, data.preparation, {CLASS_WEIGHTS_KEY: weights} if weights else {})
    prefix = attempt_prefix(assignment.job_id, assignment.fence).removesuffix("/")
    saver = CheckpointSaver(store, context, prefix, workdir, export)
    earlier = tuple(reversed(assignment.resume_from))
    return assemble(job, columns, network, data, saver, device, restored, assignment.loaders, earlier)


def _load_start_checkpoint(
    job: JobSpec, assignment: Assignment, store: ArtifactStore, workdir: Path
) -> RestoredCheckpoint | None:
    """Return the other job's checkpoint to start from, if any. Raises `DataError` if it is damaged or missing."""
    if assignment.start_from is None:
        return None
    checkpoint = restore_checkpoint((assignment.start_from,), store, workdir)
    if checkpoint is None:
        detail = f"{assignment.start_from.id} is damaged: its files are not what was stored"
        raise DataError(detail, pointer="/start_from/checkpoint", hint="start from another checkpoint")
    return checkpoint


def load_tensors(
    job: JobSpec,
    stored: DataSchema,
    assignment: Assignment,
    store: ArtifactStore,
    workdir: Path,
    restored: RestoredCheckpoint | None = None,
) -> TrainingData:
    """Read, split and prepare the examples, with the preparation of a restored checkpoint. Raises `DataError`."""
    features = resolve_job_features(job, stored)
    columns = head_targets(job, stored, features)
    compared = [name for name, head in job.objective.all_heads().items() if head.has_metrics_output]
    if any(columns[name] is None for name in compared):
        raise DataError("the data has no target", pointer="/data/target", hint="name a column")
    dataset, content = assignment.dataset, None
    if dataset is not None and dataset.path is not None:
        content = store.fetch(dataset.path, workdir / "dataset")
    loaded = load_source(
        dataset.source if dataset is not None else job.data.model_dump(include={"kind", "name"}),
        root=Path(assignment.data_root),
        allow_downloads=assignment.allow_downloads,
        content=content,
        known=stored,
    )
    data = build_training_data(
        loaded,
        stored,
        features,
        inputs=job.model.input_names(job.data.inputs or features.schema.inputs),
        targets=tuple(dict.fromkeys(column.name for name in compared if (column := columns[name]) is not None)),
        plan=job_split_plan(job, stored, features),
        seed=job.training.seed,
        preparation=Preparation.load(features, stored, restored.preparation) if restored is not None else None,
    )
    return data.materialize(
        {"auto": assignment.resident_limit, "resident": sys.maxsize, "streamed": 0}[job.data.loading]
    )


def assemble(
    job: JobSpec,
    columns: Mapping[str, Column | None],
    network: BuiltNetwork,
    data: TrainingData,
    saver: CheckpointSaver,
    device: torch.device,
    restored: RestoredCheckpoint | None = None,
    loaders: int = 0,
    earlier_checkpoints: tuple[CheckpointRef, ...] = (),
) -> PreparedTraining:
    """Combine a built network and loaded data; `columns` are the targets by head.

    Raises `BuildError`, and `InvalidInput` for groups that do not fit the network.
    """
    plan = job.training
    precision = Precision(device, plan.precision)
    network.to(device)
    groups = _split_and_freeze(network, plan)
    objective, data = build_objective(job.objective, columns, tuple(network.blueprint.outputs), data, device)
    loading = LoadingStrategy(loaders, job.data.loading == "streamed")
    if not loading.always_stream:
        data = data.to_device_if_fits(device, max_resident_bytes(device))
    sampler = _build_sampler(job, data.train)
    validation, test = (loading.evaluation_examples(rows, job.data.bucket) for rows in (data.validation, data.test))
    final_test = FinalTest(test, objective.heads, precision, plan, saver.store, saver.workdir) if test else None
    total_steps = plan.total_steps(sampler.steps_per_epoch)
    mixing = _build_mixing(job, columns, data.train)
    source = loading.batch_source(data.train, sampler, device, total_steps, mixing)
    state = _build_state(plan, network, groups, source, precision, sampler.steps_per_epoch, validation is not None)
    update = build_update(plan, state.scaler is not None, device)
    return PreparedTraining(
        plan=plan,
        context=saver.context,
        device=device,
        precision=precision,
        network=network,
        objective=objective.loss,
        heads=objective.heads,
        train=data.train,
        validation=validation,
        test=final_test,
        earlier_checkpoints=earlier_checkpoints,
        sampler=sampler,
        state=state,
        training_step=TrainingStep(objective.loss, precision, update, plan.accumulate, plan.seed),
        saver=saver,
        checkpoint_policy=CheckpointPolicy(plan.checkpoint),
        total_steps=total_steps,
        evaluate_every=plan.evaluate.every_steps or sampler.steps_per_epoch,
        restored_checkpoint=restored,
    )


def _split_and_freeze(network: BuiltNetwork, plan: Training) -> ParameterSplit:
    groups = split_parameters(network.blueprint, plan)
    if groups.problems:
        raise InvalidInput(groups.problems)
    for frozen in groups.frozen:
        network.get_parameter(frozen.name).requires_grad_(False)
    return groups


def _build_state(
    plan: Training,
    network: BuiltNetwork,
    groups: ParameterSplit,
    source: BatchSource,
    precision: Precision,
    steps_per_epoch: int,
    has_validation: bool,
) -> TrainState:
    total_steps = plan.total_steps(steps_per_epoch)
    optimizer = build_optimizer(plan.optimizer, groups.param_groups(network), precision.device)
    average = None
    if plan.average is not None:
        average = WeightAverage(network, plan.average, averaging_schedule(plan.average, total_steps, steps_per_epoch))
    if plan.mode == "compiled":
        torch._dynamo.config.recompile_limit = RECOMPILE_LIMIT
        for each in [network] if average is None else [network, average.network]:
            each.compile()
    checkpoint, early = plan.checkpoint, plan.early_stop
    return TrainState(
        network=network,
        optimizer=optimizer,
        parameters=[parameter for parameter in network.parameters() if parameter.requires_grad],
        source=source,
        schedule=build_learning_rate_schedule(plan, optimizer, total_steps, steps_per_epoch),
        scaler=precision.scaler(),
        best=BestValue(checkpoint.monitor if has_validation else "train/loss", checkpoint.mode),
        stopper=BestValue(early.monitor, early.mode, early.min_delta) if early is not None else None,
        average=average,
    )


def _build_sampler(job: JobSpec, train: ExampleSet) -> Sampler:
    plan = job.training
    sampler = Sampler(plan.seed, len(train), plan.batch_size, plan.accumulate, plan.drop_last, train.device)
    if job.data.bucket is not None:
        sampler.lengths = train.lengths(job.data.bucket)
    return sampler


def _build_mixing(job: JobSpec, columns: Mapping[str, Column | None], rows: ExampleSet) -> Mixing | None:
    """Return how the job mixes the images of a batch, and the classes among its targets."""
    if not (parts := mixing_transforms(job.data)):
        return None
    images = tuple(name for name, column in rows.inputs.items() if isinstance(column, ImageColumn))
    counts = {column.name: column.classes or 0 for column in columns.values() if column is not None}
    classes = {name: counts[name.partition("/")[0]] for name in rows.targets}
    return Mixing(parts, job.training.seed, images, classes)
