"""From an assignment to everything the loop needs, built in the order in which it can fail cheaply."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

import torch
from torch import Tensor, nn

from app.errors import CorruptCheckpoint, DataError, InvalidInput
from app.faultpoints import faultpoint
from app.spec.data.columns import Column, DataSchema
from app.spec.data.images import mixing_transforms
from app.spec.job import JobSpec, head_targets, parse_job, resolve_job_features
from app.spec.training.optimizers import CLOSURE_OPTIMIZERS
from app.spec.training.plan import Training
from app.storage.protocol import ArtifactStore
from workers.data.features.preparation import Preparation
from workers.data.images.column import ImageColumn
from workers.data.images.mixing import Mixing
from workers.data.loading.batch_source import BatchSource
from workers.data.loading.examples import ExampleSet, TrainingData, build_training_data
from workers.data.loading.sampler import Sampler
from workers.data.loading.sources import load_source
from workers.data.loading.streaming import EvaluationExamples, LoadingStrategy
from workers.exports.weights import export_weights
from workers.network.codegen.source import write_source
from workers.network.runtime.build import BuiltNetwork, build
from workers.protocol.assignment import Assignment
from workers.protocol.messages import ProgressReport
from workers.torch_errors import translate_torch_errors
from workers.training.checkpoints.files import PREPARATION_FILE, ExportFunction, RestoredCheckpoint, restore_checkpoint
from workers.training.checkpoints.initial_weights import WEIGHTS_POINTER, load_weights, read_weights
from workers.training.checkpoints.pretrained_embeddings import load_pretrained_embeddings
from workers.training.checkpoints.saver import CheckpointPolicy, CheckpointSaver
from workers.training.context import Context
from workers.training.devices import Precision, max_resident_bytes, select_device, set_determinism
from workers.training.objective.losses import TrainingLoss
from workers.training.objective.objective import ObjectiveHead, build_objective
from workers.training.optim.learning_rate import build_learning_rate_schedule
from workers.training.optim.optimizers import build_optimizer, can_skip_on_device
from workers.training.optim.parameter_groups import split_parameters
from workers.training.optim.update import ClosureStep, FiniteCheck, OptimizerStep
from workers.training.optim.weight_averages import WeightAverage, averaging_schedule
from workers.training.state import BestValue, TrainState, published_weights

RECOMPILE_LIMIT = 64  # each body of control flow is compiled by itself, under one limit


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
    sampler: Sampler
    loading: LoadingStrategy
    mixing: Mixing | None
    state: TrainState
    update: OptimizerStep | ClosureStep
    saver: CheckpointSaver
    checkpoint_policy: CheckpointPolicy
    total_steps: int
    evaluate_every: int
    restored_checkpoint: RestoredCheckpoint | None

    def supply(self) -> BatchSource:
        """Return what every step sees."""
        return self.loading.batch_source(self.train, self.sampler, self.device, self.total_steps, self.mixing)


@translate_torch_errors()
def prepare(assignment: Assignment, store: ArtifactStore, context: Context, workdir: Path) -> PreparedTraining:
    """Build all parts of an attempt. The first report says where it starts, the next ones which phase it is in.

    Raises `TrainingError` (`BuildError`, `DataError`, `OutOfMemory`); `InvalidInput` for a spec that does not parse.
    """
    job = parse_job(dict(assignment.spec))
    stored = DataSchema.model_validate(assignment.data_schema)
    seen = resolve_job_features(job, stored)
    restored = restore_checkpoint(assignment.resume_from, store, workdir)
    if restored is None and assignment.resume_from:  # starting anew would silently throw away what has been trained
        raise CorruptCheckpoint(hint="look at the artifact store, then retry; or submit the job anew")
    begun = _load_start_checkpoint(job, assignment, store, workdir) if restored is None else None
    if begun is not None and job.start_from is not None and job.start_from.what == "everything":
        restored, begun = replace(begun, forked=True), None
    start = {"step": restored.step, "checkpoint": restored.checkpoint} if restored else {"step": 0, "checkpoint": None}
    context.report(ProgressReport(phase="loading_data", events=(("rewound", start),)))
    data = load_tensors(job, stored, assignment, store, workdir, restored)
    faultpoint("data_opened")
    told = data.vocabulary_reports() if restored is None else ()
    context.report(ProgressReport(phase="building", events=tuple(("vocabulary", each) for each in told)))
    device = select_device(job.training.device)
    set_determinism(job.training.deterministic)
    torch.manual_seed(job.training.seed)
    network = build(job.model, seen.schema, job.data.inputs or seen.schema.inputs)
    faultpoint("network_built")
    if begun is not None:
        load_weights(network, published_weights(begun.tensors))
    elif restored is None and assignment.weights is not None:
        load_weights(network, read_weights(assignment.weights, store, workdir), WEIGHTS_POINTER)
    elif restored is None:
        found = tuple(load_pretrained_embeddings(network, seen, data, assignment.word_vectors, store, workdir))
        context.report(ProgressReport(events=tuple(("vectors", each) for each in found)))
    export = _build_exporter(network, data.preparation)
    saver = CheckpointSaver(store, context, f"jobs/{assignment.job_id}/{assignment.fence}", workdir, export)
    columns = head_targets(job, stored, seen)
    return assemble(job, columns, network, data, saver, device, restored, assignment.loaders)


def _load_start_checkpoint(
    job: JobSpec, assignment: Assignment, store: ArtifactStore, workdir: Path
) -> RestoredCheckpoint | None:
    """Return the checkpoint of another job that this one starts from. Raises `DataError` if it is damaged or gone."""
    if assignment.start_from is None:
        return None
    found = restore_checkpoint((assignment.start_from,), store, workdir)
    if found is None:
        detail = f"{assignment.start_from.id} is damaged: its files are not what was stored"
        raise DataError(detail, pointer="/start_from/checkpoint", hint="start from another checkpoint")
    return found


def load_tensors(
    job: JobSpec,
    stored: DataSchema,
    assignment: Assignment,
    store: ArtifactStore,
    workdir: Path,
    restored: RestoredCheckpoint | None = None,
) -> TrainingData:
    """Read, split and prepare the examples, as they were prepared for a restored checkpoint. Raises `DataError`."""
    seen = resolve_job_features(job, stored)
    columns = head_targets(job, stored, seen)
    watched = [name for name, head in job.objective.all_heads().items() if head.has_metrics_output]
    if any(columns[name] is None for name in watched):
        raise DataError("the data has no target", pointer="/data/target", hint="name a column")
    registered, content = assignment.dataset, None
    if registered is not None and registered.path is not None:
        content = store.fetch(registered.path, workdir / "dataset")
    loaded = load_source(
        registered.source if registered is not None else job.data.model_dump(include={"kind", "name"}),
        root=Path(assignment.data_root),
        allow_downloads=assignment.allow_downloads,
        content=content,
        known=stored,
    )
    data = build_training_data(
        loaded,
        stored,
        seen,
        inputs=job.model.input_names(job.data.inputs or seen.schema.inputs),
        targets=tuple(dict.fromkeys(column.name for name in watched if (column := columns[name]) is not None)),
        split=job.data.validation,
        seed=job.training.seed,
        preparation=Preparation.load(seen, stored, restored.preparation) if restored is not None else None,
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
) -> PreparedTraining:
    """Put a built network and loaded data together; `columns` are the targets by head.

    Raises `BuildError`, and `InvalidInput` for impossible groups.
    """
    plan = job.training
    precision = Precision(device, plan.precision)
    network.to(device)
    parts = split_parameters(network.blueprint, plan)
    if parts.problems:
        raise InvalidInput(parts.problems)
    for weight in parts.frozen:
        network.get_parameter(weight.name).requires_grad_(False)
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    objective, data = build_objective(job.objective, columns, tuple(network.blueprint.outputs), data, device)
    loading = LoadingStrategy(loaders, job.data.loading == "streamed")
    if not loading.always_stream:
        data = data.to_device_if_fits(device, max_resident_bytes(device))
    sampler, validation = _build_sampler(job, data)
    total_steps = plan.total_steps(sampler.steps_per_epoch)
    optimizer = build_optimizer(plan.optimizer, parts.param_groups(network), device)
    schedule = build_learning_rate_schedule(plan, optimizer, total_steps, sampler.steps_per_epoch)
    average = None
    if plan.average is not None:
        average = WeightAverage(
            network, plan.average, averaging_schedule(plan.average, total_steps, sampler.steps_per_epoch)
        )
    if plan.mode == "compiled":
        torch._dynamo.config.recompile_limit = RECOMPILE_LIMIT
        for each in [network] if average is None else [network, average.network]:
            each.compile()
    state = TrainState(network, optimizer, schedule, precision.scaler(), *_build_trackers(plan, data), average)
    return PreparedTraining(
        plan=plan,
        context=saver.context,
        device=device,
        precision=precision,
        network=network,
        objective=objective.loss,
        heads=objective.heads,
        train=data.train,
        validation=loading.evaluation_examples(validation),
        sampler=sampler,
        loading=loading,
        mixing=_build_mixing(job, columns, data.train),
        state=state,
        update=_build_update(plan, state, parameters, device),
        saver=saver,
        checkpoint_policy=CheckpointPolicy(plan.checkpoint),
        total_steps=total_steps,
        evaluate_every=plan.evaluate.every_steps or sampler.steps_per_epoch,
        restored_checkpoint=restored,
    )


def _build_sampler(job: JobSpec, data: TrainingData) -> tuple[Sampler, ExampleSet | None]:
    """Return the order of the training rows, and the held-out rows in theirs."""
    plan, held = job.training, data.validation
    sampler = Sampler(plan.seed, len(data.train), plan.batch_size, plan.accumulate, plan.drop_last, data.train.device)
    if (bucket := job.data.bucket) is not None:
        sampler.lengths = data.train.lengths(bucket)
        held = held.sorted_by_length(bucket) if held is not None else None
    return sampler, held


def _build_mixing(job: JobSpec, columns: Mapping[str, Column | None], rows: ExampleSet) -> Mixing | None:
    """Return how the job mixes the pictures of a batch, and the classes among its targets."""
    if not (parts := mixing_transforms(job.data)):
        return None
    pictures = tuple(name for name, column in rows.inputs.items() if isinstance(column, ImageColumn))
    known = {column.name: column.classes or 0 for column in columns.values() if column is not None}
    classes = {name: known[name.partition("/")[0]] for name in rows.targets}
    return Mixing(parts, job.training.seed, pictures, classes)


def _build_update(
    plan: Training, state: TrainState, parameters: Sequence[nn.Parameter], device: torch.device
) -> OptimizerStep | ClosureStep:
    if plan.optimizer.kind in CLOSURE_OPTIMIZERS:
        return ClosureStep(state.optimizer)
    guard = FiniteCheck.NOBODY
    if plan.on_nan == "skip" and state.scaler is None:
        guard = FiniteCheck.DEVICE if can_skip_on_device(plan.optimizer, device) else FiniteCheck.HOST
    return OptimizerStep(state.optimizer, parameters, state.scaler, plan.clip_norm, guard)


def _build_trackers(plan: Training, data: TrainingData) -> tuple[BestValue, BestValue | None]:
    """Return what follows the best value, and what stops early. Without held-out data the training loss is followed."""
    checkpoint, early = plan.checkpoint, plan.early_stop
    monitor = checkpoint.monitor if data.validation is not None else "train/loss"
    stopper = BestValue(early.monitor, early.mode, early.min_delta) if early is not None else None
    return BestValue(monitor, checkpoint.mode), stopper


def _build_exporter(network: BuiltNetwork, preparation: Preparation) -> ExportFunction:
    contents = {PREPARATION_FILE: json.dumps(preparation.document()), **preparation.tokenizer_files()}
    source = cache(partial(write_source, network))

    def write(weights: Mapping[str, Tensor], folder: Path) -> list[Path]:
        for name, content in contents.items():
            (folder / name).write_text(content)
        return [*export_weights(weights, source(), folder), *(folder / name for name in contents)]

    return write
