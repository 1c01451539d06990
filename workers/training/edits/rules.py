"""Rules of `training.edits`: when they make an edit, when they end, and their operations with numbers filled in."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from app.errors import InvalidInput, Problem
from app.spec.edits.edit import Trigger
from app.spec.edits.settings import numbered_path
from app.spec.job import parse_job
from app.spec.training.planned_edits import Interval, PlannedEdit
from workers.data.loading.epochs import Epochs
from workers.training.revision import RuleState


def fires(rule: PlannedEdit, state: RuleState, step: int, epochs: Epochs) -> bool:
    """Say whether a rule makes an edit after `step` steps; where a loss is not finite is another matter."""
    if state.has_ended or state.fired_at == step or (rule.limit is not None and state.fired >= rule.limit):
        return False
    if rule.at is not None:
        return _has_come(rule.at, state, step, epochs)
    return rule.every is not None and _recurs(rule.every, step, epochs)


def _has_come(at: Trigger, state: RuleState, step: int, epochs: Epochs) -> bool:
    if at.step is not None:
        return step >= at.step
    if at.epoch is not None:
        return epochs.passed(step) >= at.epoch
    return state.trigger.is_true


def _recurs(every: Interval, step: int, epochs: Epochs) -> bool:
    if every.steps is not None:
        return step > 0 and step % every.steps == 0
    epoch, position = epochs.position(step)
    return position == 0 and epoch > 0 and epoch % (every.epochs or 1) == 0


def ends(rule: PlannedEdit, state: RuleState, step: int, epochs: Epochs, share: float) -> bool:
    """Say whether a rule has come to its end; `share` is the network's size as a share of the first one's."""
    until = rule.until
    if until is None:
        return False
    goal = until.parameters
    if goal is not None and (share <= goal if goal < 1 else share >= goal):
        return True
    by_step = until.step is not None and step >= until.step
    by_epoch = until.epoch is not None and epochs.passed(step) >= until.epoch
    return by_step or by_epoch or state.end.is_true


def carry_rules(
    states: Mapping[int, RuleState], before: Sequence[PlannedEdit], after: Sequence[PlannedEdit]
) -> dict[int, RuleState]:
    """Return the states of other rules, by place: one that is among those before goes on, the others begin."""
    carried = {}
    for place, rule in enumerate(after):
        same = [each for each, other in enumerate(before) if other == rule]
        earlier = place if place in same else next(iter(same), None)
        if earlier is not None and earlier in states:
            carried[place] = replace(states[earlier])
    return carried


def fill_in(operations: Sequence[Mapping[str, Any]], document: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """Return operations in which every `scale` is a `set` to the present value of a document times its factor.

    Raises `InvalidInput` where there is no number.
    """
    return tuple(
        _scaled(operation, document, f"/operations/{index}") if operation["op"] == "scale" else operation
        for index, operation in enumerate(operations)
    )


def _scaled(operation: Mapping[str, Any], document: Mapping[str, Any], pointer: str) -> Mapping[str, Any]:
    job = parse_job(dict(document))
    value: Any = job.model_dump(mode="json")
    for part in numbered_path(operation["path"], job.training).split("."):
        if isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            value = value.get(part) if isinstance(value, dict) else None
    if not isinstance(value, int | float) or isinstance(value, bool):
        detail = f"{operation['path']} is no number that can be multiplied"
        raise InvalidInput([Problem(f"{pointer}/path", "invalid_value", detail, "name a number of the plan")])
    scaled = value * operation["by"]
    return {"op": "set", "path": operation["path"], "value": round(scaled) if isinstance(value, int) else scaled}
