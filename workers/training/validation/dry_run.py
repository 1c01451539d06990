"""A plan tried out before anything is trained: what torch and the network say of it."""

from dataclasses import dataclass, field

import torch
from torch import nn

from app.errors import BuildError, Problem
from app.spec.data.columns import DataSchema
from app.spec.job import Job
from workers.data.loading.sampler import Sampler
from workers.network.inference.partial_network import Draft
from workers.training.optim.learning_rate import build_rates
from workers.training.optim.optimizers import build_optimizer
from workers.training.optim.parameter_groups import MATRICES, PLACE, split
from workers.training.optim.weight_averages import turns_of

CPU = torch.device("cpu")


@dataclass
class Rehearsal:
    """What came of it: how many elements are trained, and every problem."""

    trained: int
    problems: list[Problem] = field(default_factory=list)


def rehearse(job: Job, schema: DataSchema, draft: Draft) -> Rehearsal:
    """Try out the groups on the network, if all of it is settled, and every setting on a parameter of one element."""
    plan = job.training
    found = Rehearsal(draft.parameters)
    if (plan.groups or plan.optimizer.kind in MATRICES) and draft.parameters and not draft.problems:
        parts = split(draft.blueprint, plan)
        found.problems += parts.problems
        found.trained -= sum(weight.elements for weight in parts.frozen)
        if parts.frozen and not parts.problems and _sources(job, draft).isdisjoint(draft.trained(parts.idle)):
            detail = "all that the loss depends on is frozen"
            found.problems.append(Problem(PLACE, "nothing_to_train", detail, "leave some nodes out"))
    for position, group in enumerate(plan.groups):
        if settings := group.settings():
            spec = plan.optimizer.model_copy(update=settings)
            try:
                build_optimizer(spec, [_element()], CPU)
            except BuildError as error:
                found.problems.append(_told(error, f"{PLACE}/{position}"))
    per_epoch = _steps_per_epoch(job, schema)
    total_steps = plan.total_steps(per_epoch)
    if plan.average is not None and not turns_of(plan.average, total_steps, per_epoch).come(total_steps):
        detail = f"the run of {total_steps:,} steps ends before the weights are averaged once"
        found.problems.append(Problem("/training/average", "contradiction", detail, "begin earlier, or train longer"))
    try:
        optimizer = build_optimizer(plan.optimizer, [_element()], CPU)
        build_rates(plan, optimizer, total_steps, per_epoch)
    except BuildError as error:
        found.problems.append(_told(error, error.pointer))
    return found


def _sources(job: Job, draft: Draft) -> set[str]:
    """Return the nodes that losses read."""
    outputs = draft.blueprint.outputs
    first = next(iter(outputs.values()))
    return {outputs.get(head.output, first) if head.output else first for head in job.objective.all_heads().values()}


def _element() -> nn.Parameter:
    return nn.Parameter(torch.zeros(1, 1))


def _told(error: BuildError, pointer: str) -> Problem:
    return Problem(pointer, "invalid_value", error.detail, error.hint)


def _steps_per_epoch(job: Job, schema: DataSchema) -> int:
    plan, rows, validation = job.training, schema.rows.get("train", 1), job.data.validation
    if validation is not None and validation.fraction is not None:
        rows -= round(validation.fraction * rows)
    return Sampler(plan.seed, max(1, rows), plan.batch_size, plan.accumulate, plan.drop_last).steps_per_epoch
