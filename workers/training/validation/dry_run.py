"""A dry run of a plan: its settings are given to torch, and its groups to the network, before anything is trained."""

from dataclasses import dataclass, field

import torch
from torch import nn

from app.errors import BuildError, Problem
from app.spec.base import MAX_STEPS
from app.spec.data.columns import DataSchema
from app.spec.job import JobSpec
from workers.data.loading.sampler import Sampler
from workers.network.inference.partial_network import PartialNetwork
from workers.training.optim.learning_rate import RunLength, build_learning_rate_schedule
from workers.training.optim.optimizers import build_optimizer
from workers.training.optim.parameter_groups import GROUPS_POINTER, split_parameters
from workers.training.optim.weight_averages import averaging_schedule
from workers.training.validation.batch_sizes import known_training_rows

CPU = torch.device("cpu")


@dataclass
class DryRunResult:
    """The number of elements that are trained, and every problem."""

    trainable_elements: int
    problems: list[Problem] = field(default_factory=list)


def dry_run_plan(job: JobSpec, schema: DataSchema, draft: PartialNetwork) -> DryRunResult:
    """Try the groups on the network, if it has no problems, and every setting on a parameter of one element."""
    plan = job.training
    result = DryRunResult(draft.parameters)
    if (plan.groups or plan.optimizer.row.matrices_only) and draft.parameters and not draft.problems:
        split = split_parameters(draft.blueprint, plan)
        result.problems += split.problems
        result.trainable_elements -= sum(weight.element_count for weight in split.frozen)
        if (
            split.frozen
            and not split.problems
            and _loss_nodes(job, draft).isdisjoint(draft.trainable_nodes(split.frozen_nodes))
        ):
            detail = "everything that the loss depends on is frozen"
            result.problems.append(
                Problem(GROUPS_POINTER, "nothing_to_train", detail, "remove some nodes from the group")
            )
    for position, group in enumerate(plan.groups):
        if settings := group.settings():
            spec = plan.optimizer.model_copy(update=settings)
            try:
                build_optimizer(spec, [_one_element_parameter()], CPU)
            except BuildError as error:
                result.problems.append(_to_problem(error, f"{GROUPS_POINTER}/{position}"))
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
    try:
        optimizer = build_optimizer(plan.optimizer, [_one_element_parameter()], CPU)
        build_learning_rate_schedule(plan, optimizer, RunLength(total_steps, per_epoch))
    except BuildError as error:
        result.problems.append(_to_problem(error, error.pointer))
    return result


def _loss_nodes(job: JobSpec, draft: PartialNetwork) -> set[str]:
    """Return the ids of the nodes whose outputs losses read."""
    outputs = draft.blueprint.outputs
    first = next(iter(outputs))
    read = (name for head in job.objective.all_heads().values() for name in head.loss_outputs(first))
    return {outputs.get(name, outputs[first]) for name in read}


def _one_element_parameter() -> nn.Parameter:
    return nn.Parameter(torch.zeros(1, 1))


def _to_problem(error: BuildError, pointer: str) -> Problem:
    return Problem(pointer, "invalid_value", error.detail, error.hint)


def _steps_per_epoch(job: JobSpec, schema: DataSchema) -> int:
    plan, rows = job.training, known_training_rows(job, schema.rows)
    rows = schema.rows.get("train", 1) if rows is None else rows
    return Sampler(plan.seed, max(1, rows), plan.batch_size, plan.accumulate, plan.drop_last).steps_per_epoch
