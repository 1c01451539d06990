"""A dry run of a plan: its settings are given to torch, and its groups to the network, before anything is trained."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import nn

from app.errors import BuildError, Problem
from app.spec.base import MAX_STEPS
from app.spec.data.columns import DataSchema
from app.spec.data.environments.environment import EnvironmentData
from app.spec.job import JobSpec
from app.spec.training.plan import Training
from app.spec.training.updates.update import BaseUpdate
from workers.data.loading.sampler import Sampler
from workers.network.inference.partial_network import PartialNetwork
from workers.training.optim.learning_rate import RunLength, build_learning_rate_schedule
from workers.training.optim.optimizers import build_optimizer
from workers.training.optim.update_parameters import split_updates
from workers.training.optim.weight_averages import averaging_schedule
from workers.training.validation.batch_sizes import known_training_rows

CPU = torch.device("cpu")


@dataclass
class DryRunResult:
    """The number of elements that are trained, in all and by each update, and every problem."""

    trainable_elements: int
    update_elements: list[int]
    problems: list[Problem] = field(default_factory=list)


def dry_run_plan(job: JobSpec, schema: DataSchema, draft: PartialNetwork) -> DryRunResult:
    """Try the updates on the network, if it has no problems, and every setting on a parameter of one element."""
    plan, result = job.training, DryRunResult(draft.parameters, [draft.parameters])
    if draft.parameters and not draft.problems and _divides_parameters(plan):
        result = _split_network(job, draft)
    for pointer, update in plan.all_updates():
        result.problems += _group_problems(update, f"/training{pointer}/groups")
    per_epoch = _steps_per_epoch(job, schema)
    total_steps = plan.total_steps(per_epoch)
    if total_steps > MAX_STEPS:
        detail = f"{plan.epochs:,} epochs of {per_epoch:,} steps are more than {MAX_STEPS:,} steps"
        result.problems.append(Problem("/training/epochs", "out_of_range", detail, f"{MAX_STEPS // per_epoch:,} fit"))
        return result
    if plan.average is not None and not averaging_schedule(plan.average, total_steps, per_epoch).occurs_within(
        total_steps
    ):
        detail = f"the run of {total_steps:,} steps ends before the weights are averaged once"
        result.problems.append(
            Problem("/training/average", "contradiction", detail, "start the average earlier, or train longer")
        )
    result.problems += _interval_problems(plan, total_steps)
    for pointer, update in plan.all_updates():
        where = f"/training{pointer}"
        try:
            optimizer = build_optimizer(update.optimizer, [_one_element_parameter()], CPU, where)
            build_learning_rate_schedule(update, plan.average, optimizer, RunLength(total_steps, per_epoch), where)
        except BuildError as error:
            result.problems.append(_to_problem(error, error.pointer))
    return result


def _divides_parameters(plan: Training) -> bool:
    """Say whether some parameters may not be trained, or not be the optimiser's."""
    is_divided = plan.updates or plan.target_networks
    return bool(is_divided or any(each.groups or each.optimizer.row.matrices_only for _, each in plan.all_updates()))


def _split_network(job: JobSpec, draft: PartialNetwork) -> DryRunResult:
    """Return what each update trains of a network, and the problems of that."""
    plan, parameters = job.training, split_updates(draft.blueprint, job.training)
    counts = [{each.name: each.element_count for each in split.trained()} for split in parameters.splits]
    trained = {name: count for own in counts for name, count in own.items()}
    own = [sum(each.values()) for each in counts]
    result = DryRunResult(sum(trained.values()), own, list(parameters.problems))
    if result.problems:
        return result
    if not plan.updates:
        [split] = parameters.splits
        if split.frozen and _loss_nodes(job, draft).isdisjoint(draft.trainable_nodes(split.frozen_nodes)):
            detail = "everything that the loss depends on is frozen"
            hint = "remove some nodes from the group"
            result.problems.append(Problem("/training/groups", "nothing_to_train", detail, hint))
    for place, (update, split) in enumerate(zip(plan.updates, parameters.splits, strict=False)):
        trainable = draft.trainable_nodes(split.frozen_nodes)
        for position, head in enumerate(update.loss):
            if _loss_nodes(job, draft, head).isdisjoint(trainable):
                detail = f"{head} depends on none of the parameters that this update trains"
                hint = "name others in parameters, or another loss"
                pointer = f"/training/updates/{place}/loss/{position}"
                result.problems.append(Problem(pointer, "nothing_to_train", detail, hint))
    return result


def _group_problems(update: BaseUpdate, pointer: str) -> Iterator[Problem]:
    """Yield why torch refuses the settings of groups."""
    for position, group in enumerate(update.groups):
        if settings := group.settings():
            spec = update.optimizer.model_copy(update=settings)
            try:
                build_optimizer(spec, [_one_element_parameter()], CPU)
            except BuildError as error:
                yield _to_problem(error, f"{pointer}/{position}")


def _interval_problems(plan: Training, total_steps: int) -> Iterator[Problem]:
    """Yield the updates and target networks whose turn does not come within the run."""
    for field_name in ("updates", "target_networks"):
        for place, each in enumerate(getattr(plan, field_name)):
            if each.every > total_steps:
                detail = f"the first time would be step {each.every:,}, and the run has {total_steps:,}"
                pointer = f"/training/{field_name}/{place}/every"
                yield Problem(pointer, "contradiction", detail, "use a smaller number, or train longer")


def _loss_nodes(job: JobSpec, draft: PartialNetwork, head_name: str | None = None) -> set[str]:
    """Return the ids of the nodes whose outputs losses read: those of one head, or of all."""
    outputs = draft.blueprint.outputs
    first = next(iter(outputs))
    heads = job.objective.all_heads()
    chosen = heads.values() if head_name is None else [heads[head_name]]
    return {outputs.get(name, outputs[first]) for head in chosen for name in head.loss_outputs(first)}


def _one_element_parameter() -> nn.Parameter:
    return nn.Parameter(torch.zeros(1, 1))


def _to_problem(error: BuildError, pointer: str) -> Problem:
    return Problem(pointer, "invalid_value", error.detail, error.hint)


def _steps_per_epoch(job: JobSpec, schema: DataSchema) -> int:
    if isinstance(job.data, EnvironmentData):  # the whole run is one epoch
        return job.training.steps or 1
    plan, rows = job.training, known_training_rows(job, schema.rows)
    rows = schema.rows.get("train", 1) if rows is None else rows
    return Sampler(plan.seed, max(1, rows), plan.batch_size, plan.accumulate, plan.drop_last).steps_per_epoch
