"""From an assignment to everything the loop needs, built in the order in which it can fail cheaply."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

import torch
from torch import Tensor, nn

from app.errors import CheckpointDamaged, DataError, InvalidInput
from app.faultpoints import faultpoint
from app.spec.data.columns import Column, DataSchema
from app.spec.data.images import mixing
from app.spec.job import Job, head_targets, job_view, parse_job
from app.spec.training.optimizers import SEARCHING
from app.spec.training.plan import Training
from app.storage.protocol import ArtifactStore
from workers.data.features.preparation import Preparation
from workers.data.features.vocabularies import vocabularies
from workers.data.images.column import Images
from workers.data.images.mixing import Mixing
from workers.data.loading.batches import Supply
from workers.data.loading.sampler import Sampler
from workers.data.loading.sources import load
from workers.data.loading.streaming import Held, Loading
from workers.data.loading.tensors import Rows, Tensors, tensors
from workers.exports.weights import export
from workers.network.codegen.source import write_source
from workers.network.runtime.build import BuiltNetwork, build
from workers.protocol.assignment import Assignment
from workers.protocol.messages import Report
from workers.torch_errors import translated
from workers.training.checkpoints.files import PREPARATION, Export, Restored, restore
from workers.training.checkpoints.initial_weights import FILE, read_weights, take
from workers.training.checkpoints.pretrained_embeddings import put
from workers.training.checkpoints.saver import Cadence, Saver
from workers.training.context import Context
from workers.training.devices import Precision, choose, room, set_determinism
from workers.training.objective.losses import Minimised
from workers.training.objective.objective import Head, build_objective
from workers.training.optim.learning_rate import build_rates
from workers.training.optim.optimizers import build_optimizer, skips_on_device
from workers.training.optim.parameter_groups import split
from workers.training.optim.update import Guard, Search, Update
from workers.training.optim.weight_averages import Average, turns_of
from workers.training.state import Tracker, TrainState, published

RECOMPILATIONS = 64  # each body of control flow is compiled by itself, under one limit


@dataclass
class Prepared:
    """All parts of one attempt, ready for the loop."""

    plan: Training
    context: Context
    device: torch.device
    precision: Precision
    network: BuiltNetwork
    objective: Minimised
    heads: tuple[Head, ...]
    train: Rows
    validation: Held | None
    sampler: Sampler
    loading: Loading
    mixing: Mixing | None
    state: TrainState
    update: Update | Search
    saver: Saver
    cadence: Cadence
    total_steps: int
    evaluate_every: int
    restored: Restored | None

    def supply(self) -> Supply:
        """Return what every step sees."""
        return self.loading.supply(self.train, self.sampler, self.device, self.total_steps, self.mixing)


@translated()
def prepare(assignment: Assignment, store: ArtifactStore, context: Context, workdir: Path) -> Prepared:
    """Build all parts of an attempt. The first report says where it starts, the next ones which phase it is in.

    Raises `TrainingError` (`BuildError`, `DataError`, `OutOfMemory`); `InvalidInput` for a spec that does not parse.
    """
    job = parse_job(dict(assignment.spec))
    stored = DataSchema.model_validate(assignment.data_schema)
    seen = job_view(job, stored)
    restored = restore(assignment.resume, store, workdir)
    if restored is None and assignment.resume:  # starting anew would silently throw away what has been trained
        raise CheckpointDamaged(hint="look at the artifact store, then retry; or submit the job anew")
    begun = _begun(job, assignment, store, workdir) if restored is None else None
    if begun is not None and job.start_from is not None and job.start_from.what == "everything":
        restored, begun = replace(begun, forked=True), None
    start = {"step": restored.step, "checkpoint": restored.checkpoint} if restored else {"step": 0, "checkpoint": None}
    context.report(Report(phase="loading_data", events=(("rewound", start),)))
    data = load_tensors(job, stored, assignment, store, workdir, restored)
    faultpoint("data_opened")
    told = vocabularies(data) if restored is None else ()
    context.report(Report(phase="building", events=tuple(("vocabulary", each) for each in told)))
    device = choose(job.training.device)
    set_determinism(job.training.deterministic)
    torch.manual_seed(job.training.seed)
    network = build(job.model, seen.schema, job.data.inputs or seen.schema.inputs)
    faultpoint("network_built")
    if begun is not None:
        take(network, published(begun.tensors))
    elif restored is None and assignment.weights is not None:
        take(network, read_weights(assignment.weights, store, workdir), FILE)
    elif restored is None:
        found = tuple(put(network, seen, data, assignment.vectors, store, workdir))
        context.report(Report(events=tuple(("vectors", each) for each in found)))
    export = _exporter(network, data.preparation)
    saver = Saver(store, context, f"jobs/{assignment.job_id}/{assignment.fence}", workdir, export)
    columns = head_targets(job, stored, seen)
    return assemble(job, columns, network, data, saver, device, restored, assignment.loaders)


def _begun(job: Job, assignment: Assignment, store: ArtifactStore, workdir: Path) -> Restored | None:
    """Return the checkpoint of another job that this one starts from. Raises `DataError` if it is damaged or gone."""
    if assignment.start is None:
        return None
    found = restore((assignment.start,), store, workdir)
    if found is None:
        detail = f"{assignment.start.checkpoint} is damaged: its files are not what was stored"
        raise DataError(detail, pointer="/start_from/checkpoint", hint="start from another checkpoint")
    return found


def load_tensors(
    job: Job,
    stored: DataSchema,
    assignment: Assignment,
    store: ArtifactStore,
    workdir: Path,
    restored: Restored | None = None,
) -> Tensors:
    """Read, split and prepare the examples, as they were prepared for a restored checkpoint. Raises `DataError`."""
    seen = job_view(job, stored)
    columns = head_targets(job, stored, seen)
    watched = [name for name, head in job.objective.all_heads().items() if head.watches]
    if any(columns[name] is None for name in watched):
        raise DataError("the data has no target", pointer="/data/target", hint="name a column")
    registered, content = assignment.dataset, None
    if registered is not None and registered.path is not None:
        content = store.fetch(registered.path, workdir / "dataset")
    loaded = load(
        registered.source if registered is not None else job.data.model_dump(include={"kind", "name"}),
        root=Path(assignment.data_root),
        allow_downloads=assignment.allow_downloads,
        content=content,
        known=stored,
    )
    data = tensors(
        loaded,
        stored,
        seen,
        inputs=job.model.input_names(job.data.inputs or seen.schema.inputs),
        targets=tuple(dict.fromkeys(column.name for name in watched if (column := columns[name]) is not None)),
        split=job.data.validation,
        seed=job.training.seed,
        preparation=Preparation.load(seen, stored, restored.preparation) if restored is not None else None,
    )
    return data.settled({"auto": assignment.resident_limit, "resident": sys.maxsize, "streamed": 0}[job.data.loading])


def assemble(
    job: Job,
    columns: Mapping[str, Column | None],
    network: BuiltNetwork,
    data: Tensors,
    saver: Saver,
    device: torch.device,
    restored: Restored | None = None,
    loaders: int = 0,
) -> Prepared:
    """Put a built network and loaded data together; `columns` are the targets by head.

    Raises `BuildError`, and `InvalidInput` for impossible groups.
    """
    plan = job.training
    precision = Precision(device, plan.precision)
    network.to(device)
    parts = split(network.blueprint, plan)
    if parts.problems:
        raise InvalidInput(parts.problems)
    for weight in parts.frozen:
        network.get_parameter(weight.name).requires_grad_(False)
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    objective, data = build_objective(job.objective, columns, tuple(network.blueprint.outputs), data, device)
    loading = Loading(loaders, job.data.loading == "streamed")
    if not loading.always:
        data = data.resident(device, room(device))
    sampler, validation = _ordered(job, data)
    total_steps = plan.total_steps(sampler.steps_per_epoch)
    optimizer = build_optimizer(plan.optimizer, parts.groups(network), device)
    schedule = build_rates(plan, optimizer, total_steps, sampler.steps_per_epoch)
    average = None
    if plan.average is not None:
        average = Average(network, plan.average, turns_of(plan.average, total_steps, sampler.steps_per_epoch))
    if plan.mode == "compiled":
        torch._dynamo.config.recompile_limit = RECOMPILATIONS
        for each in [network] if average is None else [network, average.network]:
            each.compile()
    state = TrainState(network, optimizer, schedule, precision.scaler(), *_trackers(plan, data), average)
    return Prepared(
        plan=plan,
        context=saver.context,
        device=device,
        precision=precision,
        network=network,
        objective=objective.minimised,
        heads=objective.heads,
        train=data.train,
        validation=loading.held(validation),
        sampler=sampler,
        loading=loading,
        mixing=_mixing(job, columns, data.train),
        state=state,
        update=_update(plan, state, parameters, device),
        saver=saver,
        cadence=Cadence(plan.checkpoint),
        total_steps=total_steps,
        evaluate_every=plan.evaluate.every_steps or sampler.steps_per_epoch,
        restored=restored,
    )


def _ordered(job: Job, data: Tensors) -> tuple[Sampler, Rows | None]:
    """Return the order of the training rows, and the held-out rows in theirs."""
    plan, held = job.training, data.validation
    sampler = Sampler(plan.seed, len(data.train), plan.batch_size, plan.accumulate, plan.drop_last, data.train.device)
    if (bucket := job.data.bucket) is not None:
        sampler.lengths = data.train.lengths(bucket)
        held = held.by_length(bucket) if held is not None else None
    return sampler, held


def _mixing(job: Job, columns: Mapping[str, Column | None], rows: Rows) -> Mixing | None:
    """Return how the job mixes the pictures of a batch, and the classes among its targets."""
    if not (parts := mixing(job.data)):
        return None
    pictures = tuple(name for name, column in rows.inputs.items() if isinstance(column, Images))
    known = {column.name: column.classes or 0 for column in columns.values() if column is not None}
    classes = {name: known[name.partition("/")[0]] for name in rows.targets}
    return Mixing(parts, job.training.seed, pictures, classes)


def _update(
    plan: Training, state: TrainState, parameters: Sequence[nn.Parameter], device: torch.device
) -> Update | Search:
    if plan.optimizer.kind in SEARCHING:
        return Search(state.optimizer)
    guard = Guard.NOBODY
    if plan.on_nan == "skip" and state.scaler is None:
        guard = Guard.DEVICE if skips_on_device(plan.optimizer, device) else Guard.HOST
    return Update(state.optimizer, parameters, state.scaler, plan.clip_norm, guard)


def _trackers(plan: Training, data: Tensors) -> tuple[Tracker, Tracker | None]:
    """Return what follows the best value, and what stops early. Without held-out data the training loss is followed."""
    checkpoint, early = plan.checkpoint, plan.early_stop
    monitor = checkpoint.monitor if data.validation is not None else "train/loss"
    stopper = Tracker(early.monitor, early.mode, early.min_delta) if early is not None else None
    return Tracker(monitor, checkpoint.mode), stopper


def _exporter(network: BuiltNetwork, preparation: Preparation) -> Export:
    contents = {PREPARATION: json.dumps(preparation.document()), **preparation.files()}
    source = cache(partial(write_source, network))

    def write(weights: Mapping[str, Tensor], folder: Path) -> list[Path]:
        for name, content in contents.items():
            (folder / name).write_text(content)
        return [*export(weights, source(), folder), *(folder / name for name in contents)]

    return write
