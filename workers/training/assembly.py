"""From a document, a built network and loaded data to everything that the loop needs."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from app.errors import InvalidInput
from app.spec.data.columns import Column, DataSchema
from app.spec.data.environments.environment import EnvironmentData
from app.spec.job import JobSpec, head_targets, parse_job, resolve_job_features
from app.spec.training.plan import Training
from workers.data.loading.epochs import Epochs
from workers.data.loading.examples import TrainingData
from workers.network.analysis.policy import policy_blueprint
from workers.network.runtime.build import BuiltNetwork
from workers.training.checkpoints.files import ExportFunction, RestoredCheckpoint, build_exporter
from workers.training.checkpoints.saver import CheckpointPolicy, CheckpointSaver
from workers.training.context import Context
from workers.training.devices import Precision
from workers.training.edits.agenda import Agenda
from workers.training.objective.class_weights import CLASS_WEIGHTS_KEY, balanced_weights
from workers.training.objective.objective import ObjectiveHead, build_objective
from workers.training.optim.learning_rate import RunLength
from workers.training.optim.parameter_groups import ParameterSplit
from workers.training.optim.schedules import JsonState
from workers.training.optim.target_networks import FollowingNode
from workers.training.optim.update_parameters import split_updates
from workers.training.optim.weight_averages import WeightAverage, averaging_schedule
from workers.training.resources import AttemptResources
from workers.training.revision import RevisionState
from workers.training.sources.catalog import build_source
from workers.training.sources.source import TrainingSource, run_steps
from workers.training.state import BestValue, TrainState
from workers.training.step import TrainingStep
from workers.training.updates import UpdateParts

RECOMPILE_LIMIT = 64  # one limit for all bodies of control flow, each of which is compiled by itself


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
    source: TrainingSource
    state: TrainState
    initial_rates: tuple[InitialRates, ...]  # by update
    training_step: TrainingStep
    saver: CheckpointSaver
    checkpoint_policy: CheckpointPolicy
    total_steps: int
    parameters: int  # elements that the network learns or keeps frozen
    restored_checkpoint: RestoredCheckpoint | None

    @property
    def epochs(self) -> Epochs:
        """How many steps an epoch has."""
        return self.source.epochs

    @property
    def agenda(self) -> Agenda:
        """The edits that wait, and those that are to be repeated."""
        return self.resources.agenda

    def is_evaluation_step(self, step: int) -> bool:
        """Say whether the plan evaluates after `step` steps."""
        every = self.plan.evaluate.every_steps
        return step % every == 0 if every is not None else self.epochs.position(step)[1] == 0


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
    source = build_source(job, columns, network, objective.heads, data, resources, revision)
    total_steps, epochs = run_steps(plan, source.epochs), source.epochs
    run = RunLength(total_steps, epochs.steps_per_epoch, 0, epochs.origin.step)
    parts = UpdateParts(plan, network, objective, precision, run, revision.origins)
    state = _build_state(parts, splits, source)
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
        source=source,
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
    policy = policy_blueprint(network.blueprint, job.data) if isinstance(job.data, EnvironmentData) else None
    return build_exporter(network, data.preparation, {CLASS_WEIGHTS_KEY: weights} if weights else {}, policy)


def _split_and_freeze(network: BuiltNetwork, plan: Training) -> list[ParameterSplit]:
    parameters = split_updates(network.blueprint, plan)
    if parameters.problems:
        raise InvalidInput(parameters.problems)
    for name in parameters.frozen_names():
        network.get_parameter(name).requires_grad_(False)
    return parameters.splits


def _build_state(parts: UpdateParts, splits: Sequence[ParameterSplit], source: TrainingSource) -> TrainState:
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
        source=source.batches,
        best=BestValue(checkpoint.monitor if source.has_validation else "train/loss", checkpoint.mode),
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
