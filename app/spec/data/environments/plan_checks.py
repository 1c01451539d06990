"""The checks of a plan and of an objective that go with an environment, which has neither epochs nor held-out rows."""

from collections.abc import Iterator

from app.errors import Problem
from app.spec.data.environments.environment import EnvironmentData
from app.spec.data.environments.experience import EpisodesExperience, RolloutExperience
from app.spec.data.environments.series import MAXIMISED
from app.spec.training.losses import OUTPUT_LOSS
from app.spec.training.objective import Objective, head_pointer
from app.spec.training.plan import Training
from app.spec.training.schedules import BaseSchedule
from app.spec.training.updates.update import BaseUpdate

NO_EPOCHS = "an environment has no rows to pass through, and so no epochs"


def environment_plan_problems(data: EnvironmentData, plan: Training) -> Iterator[Problem]:
    """Yield what a plan says of epochs and rows, and batches that do not go with the experience."""
    yield from _length_problems(plan)
    yield from _row_problems(plan)
    for pointer, update in plan.all_updates():
        yield from _epoch_problems(update, f"/training{pointer}")
    for position, rule in enumerate(plan.edits):
        parts = {"every": (rule.every, "epochs"), "at": (rule.at, "epoch"), "until": (rule.until, "epoch")}
        for name, (part, field) in parts.items():
            if part is not None and getattr(part, field) is not None:
                place = f"/training/edits/{position}/{name}/{field}"
                yield Problem(place, "unsupported", NO_EPOCHS, f'use "{"steps" if name == "every" else "step"}"')
    yield from _batch_problems(data, plan)
    yield from _mode_problems(plan)


def _length_problems(plan: Training) -> Iterator[Problem]:
    if plan.epochs is not None:
        hint = 'use "steps": 20000, each of which makes `experience.steps` steps of every copy'
        yield Problem("/training/epochs", "unsupported", NO_EPOCHS, hint)
    elif plan.steps is None:
        yield Problem("/training/steps", "missing", f'{NO_EPOCHS}: "steps" is required', 'add "steps": 20000')
    if plan.average is not None and plan.average.counts_epochs:
        yield Problem("/training/average/every", "unsupported", NO_EPOCHS, 'set "every": "step"')
    if plan.early_stop is not None and plan.evaluate.every_steps is None:
        detail = "the return is evaluated once, at the end, and nothing can stop earlier"
        hint = 'add "evaluate": {"every_steps": 1000}'
        yield Problem("/training/early_stop", "contradiction", detail, hint)


def _row_problems(plan: Training) -> Iterator[Problem]:
    """Yield settings of rows, of which an environment has none."""
    if plan.evaluate.train:
        detail = "an environment has no training rows to evaluate"
        yield Problem("/training/evaluate/train", "unsupported", detail, "remove it")
    if plan.drop_last:
        detail = "an environment has no last rows of an epoch that could be left out"
        yield Problem("/training/drop_last", "unsupported", detail, "remove it")


def _epoch_problems(update: BaseUpdate, place: str) -> Iterator[Problem]:
    """Yield the schedule and the warm-up of an update that count epochs."""
    if update.warmup is not None and update.warmup.epochs is not None:
        yield Problem(f"{place}/warmup/epochs", "unsupported", NO_EPOCHS, 'use "steps"')
    if update.schedule is not None:
        pointer = f"{place}/schedule"
        yield from _interval_problems(update.schedule, pointer)


def _interval_problems(schedule: BaseSchedule, place: str) -> Iterator[Problem]:
    if schedule.settings().get("interval") == "epoch":
        detail = f"{schedule.kind} moves at the end of epochs: {NO_EPOCHS}"
        yield Problem(f"{place}/interval", "unsupported", detail, 'set "interval": "step", and count in steps')
        return
    for position, part in enumerate(schedule.parts):
        yield from _interval_problems(part, f"{place}/schedulers/{position}")


def _batch_problems(data: EnvironmentData, plan: Training) -> Iterator[Problem]:
    """Yield batches that the experience does not give."""
    experience = data.experience
    if plan.accumulate > 1 and isinstance(experience, EpisodesExperience):
        detail = "a step takes one batch, of all its episodes, and nothing is accumulated"
        yield Problem("/training/accumulate", "unsupported", detail, 'remove it, or play more "episodes"')
    if isinstance(experience, EpisodesExperience) and "batch_size" in plan.model_fields_set:
        detail = f"a batch holds every step of {experience.episodes} episodes, however many they are"
        yield Problem("/training/batch_size", "unsupported", detail, 'remove it: "episodes" of the experience counts')
    if not isinstance(experience, RolloutExperience):
        return
    transitions = experience.steps * data.copies
    if plan.batch_size > transitions:
        kept = f"steps x copies = {experience.steps} x {data.copies} = {transitions}"
        detail = f"a rollout has fewer transitions ({kept}) than a batch"
        hint = f'use at most {transitions}, or "steps": {-(-plan.batch_size // data.copies)} in the experience'
        yield Problem("/training/batch_size", "contradiction", detail, hint)
    elif experience.normalize_advantage and 1 in (plan.batch_size, transitions % plan.batch_size):
        which = "every batch" if plan.batch_size == 1 else f"the last batch of {transitions} transitions"
        detail = f"{which} holds one advantage, whose variance is not defined"
        hint = f'use a divisor of {transitions}, or "normalize_advantage": false'
        yield Problem("/training/batch_size", "batch_of_one", detail, hint)


def _mode_problems(plan: Training) -> Iterator[Problem]:
    """Yield monitors of which nobody has said whether more is better: only of returns it is known."""
    monitors = {"checkpoint": plan.checkpoint, "early_stop": plan.early_stop}
    for name, settings in monitors.items():
        if settings is None or settings.monitor in MAXIMISED or settings.monitor.endswith("loss"):
            continue
        if "mode" not in settings.model_fields_set:
            detail = f"{settings.monitor} may be better the larger or the smaller it is"
            yield Problem(f"/training/{name}/mode", "missing", detail, 'add "mode": "max" or "mode": "min"')
    for position, rule in enumerate(plan.edits):
        for pointer, condition in rule.conditions():
            is_default = condition.plateau is not None and "mode" not in condition.model_fields_set
            if is_default and not condition.metric.endswith("loss"):
                detail = f"a plateau of {condition.metric} may be that of a maximum or of a minimum"
                place = f"/training/edits/{position}{pointer}/mode"
                yield Problem(place, "missing", detail, 'add "mode": "max" or "mode": "min"')


def environment_plan_warnings(data: EnvironmentData, plan: Training) -> Iterator[Problem]:
    """Yield what a reader of the figures must know: uneven batches, and a return that is evaluated once."""
    if isinstance(data.experience, RolloutExperience):
        transitions = data.experience.steps * data.copies
        if plan.batch_size <= transitions and (rest := transitions % plan.batch_size):
            detail = f"a rollout has {transitions} transitions, and its last batch holds {rest}, not {plan.batch_size}"
            hint = f"use a divisor of {transitions}, so that every transition has the same weight"
            yield Problem("/training/batch_size", "uneven_batches", detail, hint)
    if plan.evaluate.every_steps is None:
        detail = "the return is evaluated once, at the end: there is no curve, and no best checkpoint to choose"
        yield Problem("/training/evaluate", "evaluated_once", detail, 'add "evaluate": {"every_steps": 1000}')


def environment_objective_problems(objective: Objective) -> Iterator[Problem]:
    """Yield heads that compare an output with a column, for which held-out rows would be needed."""
    for name, head in objective.all_heads().items():
        place = head_pointer(name)
        if head.loss.kind != OUTPUT_LOSS:
            detail = f"{head.loss.kind} compares an output with rows of a data set, of which an environment has none"
            hint = f'use a node {{"kind": "{head.loss.kind}", "inputs": [output, goal]}}, and here the loss "Output"'
            yield Problem(f"{place}/loss", "unsupported", detail, hint)
            continue
        fields = {"target": head.target, "scores": head.scores, "metrics": head.metrics or None}
        for field in (each for each, value in fields.items() if value is not None):
            detail = "an environment has no held-out rows with a target, on which metrics could be measured"
            hint = 'remove it; "report" in data names outputs whose means are evaluated'
            yield Problem(f"{place}/{field}", "unsupported", detail, hint)
